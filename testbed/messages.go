package testbed

import (
	"bufio"
	"encoding/gob"
	"io"
	"sync"
	"time"

	"glasshouse/testbed/dataset"
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
	Progress *Progress
	Row      *dataset.Row
	Event    *dataset.Event
	Result   *Result
	Error    string
}

// reporter writes messages. It is safe for concurrent use.
type reporter struct {
	mu  sync.Mutex
	w   *bufio.Writer
	enc *gob.Encoder
	err error
}

func newReporter(w io.Writer) *reporter {
	b := bufio.NewWriterSize(w, 1<<16)
	return &reporter{w: b, enc: gob.NewEncoder(b)}
}

func (r *reporter) send(m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = r.enc.Encode(m)
	}
}

func (r *reporter) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = r.w.Flush()
	}
}

func (r *reporter) close() error {
	r.flush()
	return r.err
}
