package latency

// Worker is a thread that serves timers or an interface, as the live world's clocks and readers do: it wakes up late for the first
// that is due, and then does one after the other what has become due meanwhile. So packets that were due apart leave together.
type Worker struct {
	m    *Model
	busy int64 // ns: until when it is awake
}

// NewWorker returns a thread that sleeps.
func (m *Model) NewWorker() *Worker { return &Worker{m: m} }

// Task is what a worker does for a packet.
type Task int

// The tasks of a home's workers.
const (
	TaskDeliver Task = iota // hands a packet to a kernel, which acts upon it
	TaskTapDown             // notes a packet that comes, translates it, hands it to the gateway's kernel
	TaskRead                // takes a packet from the interface of a kernel, on a core that has just put it there
	TaskUp                  // notes a frame that the air has carried, hands it to the gateway's kernel
	TaskAir                 // takes a packet from the interface of a kernel, or hands it to one
	TaskSeal                // takes a packet into the tunnel
	TaskOpen                // and out of it, on a thread that its arrival has half woken
)

// Turn returns when a task really begins that is due at a moment: never before the task before it is over.
func (w *Worker) Turn(due int64, t Task) int64 {
	start, first := w.busy, int64(0)
	switch idle := due - start; {
	case idle <= 0:
	case t == TaskOpen:
		start = due + w.m.cold(idle)/2
	case t == TaskRead:
		start = due + timer.draw(w.m.draws)
	default:
		slept := idle // its core: what goes down to a station wakes it for what comes up
		if t == TaskUp {
			slept = min(idle, max(due-w.m.stirred, 0))
		}
		start = due + timer.draw(w.m.draws) + w.m.cold(slept)
		if t == TaskUp || t == TaskAir {
			first = w.m.first(idle)
		}
	}
	w.busy = start + first + taskCosts[t].draw(w.m.draws)
	return start
}

// Done returns when it is over.
func (w *Worker) Done(due int64, t Task) int64 {
	w.Turn(due, t)
	return w.busy
}
