package virtual

// Worker is a thread that serves timers, as each of the live world's clocks is: it wakes up late for the first that is due, and
// then does one after the other what has become due meanwhile. So packets that were due apart leave together.
type Worker struct {
	n    *Net
	busy int64 // ns: until when it is awake
}

// NewWorker returns a thread that sleeps.
func (n *Net) NewWorker() *Worker { return &Worker{n: n} }

// Task is what a worker does for a packet.
type Task int

// The tasks of a home's workers.
const (
	TaskDeliver Task = iota // hands a packet to a kernel, which acts upon it
	TaskTapDown             // notes a packet that comes, translates it, hands it to the gateway's kernel
	TaskAir                 // notes a frame, hands it to the gateway's kernel
)

// Turn returns when a task is really done that is due now. Due moments do not go back.
func (w *Worker) Turn(due int64, t Task) int64 {
	start := w.busy
	if due > start {
		start = due + latencyTimer.draw(w.n.late)
	}
	w.busy = start + taskCosts[t].draw(w.n.late)
	return start
}
