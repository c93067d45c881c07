package score

import (
	"math"
	"math/rand/v2"
	"testing"

	"glasshouse/classifier/model"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// addHome adds a home of n packets of classes a and b, each labelled correctly with probability p.
func addHome(s *Scorer, home, n int, p float64, r *rand.Rand) {
	for i := range n {
		truth := [2]string{"a", "b"}[i%2]
		predicted := truth
		if r.Float64() >= p {
			predicted = [2]string{"b", "a"}[i%2]
		}
		s.Add(&dataset.Manifest{}, home, &dataset.Row{Observation: dataset.Observation{TsNs: int64(i) * 1e9}, Label: dataset.Label{Device: "x", Class: truth}}, predicted, float32(p))
	}
}

func newTwo() *Scorer {
	return NewScorer(&model.Meta{ClassMode: model.ClassPaper, Classes: []string{"a", "b"}, Window: 10, Majority: "a"})
}

// Intervals over homes have about the nominal coverage where homes differ, even with few homes. Intervals that treat packets as
// independent would have almost none.
func TestIntervalsCover(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, homes := range []int{5, 20} {
		covered := 0
		const runs = 200
		for range runs {
			s := newTwo()
			for h := range homes {
				addHome(s, h, 60, 0.5+0.4*r.Float64(), r) // homes' accuracies have a mean of 0.7
			}
			if in := s.Result().Intervals.Accuracy; in[0] <= 0.7 && 0.7 <= in[1] {
				covered++
			}
		}
		if share := float64(covered) / runs; share < 0.89 { // 95 % nominal; 4 standard deviations below it
			t.Errorf("%d homes: %.3f of the intervals cover the truth", homes, share)
		}
	}
}

func TestIntervalsContainTheScore(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := newTwo()
	addHome(s, 0, 100, 0.9, r)
	if s.Result().Intervals != nil {
		t.Error("there is an interval for a single home")
	}
	for h := 1; h < 12; h++ {
		addHome(s, h, 100, 0.6+0.03*float64(h), r)
	}
	res := s.Result()
	in := res.Intervals
	for what, v := range map[string]struct {
		at float64
		in stat.Interval
	}{
		"accuracy": {res.Accuracy, in.Accuracy}, "macro-F1": {res.MacroF1, in.MacroF1}, "balanced": {res.BalancedAccuracy, in.BalancedAccuracy},
		"Hamming loss": {res.Presence.HammingLoss, in.HammingLoss}, "presence": {res.Presence.MacroF1, in.PresenceMacroF1}, "F1 of a": {res.PerClass[0].F1, *res.PerClass[0].F1Interval},
	} {
		if v.at < v.in[0] || v.at > v.in[1] {
			t.Errorf("%s: %.3f is outside its interval %v", what, v.at, v.in)
		}
	}
	// The resampled figures over all homes equal the score's.
	sum := newTally([]string{"a", "b"})
	for _, h := range s.tallies([]string{"a", "b"}) {
		sum.add(h)
	}
	var m metrics
	sum.measure(&m)
	for what, v := range map[string][2]float64{
		"accuracy": {m.accuracy, res.Accuracy}, "macro-F1": {m.macroF1, res.MacroF1}, "balanced": {m.balanced, res.BalancedAccuracy},
		"Hamming loss": {m.hamming, res.Presence.HammingLoss}, "presence": {m.presenceF1, res.Presence.MacroF1}, "F1 of a": {m.f1[0], res.PerClass[0].F1},
	} {
		if math.Abs(v[0]-v[1]) > 1e-12 {
			t.Errorf("%s: %v resampled, %v scored", what, v[0], v[1])
		}
	}
}

func TestFirstCorrect(t *testing.T) {
	s := newTwo()
	add := func(home int, at int64, truth, predicted string) {
		s.Add(&dataset.Manifest{}, home, &dataset.Row{Observation: dataset.Observation{TsNs: at * 1e9}, Label: dataset.Label{Device: "x", Class: truth}}, predicted, -1)
	}
	add(0, 10, "a", "b") // home 0: a is present from 10 s and correct at 13 s, its third packet; b is absent but predicted
	add(0, 11, "a", "b")
	add(0, 13, "a", "a")
	add(0, 14, "a", "b")
	add(1, 5, "a", "a") // home 1: a is correct at once
	add(2, 5, "a", "b") // home 2: a is never correct; b is
	add(2, 6, "b", "b")
	r := s.Result().First
	if a := (FirstCorrect{Class: "a", Homes: 3, Correct: 2, MedianS: 1.5, MedianPackets: 2}); r[0] != a {
		t.Errorf("%+v", r[0])
	}
	if b := (FirstCorrect{Class: "b", Homes: 1, Correct: 1, MedianPackets: 1, AbsentHomes: 2, FalseHomes: 1}); r[1] != b {
		t.Errorf("%+v", r[1])
	}
}

func TestTrust(t *testing.T) {
	var calibrated, overconfident TrustTally
	for i := range 100 {
		calibrated.add(0.7, i%10 < 7)
		overconfident.add(0.95, i%10 < 7)
	}
	if r := calibrated.Result(); math.Abs(r.CalibrationError) > 1e-6 || math.Abs(r.Brier-0.21) > 1e-6 {
		t.Errorf("%+v", r)
	}
	if r := overconfident.Result(); math.Abs(r.CalibrationError-0.25) > 1e-6 || r.Accuracy != 0.7 {
		t.Errorf("%+v", r)
	}
	var none TrustTally
	none.add(-1, true)
	if none.Result() != nil {
		t.Error("there is a calibration without probabilities")
	}
}

// Paired by home, a small difference that all homes show is significant even though homes differ more than models; no difference is not.
func TestPairedComparison(t *testing.T) {
	score := func(r *rand.Rand, better float64) *Score {
		s := newTwo()
		for h := range 20 {
			addHome(s, h, 2000, 0.5+0.02*float64(h)+better, r)
		}
		return s.Result()
	}
	figure := func(h HomeScore) float64 { return h.Accuracy }
	r := rand.New(rand.NewPCG(5, 6))
	good, bad, same := score(r, 0.04), score(r, 0), score(r, 0)
	if d := Compare(good, bad, figure); !d.Clear() || math.Abs(d.Mean-0.04) > 0.01 {
		t.Errorf("%+v", d)
	}
	if d := Compare(bad, good, figure); !d.Clear() || d.Mean > 0 {
		t.Errorf("%+v", d)
	}
	if d := Compare(bad, same, figure); d.Clear() || math.Abs(d.Mean) > 0.01 {
		t.Errorf("%+v", d)
	}
	if in := good.Intervals.Accuracy; in[0] > bad.Accuracy {
		t.Error("the difference is significant without pairs, too: the test proves nothing")
	}
}
