package live

import (
	"bufio"
	"encoding/gob"
	"io"
	"sync/atomic"
	"time"

	"glasshouse/testbed/backlog"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
)

// order is what the parent tells the lab process to run.
type order struct {
	Scenario  string // a built-in name, or the absolute path of a file
	Seed      uint64
	Home      int
	Duration  time.Duration
	Out       string
	TimeScale float64
	Rows      bool // report every row as it is completed
	Name      string
}

// message is one report from the lab to its parent: one of its fields is set.
type message struct {
	Progress *run.Progress
	Row      *dataset.Row
	Event    *dataset.Event
	Result   *run.Result
	Error    string
}

// reportBacklog is how many messages may wait for a parent that does not read, as one that Ctrl-Z has stopped: at the 500 packets per
// second of a busy home, half a minute of rows.
const reportBacklog = 1 << 14

// reporter writes messages to the parent. Senders never wait for the pipe: what the parent does not read in time is dropped, and
// rows and events are counted. It is safe for concurrent use.
type reporter struct {
	queue   *backlog.Queue[message]
	skipped atomic.Int64 // rows and events that were dropped

	w   *bufio.Writer // with enc and err, the queue's goroutine's until the queue is closed
	enc *gob.Encoder
	err error
}

func newReporter(w io.Writer) *reporter {
	r := &reporter{w: bufio.NewWriterSize(w, 1<<16)}
	r.enc = gob.NewEncoder(r.w)
	r.queue = backlog.New(reportBacklog, r.write)
	return r
}

// send queues a message.
func (r *reporter) send(m message) {
	if !r.queue.Offer(m) && (m.Row != nil || m.Event != nil) {
		r.skipped.Add(1)
	}
}

// flush lets the parent see, soon, what was sent until now.
func (r *reporter) flush() { r.queue.Offer(message{}) }

// write encodes a message; an empty one flushes.
func (r *reporter) write(m message) {
	switch {
	case r.err != nil:
	case m == (message{}):
		r.err = r.w.Flush()
	default:
		r.err = r.enc.Encode(m)
	}
}

// Close sends the last message, the result or an error, after all that is queued, and waits until the parent has read them.
func (r *reporter) close(last message) error {
	r.queue.Close()
	if last.Result != nil {
		last.Result.NotShown = r.skipped.Load()
	}
	r.write(last)
	r.write(message{})
	return r.err
}
