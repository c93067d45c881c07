package parts

import (
	"context"
	"fmt"
	"path/filepath"

	"glasshouse/classifier/evaluate"
	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/reproduce/results"
)

// Processor seconds of leaving one class out, for each home-hour, and the number of classes.
const (
	unknownCost    = 12.0
	unknownClasses = 11
)

func unknown(e *Env, path scenarios.Path) spec {
	n, each := e.train(), e.shortHome()
	if n < 3 { // two that train, one that tests
		n = 3
	}
	return spec{
		name: "unknown-" + string(path), title: "Unknown devices behind " + pathTitle(path),
		options: struct {
			Homes int   `json:"homes"`
			Each  int64 `json:"duration_ns"`
		}{n, int64(each)},
		measures: fmt.Sprintf("Each class of devices in turn is left out of training, and of all that the models are made from; then the "+
			"share of its packets that a forest calls "+
			"unknown, at the price of 1 known packet in 20 on homes held back. %s of %s of noisy-%s, a third of which test.", plural(n,
			"home"), each, path),
		cpu: unknownClasses * unknownCost * e.hours(n, each),
		run: func(ctx context.Context, e *Env, dir string) (*results.Content, error) {
			d, err := e.generate(ctx, filepath.Join(dir, "homes"), homesOrder{path, e.Seed, n, each})
			if err != nil {
				return nil, err
			}
			r, err := evaluate.Run(ctx, []*dataset.Dataset{d}, evaluate.Options{
				Split: evaluate.SplitDevice, Seeds: 1, Kinds: []string{"forest"}, Report: e.Tell,
				Train: train.Options{Seed: e.Seed, Forest: tree.ForestOptions{Workers: e.Workers}, Boost: tree.BoostOptions{Workers: e.Workers}},
			})
			if err != nil {
				return nil, err
			}
			return unknownContent(r.LeftOut, (n+2)/3), nil
		},
	}
}

func unknownContent(left []evaluate.LeftOut, tested int) *results.Content {
	t := results.Table{Columns: []string{
		"not trained on", "packets", "called unknown, %", "known packets called unknown, %",
		"AUC of packets", "AUC of windows of 100",
	}}
	for _, l := range left {
		u := l.Unknown
		if l.N == 0 {
			t.Rows = append(t.Rows, []string{l.Class, "not in the test homes", "-", "-", "-", "-"})
			continue
		}
		packets := fmt.Sprint(l.N)
		if l.N < score.TooFew {
			packets += " (too few)"
		}
		t.Rows = append(t.Rows, []string{
			l.Class, packets, percent(score.Estimate{Value: u.Share, Interval: u.ShareInterval}), percent(score.Estimate{
				Value:    u.FalseUnknown,
				Interval: u.FalseInterval,
			}),
			withInterval(u.AUC, u.AUCInterval, "%.2f", 1), fmt.Sprintf("%.2f", u.Windows.AUC),
		})
	}
	var shares, aucs []float64
	for _, l := range left {
		if l.N == 0 {
			continue
		}
		shares, aucs = append(shares, l.Unknown.Share), append(aucs, l.Unknown.AUC)
	}
	return &results.Content{
		Tables: []results.Table{t}, Data: left,
		Notes: append([]string{fmt.Sprintf("On average over classes that the test homes have %.1f %% are called unknown, with an AUC of "+
			"%.2f.", 100*stat.Mean(shares), stat.Mean(aucs))}, caution(tested)...),
	}
}
