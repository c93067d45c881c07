// Package twosample tests whether two sets of packet sequences can be distinguished: a forest on windows of packets, cross-validated by
// run, with the area under the ROC curve as the statistic (classifier two-sample test, Lopez-Paz and Oquab 2017).
package twosample

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
)

// Packet is the part of a WAN packet that the test uses.
type Packet struct {
	TsNs   int64 // since the script's start, so that runs of one seed can be aligned
	Dir    int8  // 1 up, -1 down
	Length int32
}

// Run is one home's packets in order, after its start-up.
type Run struct {
	Seed    uint64 // of the script: runs of one seed, on either side, have the same events
	Packets []Packet
}

// Options configure the test; zero values mean the defaults.
type Options struct {
	Window    int // packets; default 100
	Stride    int // packets from one window to the next; default a quarter of Window
	Trees     int // of each fold's forest; default 200
	Resamples int // of the runs, for the interval; default 2000
	Workers   int // default 1
	Seed      uint64
}

// Result is how well a forest distinguishes side B from side A (Lopez-Paz and Oquab 2017): an AUC of 0.5 is chance.
type Result struct {
	AUC      float64      `json:"auc"`  // mean over the folds, with equal weight
	Low      float64      `json:"low"`  // 95 % interval over runs
	High     float64      `json:"high"` //
	Windows  [2]int       `json:"windows"`
	Packets  [2]int       `json:"packets"`
	ByFold   []FoldAUC    `json:"by_fold"`
	Features []FeatureAUC `json:"features"` // those that distinguish the sides best on their own, best first
}

// FoldAUC is the result on the runs of one seed, which the forest was not grown on.
type FoldAUC struct {
	Seed    uint64  `json:"seed"`
	AUC     float64 `json:"auc"`
	Windows [2]int  `json:"windows"`
}

// FeatureAUC is the AUC of a single feature without a model: the probability that it is larger in a window of B than in one of A of the
// same fold.
type FeatureAUC struct {
	Name    string     `json:"name"`
	AUC     float64    `json:"auc"`
	Medians [2]float64 `json:"medians"`
}

// topFeatures is the number of features that a result lists.
const topFeatures = 40

// Test classifies windows of consecutive packets by side with a forest. Cross-validation is by runs, not windows: all runs of a seed are
// held out together and scored by a forest grown on the others. A seed that only one side has shares a fold with one that only the other
// has.
func Test(ctx context.Context, a, b []Run, o Options) (*Result, error) {
	o = o.filled()
	folds, err := foldRuns(a, b, o.Window)
	if err != nil {
		return nil, err
	}
	w := newWindows(o.Window, a, b)
	for f := range folds {
		w.addFold(f, folds[f].runs, o.Stride)
	}
	res := &Result{}
	scores := make([]float64, w.n())
	for f := range folds {
		if err := w.judge(ctx, f, scores, o); err != nil {
			return nil, err
		}
		x, y := w.of(f, func(i int) float64 { return scores[i] })
		fold := FoldAUC{Seed: folds[f].seed, AUC: AUC(x, y), Windows: [2]int{len(x), len(y)}}
		res.ByFold = append(res.ByFold, fold)
		for side := range 2 {
			res.Windows[side] += fold.Windows[side]
			for _, r := range folds[f].runs[side] {
				res.Packets[side] += len(r.Packets)
			}
		}
	}
	res.AUC, res.Low, res.High = bootstrapMean(res.ByFold, o.Resamples, o.Seed)
	res.Features = w.Features(len(folds))
	return res, nil
}

func (o Options) filled() Options {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&o.Window, 100)
	set(&o.Stride, max(o.Window/4, 1))
	set(&o.Trees, 200)
	set(&o.Resamples, 2000)
	set(&o.Workers, 1)
	return o
}

// fold is the runs that are held out together.
type fold struct {
	seed uint64
	runs [2][]Run
}

// ErrTooFewRuns means that there are too few runs to hold some out.
var ErrTooFewRuns = errors.New("too few runs to compare the sides")

// foldRuns groups the runs of both sides that are long enough by their seeds.
func foldRuns(a, b []Run, window int) ([]fold, error) {
	bySeed := make(map[uint64]*fold)
	var seeds []uint64
	for side, runs := range [2][]Run{a, b} {
		for _, r := range runs {
			if len(r.Packets) < window {
				continue
			}
			if bySeed[r.Seed] == nil {
				bySeed[r.Seed] = &fold{seed: r.Seed}
				seeds = append(seeds, r.Seed)
			}
			bySeed[r.Seed].runs[side] = append(bySeed[r.Seed].runs[side], r)
		}
	}
	slices.Sort(seeds)
	var folds []fold
	var single [2][]fold
	for _, s := range seeds {
		switch f := bySeed[s]; {
		case len(f.runs[0]) == 0:
			single[1] = append(single[1], *f)
		case len(f.runs[1]) == 0:
			single[0] = append(single[0], *f)
		default:
			folds = append(folds, *f)
		}
	}
	for i := range min(len(single[0]), len(single[1])) {
		f := single[0][i]
		f.runs[1] = single[1][i].runs[1]
		folds = append(folds, f)
	}
	if len(folds) < 2 {
		return nil, fmt.Errorf("%w: at least two on each side must have %d packets or more after the start-up", ErrTooFewRuns, window)
	}
	for side := range single { // the rest joins the folds in turn
		for i := len(single[1-side]); i < len(single[side]); i++ {
			f := &folds[i%len(folds)]
			f.runs[side] = append(f.runs[side], single[side][i].runs[side]...)
		}
	}
	return folds, nil
}

// AUC is the area under the ROC curve: the probability that a value of b is larger than one of a, with ties counting half. It is 0.5 if
// either is empty. Both are sorted in place.
func AUC(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0.5
	}
	sort.Float64s(a)
	sort.Float64s(b)
	below, equal, wins := 0, 0, 0.0
	for _, v := range b {
		for below < len(a) && a[below] < v {
			below++
		}
		for equal = max(equal, below); equal < len(a) && a[equal] == v; {
			equal++
		}
		wins += float64(below) + float64(equal-below)/2
	}
	return wins / float64(len(a)) / float64(len(b))
}

// bootstrapMean returns the mean of the folds' AUC and the 95 % percentile interval of means over folds drawn with replacement.
func bootstrapMean(folds []FoldAUC, resamples int, seed uint64) (mean, low, high float64) {
	for _, f := range folds {
		mean += f.AUC / float64(len(folds))
	}
	r := rand.New(rand.NewPCG(seed, 0x626f6f74))
	means := make([]float64, resamples)
	for i := range means {
		for range folds {
			means[i] += folds[r.IntN(len(folds))].AUC / float64(len(folds))
		}
	}
	sort.Float64s(means)
	at := func(q float64) float64 { return means[int(q*float64(resamples-1)+0.5)] }
	return mean, at(0.025), at(0.975)
}

// Features returns the features with the AUC furthest from 0.5 within folds.
func (w *windows) Features(folds int) []FeatureAUC {
	out := make([]FeatureAUC, len(w.names))
	for k := range out {
		value := func(i int) float64 { return float64(w.x[i*w.width+k]) }
		f := FeatureAUC{Name: w.names[k]}
		var all [2][]float64
		for fold := range folds {
			a, b := w.of(fold, value)
			f.AUC += AUC(a, b) / float64(folds)
			all[0], all[1] = append(all[0], a...), append(all[1], b...)
		}
		for side, v := range all {
			sort.Float64s(v)
			f.Medians[side] = v[len(v)/2]
		}
		out[k] = f
	}
	distance := func(f FeatureAUC) float64 { return max(f.AUC-0.5, 0.5-f.AUC) }
	slices.SortStableFunc(out, func(a, b FeatureAUC) int { return cmp.Compare(distance(b), distance(a)) })
	return out[:min(len(out), topFeatures)]
}
