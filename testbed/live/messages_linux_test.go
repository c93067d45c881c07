package live

import (
	"encoding/gob"
	"errors"
	"io"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
)

// A parent that does not read, as one that Ctrl-Z has stopped, holds no sender up; when it reads again it gets what fits the backlog,
// and the result with the count of the rest.
func TestReporterNeverWaits(t *testing.T) {
	r, w := io.Pipe() // without any room: each write waits for a reader
	out := newReporter(w)
	const rows = 10 * reportBacklog
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range int64(rows) {
			out.send(message{Row: &dataset.Row{Observation: dataset.Observation{Frame: i + 1}}})
			out.send(message{Progress: &run.Progress{Phase: "running"}})
			out.flush()
		}
	}()
	select {
	case <-sent:
	case <-time.After(30 * time.Second):
		t.Fatal("a sender waits for the parent")
	}
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(out.close(message{Result: &run.Result{Valid: true}}), w.Close()) }()
	var got, last int64
	var res *run.Result
	if err := receive(r, func(m message) {
		if m.Row != nil {
			if m.Row.Frame <= last {
				t.Errorf("row %d comes after row %d", m.Row.Frame, last)
			}
			last = m.Row.Frame
			got++
		}
		if m.Result != nil {
			res = m.Result
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if res == nil || !res.Valid || got == 0 || got+res.NotShown != rows {
		t.Errorf("%d rows came of %d; %+v", got, rows, res)
	}
}

// A callback that blocks does not hold up who reads the lab's messages; what it is too slow for is counted.
func TestAudienceNeverWaits(t *testing.T) {
	release := make(chan struct{})
	got := int64(0)
	a := newAudience(&run.Options{OnRow: func(*dataset.Row) { <-release; got++ }})
	const rows = 3 * reportBacklog
	offered := make(chan struct{})
	go func() {
		defer close(offered)
		for range rows {
			a.offer(message{Row: &dataset.Row{}})
		}
	}()
	select {
	case <-offered:
	case <-time.After(30 * time.Second):
		t.Fatal("the reader of messages waits for a callback")
	}
	close(release)
	if skipped := a.close(); skipped == 0 || got+skipped != rows {
		t.Errorf("%d rows given and %d left out of %d", got, skipped, rows)
	}
}

func TestReceiveReportsWhatItCannotRead(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		_ = gob.NewEncoder(w).Encode(message{Error: "first"})
		_, _ = w.Write([]byte{5, 255, 254, 253, 252, 251})
		_ = w.Close()
	}()
	n := 0
	if err := receive(r, func(message) { n++ }); err == nil || n != 1 {
		t.Errorf("%d messages, %v", n, err)
	}
}
