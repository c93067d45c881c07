package parts

import (
	"context"
	"fmt"
	"slices"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/score"
	"glasshouse/testbed/reproduce"
	"glasshouse/testbed/reproduce/results"
)

func homeMole(e *Env) spec {
	unseen := max(2, e.Homes/2)
	kinds := slices.DeleteFunc(slices.Clone(e.Kinds), func(k string) bool { return k == "boost" }) // the paper has none
	if len(kinds) == 0 {
		kinds = e.Kinds
	}
	o := reproduce.HomeMoleOptions{
		Seed: e.Seed, Kinds: kinds, Learn: unseen + (unseen+1)/2, Unseen: unseen, Duration: e.Duration, Epochs: e.Epochs, TimeScale: timeScale,
		Workers: e.Workers, Tell: e.Tell, Now: e.Now,
	}
	perPath := 0.0
	for _, k := range kinds {
		perPath += e.cost(k, feature.Paper, e.hours(o.Learn, e.Duration), e.hours(o.Unseen, e.Duration))
	}
	return spec{
		name: "homemole", title: "The paper's experiment", options: o,
		measures: fmt.Sprintf("One IoT device a home, IoT devices together, and homes with phones and tablets, behind NAPT and behind "+
			"WireGuard: models trained on "+
			"%d homes and tested on %d others, %s each, beside what is known of the results of HomeMole (arXiv 1909.00104). The paper's table of "+
			"accuracies is not known to us.", o.Learn, o.Unseen, e.Duration),
		cpu: 2 * 1.6 * perPath,
		run: func(ctx context.Context, _ *Env, dir string) (*results.Content, error) {
			o := o
			o.Out = dir
			r, err := reproduce.RunHomeMole(ctx, o)
			if err != nil {
				return nil, err
			}
			return homeMoleContent(r), nil
		},
	}
}

func homeMoleContent(r *reproduce.HomeMole) *results.Content {
	cells := results.Table{Columns: []string{
		"homes", "path", "model", "accuracy, %", "macro-F1", "accuracy of the packet-length baseline, %", "Hamming loss of presence",
		"of the best constant set",
	}}
	least := r.Options.Unseen
	for _, c := range r.Cells {
		s := c.Score
		acc, f1 := score.Estimate{Value: s.Accuracy}, score.Estimate{Value: s.MacroF1}
		if s.Intervals != nil {
			acc.Interval, f1.Interval = &s.Intervals.Accuracy, &s.Intervals.MacroF1
		}
		cells.Rows = append(cells.Rows, []string{
			c.Environment, c.Path, c.Model, percent(acc), share(f1), fmt.Sprintf("%.1f", 100*s.Baseline.LengthLookup.Accuracy),
			fmt.Sprintf("%.3f", s.Presence.HammingLoss), fmt.Sprintf("%.3f", s.Presence.BaselineConstant),
		})
	}
	found := results.Table{Title: "Beside the paper.", Columns: []string{
		"finding", "the paper's", "ours", "alike",
		"why not, or what to bear in mind",
	}}
	for _, f := range r.Findings {
		found.Rows = append(found.Rows, []string{f.What, f.Paper, f.Ours, f.Alike, f.Why})
	}
	return &results.Content{Tables: []results.Table{cells, found}, Notes: caution(least), Data: r}
}
