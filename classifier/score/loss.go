package score

import (
	"errors"
	"math/rand/v2"
	"slices"

	"glasshouse/classifier/stat"
)

// Estimate is a figure with its 95 % interval.
type Estimate struct {
	Value    float64        `json:"value"`
	Interval *stat.Interval `json:"interval,omitempty"` // nil for fewer than two homes
}

// Pooled is the mean over several models of their figures on the same homes, over the packets of all homes. Intervals are over homes.
type Pooled struct {
	Packets  int         `json:"packets"`
	Homes    int         `json:"homes"` // or blocks, see EvaluateBlocks
	Accuracy Estimate    `json:"accuracy"`
	Balanced Estimate    `json:"balanced_accuracy"`
	MacroF1  Estimate    `json:"macro_f1"`
	Hamming  Estimate    `json:"hamming_loss"` // of who is present in a window
	LookUp   Plain       `json:"length_lookup"`
	PerClass []ClassMean `json:"per_class"`
}

// ClassMean is the mean over models of a class's scores.
type ClassMean struct {
	Class     string  `json:"class"`
	Support   int     `json:"support"`
	TooFew    bool    `json:"too_few"`
	Recall    float64 `json:"recall"`
	Precision float64 `json:"precision"`
	F1        float64 `json:"f1"`
	Taken     string  `json:"taken_for,omitempty"` // the most common wrong label
	TakenFor  float64 `json:"taken_share"`         // the share of the class's packets with that label
}

// ErrNoScores means that there are no scores to pool or compare, or that they are of different homes.
var ErrNoScores = errors.New("no scores, or scores of different homes")

// Figures of a pool that have intervals.
const (
	figAccuracy = iota
	figBalanced
	figMacroF1
	figHamming
	numFigures
)

// pooled computes the mean over scores of the figures of the drawn homes.
func pooled(scores []*Score, drawn []int) (out [numFigures]float64) {
	for _, s := range scores {
		sum := newTally(s.labels)
		for _, h := range drawn {
			sum.add(s.homes[h])
		}
		var m metrics
		sum.measure(&m)
		for i, v := range [numFigures]float64{m.accuracy, m.balanced, m.macroF1, m.hamming} {
			out[i] += v / float64(len(scores))
		}
	}
	return out
}

// sameHomes reports whether scores can be pooled, and the number of homes.
func sameHomes(scores []*Score) (int, bool) {
	if len(scores) == 0 || len(scores[0].homes) == 0 {
		return 0, false
	}
	n := len(scores[0].homes)
	return n, !slices.ContainsFunc(scores, func(s *Score) bool { return len(s.homes) != n })
}

func each(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// Pool averages the scores of several models on the same homes in the same order, as returned by Evaluate and EvaluateBlocks.
func Pool(scores []*Score) (*Pooled, error) {
	n, ok := sameHomes(scores)
	if !ok {
		return nil, ErrNoScores
	}
	p := &Pooled{Packets: scores[0].N, Homes: n, LookUp: scores[0].Baseline.LengthLookup}
	value := pooled(scores, each(n))
	var v [numFigures][]float64
	if n > 1 {
		stat.Resample(n, func(drawn []int) {
			for i, x := range pooled(scores, drawn) {
				v[i] = append(v[i], x)
			}
		})
	}
	for i, e := range []*Estimate{&p.Accuracy, &p.Balanced, &p.MacroF1, &p.Hamming} {
		e.Value = value[i]
		if n > 1 {
			in := stat.Percentiles(v[i], n)
			e.Interval = &in
		}
	}
	p.addClasses(scores)
	return p, nil
}

func (p *Pooled) addClasses(scores []*Score) {
	for i, c := range scores[0].PerClass {
		m := ClassMean{Class: c.Class, Support: c.Support, TooFew: c.TooFew}
		wrong := make(map[string]int)
		for _, s := range scores {
			k := float64(len(scores))
			m.Recall, m.Precision, m.F1 = m.Recall+s.PerClass[i].Recall/k, m.Precision+s.PerClass[i].Precision/k, m.F1+s.PerClass[i].F1/k
			row := s.Confusion.Counts[slices.Index(s.Confusion.Labels, c.Class)]
			for j, n := range row {
				if l := s.Confusion.Labels[j]; l != c.Class {
					wrong[l] += n
				}
			}
		}
		for _, l := range Sorted(wrong) {
			if wrong[l] > 0 && (m.Taken == "" || wrong[l] > wrong[m.Taken]) {
				m.Taken = l
			}
		}
		m.TakenFor = stat.Ratio(wrong[m.Taken], c.Support*len(scores))
		p.PerClass = append(p.PerClass, m)
	}
}

// Loss is the difference of figures between two sets of homes.
type Loss struct {
	Accuracy Difference `json:"accuracy"`
	Balanced Difference `json:"balanced_accuracy"`
	MacroF1  Difference `json:"macro_f1"`
}

// LossOf returns the figures of the scores here minus those there. If paired, the homes are the same and are resampled in pairs; otherwise
// each side's homes are resampled independently.
func LossOf(here, there []*Score, paired bool) (*Loss, error) {
	a, ok := sameHomes(here)
	b, fine := sameHomes(there)
	if !ok || !fine || paired && a != b {
		return nil, ErrNoScores
	}
	var v [numFigures][]float64
	x, y := pooled(here, each(a)), pooled(there, each(b))
	r := rand.New(rand.NewPCG(stat.ResampleSeed, uint64(a)<<32|uint64(b)))
	i, k := make([]int, a), make([]int, b)
	for range stat.Resamples {
		draw(r, i)
		if paired {
			copy(k, i)
		} else {
			draw(r, k)
		}
		p, q := pooled(here, i), pooled(there, k)
		for f := range v {
			v[f] = append(v[f], p[f]-q[f])
		}
	}
	l := &Loss{}
	for f, d := range []*Difference{&l.Accuracy, &l.Balanced, &l.MacroF1} {
		d.Mean = x[f] - y[f]
		if n := min(a, b); n > 1 {
			in := stat.Percentiles(v[f], n)
			d.Interval = &in
		}
	}
	return l, nil
}

// draw fills out with indices drawn with replacement.
func draw(r *rand.Rand, out []int) {
	for i := range out {
		out[i] = r.IntN(len(out))
	}
}
