package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"glasshouse/classifier/train"
)

// TestProgressElsewhere: without a terminal a line a minute at most, with the time that is left.
func TestProgressElsewhere(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	p := &progress{w: &out, now: func() time.Time { return now }, last: now, began: now}
	p.announce("seed 7")
	for s := range int64(181) { // packets at one a second
		now = time.Unix(s, 0)
		p.phases(train.Progress{Phase: "training", Done: s, Of: 360})
	}
	want := "seed 7\ntraining, 16 %, 5m0s left\ntraining, 33 %, 4m0s left\ntraining, 50 %, 3m0s left\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	now = now.Add(time.Minute)
	out.Reset()
	p.phases(train.Progress{Phase: "calibration", Model: "forest, seed 1 (1 of 2)", Of: 10})
	if want := "forest, seed 1 (1 of 2): calibration, 0 %, ? left\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestProgressTerminal: a line is written over, and is never longer than a terminal's.
func TestProgressTerminal(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out, terminal: true, now: func() time.Time { return time.Unix(1, 0) }}
	p.phases(train.Progress{Phase: strings.Repeat("long ", 40), Of: 10})
	p.done(nil)
	if got := out.String(); strings.Contains(got, "\n") || len(got) > 100 || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q", got)
	}
}

// TestProgressChecks: what is wrong with the input is the only line.
func TestProgressChecks(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{{usagef("DIR is not empty"), ""}, {errors.New("the disk is full"), "seed 7\n"}, {nil, "seed 7\n"}} {
		var out strings.Builder
		p := newProgress(&out)
		p.announce("seed 7")
		p.done(c.err)
		if out.String() != c.want {
			t.Errorf("%v: %q, want %q", c.err, out.String(), c.want)
		}
	}
}
