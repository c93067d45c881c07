package score

import (
	"math"
	"slices"

	"glasshouse/classifier/novelty"
	"glasshouse/classifier/stat"
)

// Intervals are 95 % bootstrap confidence intervals over homes. Whole homes are resampled, because packets of a home are not independent.
// Quantiles are widened by the ratio of Student's t to the normal distribution, since the bootstrap understates the variance of few
// homes (Hesterberg 2015, "expanded percentile").
type Intervals struct {
	Level            float64       `json:"level"`
	Homes            int           `json:"homes"`
	Resamples        int           `json:"resamples"`
	Accuracy         stat.Interval `json:"accuracy"`
	MacroF1          stat.Interval `json:"macro_f1"`
	BalancedAccuracy stat.Interval `json:"balanced_accuracy"`
	HammingLoss      stat.Interval `json:"hamming_loss"`
	PresenceMacroF1  stat.Interval `json:"presence_macro_f1"`
}

// tally has the counts over labels of a home, or of several.
type tally struct {
	confusion                      []int // truth × predicted
	both, truthOnly, predictedOnly []int // windows
	windows                        int
	present                        int // number of labels that can be present: all but novelty.Label
}

func newTally(labels []string) *tally {
	n := len(labels)
	return &tally{
		confusion: make([]int, n*n), both: make([]int, n), truthOnly: make([]int, n), predictedOnly: make([]int, n),
		present: n - stat.Indicator(slices.ContainsFunc(labels, novelty.IsUnknown)),
	}
}

func (t *tally) add(o *tally) {
	for i, v := range o.confusion {
		t.confusion[i] += v
	}
	for i := range t.both {
		t.both[i] += o.both[i]
		t.truthOnly[i] += o.truthOnly[i]
		t.predictedOnly[i] += o.predictedOnly[i]
	}
	t.windows += o.windows
}

func (t *tally) Reset() {
	clear(t.confusion)
	clear(t.both)
	clear(t.truthOnly)
	clear(t.predictedOnly)
	t.windows = 0
}

// tallies returns the tallies of the homes with scored packets.
func (s *Scorer) tallies(labels []string) []*tally {
	var out []*tally
	for _, h := range s.homes {
		if len(h.predictions) > 0 {
			out = append(out, h.tally(labels))
		}
	}
	return out
}

func (h *homeTally) tally(labels []string) *tally {
	index := make(map[string]int, len(labels))
	for i, l := range labels {
		index[l] = i
	}
	t := newTally(labels)
	t.windows = h.windows
	for k, n := range h.predictions {
		t.confusion[index[k[0]]*len(labels)+index[k[1]]] += n
	}
	for c, p := range h.present {
		i := index[c]
		t.both[i], t.truthOnly[i], t.predictedOnly[i] = p.both, p.truthOnly, p.predictedOnly
	}
	return t
}

// metrics are the figures of a score that have intervals.
type metrics struct {
	accuracy, macroF1, balanced, hamming, presenceF1 float64
	f1                                               []float64 // NaN for a class that is not in the truth
}

// measure computes the figures; classes that are not in the truth are left out.
func (t *tally) measure(m *metrics) {
	k := len(t.both)
	if m.f1 == nil {
		m.f1 = make([]float64, k)
	}
	var n, right, in, windowsIn, wrong int
	var f1, recall, present float64
	for c := range k {
		truth, predicted := 0, 0
		for j := range k {
			truth += t.confusion[c*k+j]
			predicted += t.confusion[j*k+c]
		}
		tp := t.confusion[c*k+c]
		n, right = n+truth, right+tp
		m.f1[c] = math.NaN()
		if truth > 0 {
			in++
			m.f1[c] = stat.Ratio(2*tp, truth+predicted)
			f1 += m.f1[c]
			recall += stat.Ratio(tp, truth)
		}
		wrong += t.truthOnly[c] + t.predictedOnly[c]
		if t.both[c]+t.truthOnly[c] > 0 {
			windowsIn++
			present += stat.Ratio(2*t.both[c], 2*t.both[c]+t.truthOnly[c]+t.predictedOnly[c])
		}
	}
	m.accuracy, m.macroF1, m.balanced = stat.Ratio(right, n), f1/float64(max(in, 1)), recall/float64(max(in, 1))
	m.hamming, m.presenceF1 = stat.Ratio(wrong, t.windows*t.present), present/float64(max(windowsIn, 1))
}

// addIntervals adds intervals to a score.
func (s *Score) addIntervals(homes []*tally, labels []string) {
	if len(homes) < 2 {
		return
	}
	var acc, f1, balanced, hamming, present []float64
	perClass := make([][]float64, len(labels))
	sum := newTally(labels)
	var m metrics
	stat.Resample(len(homes), func(drawn []int) {
		sum.Reset()
		for _, h := range drawn {
			sum.add(homes[h])
		}
		sum.measure(&m)
		acc, f1, balanced = append(acc, m.accuracy), append(f1, m.macroF1), append(balanced, m.balanced)
		hamming, present = append(hamming, m.hamming), append(present, m.presenceF1)
		for c, v := range m.f1 {
			if !math.IsNaN(v) {
				perClass[c] = append(perClass[c], v)
			}
		}
	})
	n := len(homes)
	s.Intervals = &Intervals{
		Level: stat.Level, Homes: n, Resamples: stat.Resamples, Accuracy: stat.Percentiles(acc, n), MacroF1: stat.Percentiles(f1, n),
		BalancedAccuracy: stat.Percentiles(balanced, n), HammingLoss: stat.Percentiles(hamming, n), PresenceMacroF1: stat.Percentiles(present, n),
	}
	for i := range s.PerClass {
		if v := perClass[slices.Index(labels, s.PerClass[i].Class)]; len(v) > 0 {
			in := stat.Percentiles(v, n)
			s.PerClass[i].F1Interval = &in
		}
	}
}
