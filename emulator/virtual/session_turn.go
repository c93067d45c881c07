package virtual

// When the program at a side of a session runs: it wakes for what has come, sleeps between what it says, and loses patience. These are
// its timers.
const (
	turnRead = iota
	turnSleep
	turnPatience
	turnRelease
)

// connected implements application.
func (d *side) connected(*endpoint) { d.later(d.s.n.latency.Wake()) }

// received implements application.
func (d *side) received(*endpoint) { d.later(d.s.n.latency.Wake()) }

// ended implements application: the other end has closed.
func (d *side) ended(*endpoint) { d.later(d.s.n.latency.Wake()) }

// broken implements application.
func (d *side) broken(*endpoint) { d.fail(errBroken) }

// later lets the program run after a moment, but never before it has let go of the socket.
func (d *side) later(after int64) {
	if d.turn || d.over {
		return
	}
	d.turn = true
	if now := d.s.n.clock.Now(); now < d.holds {
		d.s.n.clock.Schedule(d.holds, d, turnRelease)
	} else {
		d.wakes = now + after
		d.s.n.clock.Schedule(d.wakes, d, turnRead)
	}
}

// arriving implements application: of packets that a thread hands over one after the other in one go, at one reading of the clock,
// a later one finds that what came before it has been read.
func (d *side) arriving(at int64) {
	if d.turn && d.wakes != 0 && d.wakes <= at {
		d.early++
		d.wake(d.s.n.clock.Now())
	}
}

// Fire implements clock.Handler.
func (d *side) Fire(now int64, arg uint64) {
	switch {
	case d.over || d.e.state == stateClosed:
	case arg == turnRead && d.early > 0:
		d.early--
	case arg == turnRead:
		d.wake(now)
	case arg == turnRelease: // something has come while it read
		d.e.unlock()
		d.turn = false
		d.later(0)
	case arg == turnSleep && d.due != 0 && now >= d.due:
		d.due = 0
		d.run(now)
	case arg == turnPatience && d.reads && now >= d.until && d.e.rnxt == d.seen:
		d.fail(errPatience)
	case arg == turnPatience && d.reads && now >= d.until:
		d.patience(now, 0)
	}
}

// wake lets the program read what has come.
func (d *side) wake(now int64) {
	at := max(now, d.wakes)
	d.turn, d.wakes = false, 0
	piece := d.piece()
	d.run(now)
	if d.over {
		return
	}
	d.holds = at + d.s.n.latency.ReadSocket()
	d.e.consumed(d.holds, piece)
	if d.e.finIn || d.told() {
		d.left()
	}
}
