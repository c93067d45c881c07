package parts

import (
	"context"
	"fmt"

	"glasshouse/classifier/score"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/scenarios"
	"glasshouse/testbed/reproduce/results"
)

// activitiesCost is processor seconds for each home-hour.
const activitiesCost = 8.0

func activities(e *Env) spec {
	each := e.shortHome()
	return spec{
		name: "activities", title: "What devices do", options: struct {
			Train int   `json:"train_homes"`
			Test  int   `json:"test_homes"`
			Each  int64 `json:"duration_ns"`
		}{e.train(), e.Homes, int64(each)},
		measures: fmt.Sprintf("A forest trained on %s of %s says what each device does in windows of 100 packets of %s. A device that is "+
			"told and not "+
			"there counts as wrong. The baseline always says what the device does in most windows, idling included.",
			plural(e.train(), "home"), each, plural(e.Homes, "other home")),
		cpu: 2 * activitiesCost * e.hours(e.train()+e.Homes, each),
		run: func(ctx context.Context, e *Env, dir string) (*results.Content, error) {
			byPath := make(map[string][]score.Activity)
			t := results.Table{Columns: []string{"path", "activity", "F1", "of the baseline", "precision", "recall", "windows with it"}}
			for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
				h, err := e.homesOf(ctx, dir, path, each)
				if err != nil {
					return nil, err
				}
				m, err := train.Train(ctx, h.train, train.Options{
					Kind: "forest", Seed: e.Seed, Forest: tree.ForestOptions{Workers: e.Workers},
					Activities: true,
				})
				if err != nil {
					return nil, err
				}
				s, err := score.Evaluate(m, h.test, nil)
				if err != nil {
					return nil, err
				}
				byPath[string(path)] = s.Activities
				for _, a := range s.Activities {
					n := fmt.Sprint(a.Support)
					if a.Support < score.TooFew {
						n += " (too few)"
					}
					t.Rows = append(t.Rows, []string{
						pathTitle(path), a.Activity, fmt.Sprintf("%.2f", a.F1), fmt.Sprintf("%.2f", a.Constant), fmt.Sprintf("%.2f", a.Precision),
						fmt.Sprintf("%.2f", a.Recall), n,
					})
				}
			}
			return &results.Content{Tables: []results.Table{t}, Data: byPath}, nil
		},
	}
}
