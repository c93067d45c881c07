package verify

import (
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// The window over the LAN's frames takes any order within its size, and tells what is beyond it.
func TestLANWindow(t *testing.T) {
	w := &lanWindow{count: 3 * lanWindowFrames}
	for _, c := range []struct {
		n    int64
		want string
	}{
		{1, ""},
		{5, ""},
		{2, ""},
		{lanWindowFrames, ""},
		{2 * lanWindowFrames, ""},
		{lanWindowFrames + 1, ""},
		{lanWindowFrames, "neighbours"},
		{0, "not there"},
		{-1, "not there"},
		{3*lanWindowFrames + 1, "not there"},
	} {
		f, problem, err := w.at(c.n)
		if err != nil || (c.want == "") != (f != nil) || !strings.Contains(problem, c.want) {
			t.Errorf("frame %d: %q %v", c.n, problem, err)
		}
	}
}

// A LAN frame that two rows name is told even where both could be it.
func TestVerifyFindsSharedCarrier(t *testing.T) {
	c := homeCheck{d: &dataset.Dataset{}, v: &Result{}, lan: &lanWindow{count: 1}, macs: map[string][6]byte{}}
	for range 2 {
		if err := c.carrier(&dataset.Row{Label: dataset.Label{LANFrame: 1}}, pcapng.Frame{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.v.Problems) != 1 || !strings.HasPrefix(c.v.Problems[0], "home=000000: ") {
		t.Errorf("%q", c.v.Problems)
	}
	for range maxProblems {
		c.problem("another")
	}
	if len(c.v.Problems) != maxProblems || c.v.Found != maxProblems+1 {
		t.Errorf("%d problems, %d found", len(c.v.Problems), c.v.Found)
	}
}
