package session

import "glasshouse/emulator/virtual/tcp"

// When the program at a side of a session runs: it wakes for what has come, sleeps between what it says, and loses patience. These are
// its timers.
const (
	turnRead = iota
	turnSleep
	turnPatience
	turnRelease
)

// Connected implements tcp.Application.
func (d *side) Connected(*tcp.Conn) { d.later(d.s.cfg.Latency.Wake()) }

// Received implements tcp.Application.
func (d *side) Received(*tcp.Conn) { d.later(d.s.cfg.Latency.Wake()) }

// Ended implements tcp.Application: the other end has closed.
func (d *side) Ended(*tcp.Conn) { d.later(d.s.cfg.Latency.Wake()) }

// Broken implements tcp.Application.
func (d *side) Broken(*tcp.Conn) { d.fail(errBroken) }

// later lets the program run after a moment, but never before it has let go of the socket.
func (d *side) later(after int64) {
	if d.turn || d.over {
		return
	}
	d.turn = true
	if now := d.s.cfg.Clock.Now(); now < d.holds {
		d.s.cfg.Clock.Schedule(d.holds, d, turnRelease)
	} else {
		d.wakes = now + after
		d.s.cfg.Clock.Schedule(d.wakes, d, turnRead)
	}
}

// Arriving implements tcp.Application: of packets that a thread hands over one after the other in one go, at one reading of the clock,
// a later one finds that what came before it has been read.
func (d *side) Arriving(at int64) {
	if d.turn && d.wakes != 0 && d.wakes <= at {
		d.early++
		d.wake(d.s.cfg.Clock.Now())
	}
}

// Fire implements clock.Handler.
func (d *side) Fire(now int64, arg uint64) {
	switch {
	case d.over || d.e.Gone():
	case arg == turnRead && d.early > 0:
		d.early--
	case arg == turnRead:
		d.wake(now)
	case arg == turnRelease: // something has come while it read
		d.e.Unlock()
		d.turn = false
		d.later(0)
	case arg == turnSleep && d.due != 0 && now >= d.due:
		d.due = 0
		d.run(now)
	case arg == turnPatience && d.reads && now >= d.until && d.e.Arrived() == d.seen:
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
	d.holds = at + d.s.cfg.Latency.ReadSocket()
	d.e.Consumed(d.holds, piece)
	if d.e.PeerClosed() || d.told() {
		d.left()
	}
}
