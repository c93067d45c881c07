package classifier

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a 95 % confidence interval: its lower and upper end.
type Interval [2]float64

// Intervals are 95 % confidence intervals over homes: what a score could have been with other homes of the same population.
// Homes are drawn anew with replacement, whole: packets of a home depend on each other. Quantiles are widened as Student's t
// is wider than the normal distribution, since few homes vary less than they should (Hesterberg 2015, "expanded percentile").
type Intervals struct {
	Level            float64  `json:"level"`
	Homes            int      `json:"homes"`
	Resamples        int      `json:"resamples"`
	Accuracy         Interval `json:"accuracy"`
	MacroF1          Interval `json:"macro_f1"`
	BalancedAccuracy Interval `json:"balanced_accuracy"`
	HammingLoss      Interval `json:"hamming_loss"`
	PresenceMacroF1  Interval `json:"presence_macro_f1"`
}

const (
	resamples    = 1000
	resampleSeed = 20201001 // intervals are the same each time
	level        = 0.95
)

// tally is a home's counts over labels, or the sum of some homes'.
type tally struct {
	confusion                  []int // truth × guess
	both, truthOnly, guessOnly []int // windows
	windows                    int
	present                    int // labels that can be there: all but UnknownLabel
}

func newTally(labels []string) *tally {
	n := len(labels)
	return &tally{
		confusion: make([]int, n*n), both: make([]int, n), truthOnly: make([]int, n), guessOnly: make([]int, n),
		present: n - b2i(slices.ContainsFunc(labels, isUnknown)),
	}
}

func (t *tally) add(o *tally) {
	for i, v := range o.confusion {
		t.confusion[i] += v
	}
	for i := range t.both {
		t.both[i] += o.both[i]
		t.truthOnly[i] += o.truthOnly[i]
		t.guessOnly[i] += o.guessOnly[i]
	}
	t.windows += o.windows
}

func (t *tally) reset() {
	clear(t.confusion)
	clear(t.both)
	clear(t.truthOnly)
	clear(t.guessOnly)
	t.windows = 0
}

// tallies gives the homes with packets that count, over labels.
func (s *Scorer) tallies(labels []string) []*tally {
	var out []*tally
	for _, h := range s.homes {
		if len(h.guesses) > 0 {
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
	for k, n := range h.guesses {
		t.confusion[index[k[0]]*len(labels)+index[k[1]]] += n
	}
	for c, p := range h.present {
		i := index[c]
		t.both[i], t.truthOnly[i], t.guessOnly[i] = p.both, p.truthOnly, p.guessOnly
	}
	return t
}

// metrics are the figures of a score that intervals are given for.
type metrics struct {
	accuracy, macroF1, balanced, hamming, presenceF1 float64
	f1                                               []float64 // NaN for a class that is not in the truth
}

// measure computes the figures; classes that the homes do not have don't count.
func (t *tally) measure(m *metrics) {
	k := len(t.both)
	if m.f1 == nil {
		m.f1 = make([]float64, k)
	}
	var n, right, in, windowsIn, wrong int
	var f1, recall, present float64
	for c := range k {
		truth, guess := 0, 0
		for j := range k {
			truth += t.confusion[c*k+j]
			guess += t.confusion[j*k+c]
		}
		tp := t.confusion[c*k+c]
		n, right = n+truth, right+tp
		m.f1[c] = math.NaN()
		if truth > 0 {
			in++
			m.f1[c] = ratio(2*tp, truth+guess)
			f1 += m.f1[c]
			recall += ratio(tp, truth)
		}
		wrong += t.truthOnly[c] + t.guessOnly[c]
		if t.both[c]+t.truthOnly[c] > 0 {
			windowsIn++
			present += ratio(2*t.both[c], 2*t.both[c]+t.truthOnly[c]+t.guessOnly[c])
		}
	}
	m.accuracy, m.macroF1, m.balanced = ratio(right, n), f1/float64(max(in, 1)), recall/float64(max(in, 1))
	m.hamming, m.presenceF1 = ratio(wrong, t.windows*t.present), present/float64(max(windowsIn, 1))
}

// resample calls yield with the sum of homes drawn with replacement, as many as there are, again and again. The draws depend
// on the number of homes alone: of two models on the same homes the same homes are drawn, in pairs.
func resample(homes int, yield func(drawn []int)) {
	r := rand.New(rand.NewPCG(resampleSeed, uint64(homes)))
	drawn := make([]int, homes)
	for range resamples {
		for i := range drawn {
			drawn[i] = r.IntN(homes)
		}
		yield(drawn)
	}
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
	resample(len(homes), func(drawn []int) {
		sum.reset()
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
		Level: level, Homes: n, Resamples: resamples, Accuracy: interval(acc, n), MacroF1: interval(f1, n),
		BalancedAccuracy: interval(balanced, n), HammingLoss: interval(hamming, n), PresenceMacroF1: interval(present, n),
	}
	for i := range s.PerClass {
		if v := perClass[slices.Index(labels, s.PerClass[i].Class)]; len(v) > 0 {
			in := interval(v, n)
			s.PerClass[i].F1Interval = &in
		}
	}
}

// interval gives the widened 95 % interval of a statistic's resamples over n homes.
func interval(v []float64, n int) Interval {
	slices.Sort(v)
	tail := normal(-math.Sqrt(float64(n)/float64(n-1)) * studentT(n-1))
	return Interval{quantile(v, tail), quantile(v, 1-tail)}
}

// quantile interpolates between sorted values.
func quantile(v []float64, q float64) float64 {
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}

// normal is the distribution function of the standard normal distribution.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// studentT is the 97.5 % quantile of Student's t: from the usual table, and Cornish-Fisher's expansion above it.
func studentT(df int) float64 {
	table := [...]float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
		2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}
	if df <= len(table) {
		return table[df-1]
	}
	const z = 1.959964
	return z + (z*z*z+z)/(4*float64(df))
}

// Bootstrap gives the 95 % interval of a figure over homes, as Intervals do. figure is asked for the homes that are drawn, as
// many as there are, with replacement. The draws depend on the number of homes alone: figures of one number of homes are drawn
// in pairs, so the difference of two is a figure, too. It is false below two homes.
func Bootstrap(homes int, figure func(drawn []int) float64) (Interval, bool) {
	if homes < 2 {
		return Interval{}, false
	}
	v := make([]float64, 0, resamples)
	resample(homes, func(drawn []int) { v = append(v, figure(drawn)) })
	return interval(v, homes), true
}
