package report

import (
	"bytes"
	"strings"
	"testing"

	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
)

// The figures of presence come before those of activities.
func TestScoreIsInOrder(t *testing.T) {
	var b bytes.Buffer
	s := &score.Score{
		Model: "forest", Path: "napt", Presence: score.Presence{Window: 100, Windows: 7, HammingLoss: 0.125},
		Intervals:  &score.Intervals{Homes: 2, HammingLoss: stat.Interval{0.111, 0.222}},
		Activities: []score.Activity{{Activity: "motion", F1: 0.5, Support: 3}}, Unknown: &score.CalledUnknown{Wanted: 0.05, N: 9, Share: 0.25},
	}
	if err := WriteScore(&b, s); err != nil {
		t.Fatal(err)
	}
	rest := b.String()
	for _, part := range []string{
		"Hamming loss 0.125", "95 % interval: Hamming loss 0.111 to 0.222", "activity, per window", "motion",
		"labelled unknown: 9 packets, 25.0 %; nominal share on known devices 5.0 %",
	} {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("%q is missing or out of order:\n%s", part, b.String())
		}
		rest = after
	}
}
