package score

import "glasshouse/classifier/stat"

// HomeScore is the score of one home: what intervals and comparisons are made of.
type HomeScore struct {
	N           int     `json:"n"` // packets that count
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

// Difference is how much better a is than b, on average over homes, each counted alike.
type Difference struct {
	Mean     float64        `json:"mean"`
	Interval *stat.Interval `json:"interval,omitempty"` // 95 %, over homes drawn in pairs; nil below two homes
}

// Clear tells whether the interval leaves no doubt about the sign.
func (d Difference) Clear() bool {
	return d.Interval != nil && (d.Interval[0] > 0 || d.Interval[1] < 0)
}

// Compare compares a figure of two models on the same homes, in pairs: homes that are hard for both don't blur the difference.
// Both scores must be of the same data sets, in the same order.
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
