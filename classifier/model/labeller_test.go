package model

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glasshouse/testbed/dataset"
)

// late is a model that labels two packets late; packets of even length are "even".
type late struct{ drop bool }

func (late) Classes() []string    { return []string{"even", "odd"} }
func (late) Meta() *Meta          { return &Meta{} }
func (late) Save(io.Writer) error { return nil }
func (m late) Stream() Stream     { return &lateStream{drop: m.drop} }

type lateStream struct {
	held []dataset.Observation
	drop bool
}

func (s *lateStream) Step(o *dataset.Observation, probs []float32) (int64, bool) {
	s.held = append(s.held, *o)
	if len(s.held) < 3 {
		return 0, false
	}
	return s.give(probs)
}

func (s *lateStream) Flush(probs []float32) (int64, bool) {
	if s.drop || len(s.held) == 0 {
		return 0, false
	}
	return s.give(probs)
}

func (s *lateStream) give(probs []float32) (int64, bool) {
	o := s.held[0]
	s.held = s.held[1:]
	clear(probs)
	probs[o.Length%2] = 0.75
	return o.Frame, true
}

func TestLabellerWaitsForModelsThatLookAhead(t *testing.T) {
	var got []string
	l := NewLabeller(late{}, func(of int, class string, p float32) error {
		if p != 0.75 || class != []string{"even", "odd"}[of%2] {
			t.Errorf("packet %d is labelled %s, %v", of, class, p)
		}
		got = append(got, class)
		return nil
	})
	for home := range 2 { // Flush resets the stream
		for i := range 9 {
			if err := l.Step(&dataset.Observation{Frame: int64(i + 1), Length: int32(i)}, i); err != nil {
				t.Fatal(err)
			}
			if want, n := min(i+1, 2), len(l.waiting)-l.first; n != want {
				t.Fatalf("%d packets wait after %d, want %d", n, i+1, want)
			}
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("even odd ", 9)[:len("even odd even odd even odd even odd even")]
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Fatalf("home %d: %s", home, diff)
		}
		got = nil
	}
	l = NewLabeller(late{drop: true}, func(int, string, float32) error { return nil })
	if err := l.Step(&dataset.Observation{Frame: 1}, 1); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(); err == nil {
		t.Error("no error for a packet without a label")
	}
}
