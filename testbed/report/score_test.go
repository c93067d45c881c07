package report

import (
	"bytes"
	"strings"
	"testing"

	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
)

// What belongs to who is active stands there, before what devices do.
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
		"called unknown: 9 packets, 25.0 %; the share aimed at on known devices was 5.0 %",
	} {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("%q is not there, or not where it belongs:\n%s", part, b.String())
		}
		rest = after
	}
}
