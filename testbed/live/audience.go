package live

import (
	"sync/atomic"

	"glasshouse/testbed/backlog"
	"glasshouse/testbed/run"
)

// audience calls a run's callbacks, one at a time, on a goroutine of its own: one that blocks holds neither the run nor its
// messages up. Rows and events that wait in vain are dropped and counted.
type audience struct {
	o       *run.Options
	queue   *backlog.Queue[message]
	skipped atomic.Int64
}

func newAudience(o *run.Options) *audience {
	a := &audience{o: o}
	a.queue = backlog.New(reportBacklog, a.tell)
	return a
}

func (a *audience) offer(m message) {
	if !a.queue.Offer(m) && m.Progress == nil {
		a.skipped.Add(1)
	}
}

func (a *audience) tell(m message) {
	switch {
	case m.Progress != nil && a.o.Progress != nil:
		a.o.Progress(*m.Progress)
	case m.Row != nil && a.o.OnRow != nil:
		a.o.OnRow(m.Row)
	case m.Event != nil && a.o.OnEvent != nil:
		a.o.OnEvent(*m.Event)
	}
}

// Close waits until the callbacks have had what is queued, and returns how many rows and events they did not get.
func (a *audience) close() int64 {
	a.queue.Close()
	return a.skipped.Load()
}
