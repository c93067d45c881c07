package clock

import "fmt"

// Virtual is the virtual world's clock: time stands still while a handler runs, and jumps to the next timer after it. All of
// a home runs on the one goroutine that calls Run; nothing here is safe for concurrent use.
type Virtual struct {
	now  int64
	heap timerHeap
}

var _ Clock = (*Virtual)(nil)

// NewVirtual returns a clock that stands at start, ns of script time.
func NewVirtual(start int64) *Virtual { return &Virtual{now: start} }

// Now implements Clock.
func (v *Virtual) Now() int64 { return v.now }

// Schedule implements Clock. A timer in the past is a fault of the program: it panics.
func (v *Virtual) Schedule(at int64, h Handler, arg uint64) {
	if at < v.now {
		panic(fmt.Sprintf("a timer for %d ns is set at %d ns", at, v.now))
	}
	v.heap.push(at, h, arg)
}

// Run fires the timers that are due until a moment, that moment included, in order; then it is that moment.
func (v *Virtual) Run(until int64) {
	for !v.heap.empty() && v.heap.first() <= until {
		t := v.heap.pop()
		v.now = t.at
		t.h.Fire(t.at, t.arg)
	}
	v.now = max(v.now, until)
}

// Next returns the moment of the next timer; Forever if there is none.
func (v *Virtual) Next() int64 {
	if v.heap.empty() {
		return Forever
	}
	return v.heap.first()
}

// OneGoroutine tells whether all handlers of a clock, and all that schedule them, run on one goroutine, so that what they
// share needs no lock.
func OneGoroutine(c Clock) bool {
	_, ok := c.(*Virtual)
	return ok
}
