package score

import "glasshouse/classifier/stat"

// HomeScore is the score of one home, the unit of intervals and comparisons.
type HomeScore struct {
	N           int     `json:"n"` // scored packets
	Accuracy    float64 `json:"accuracy"`
	MacroF1     float64 `json:"macro_f1"` // over the classes in the home's truth
	Windows     int     `json:"windows"`
	HammingLoss float64 `json:"hamming_loss"`
}

func perHome(homes []*tally) []HomeScore {
	out := make([]HomeScore, 0, len(homes))
	for _, t := range homes {
		var m metrics
		t.measure(&m)
		n := 0
		for _, c := range t.confusion {
			n += c
		}
		out = append(out, HomeScore{N: n, Accuracy: m.accuracy, MacroF1: m.macroF1, Windows: t.windows, HammingLoss: m.hamming})
	}
	return out
}

// Difference is the mean over homes, with equal weight, of a figure of model a minus that of model b.
type Difference struct {
	Mean     float64        `json:"mean"`
	Interval *stat.Interval `json:"interval,omitempty"` // 95 %, over homes resampled in pairs; nil for fewer than two homes
}

// Clear reports whether the interval excludes 0.
func (d Difference) Clear() bool {
	return d.Interval != nil && (d.Interval[0] > 0 || d.Interval[1] < 0)
}

// Compare compares a figure of two models, paired by home, so that the variance between homes cancels. Both scores must be of the same
// datasets in the same order.
func Compare(a, b *Score, figure func(HomeScore) float64) Difference {
	n := min(len(a.PerHome), len(b.PerHome))
	if n == 0 || len(a.PerHome) != len(b.PerHome) {
		return Difference{}
	}
	diff := make([]float64, n)
	d := Difference{}
	for i := range diff {
		diff[i] = figure(a.PerHome[i]) - figure(b.PerHome[i])
		d.Mean += diff[i] / float64(n)
	}
	if n < 2 {
		return d
	}
	var means []float64
	stat.Resample(n, func(drawn []int) {
		sum := 0.0
		for _, i := range drawn {
			sum += diff[i]
		}
		means = append(means, sum/float64(n))
	})
	in := stat.Percentiles(means, n)
	d.Interval = &in
	return d
}
