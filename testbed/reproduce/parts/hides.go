package parts

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed/reproduce/results"
	"glasshouse/testbed/sweep"
)

// hidesCost is processor seconds of a point, for each home-hour.
const hidesCost = 0.45

// vary are the two sweeps: IoT devices and phones beside those that the attacker looks for.
func (b *Budget) vary() [][]string {
	if b.Homes < 12 {
		return [][]string{{"path=napt,vpn", "devices=2,12"}, {"path=napt,vpn", "phones=0,8"}}
	}
	return [][]string{{"path=napt,vpn", "devices=2,6,12,30"}, {"path=napt,vpn", "phones=0,2,8"}}
}

func hides(e *Env) spec {
	n := e.train()
	o := struct {
		Vary  [][]string `json:"vary"`
		Homes int        `json:"homes"`
		Each  int64      `json:"duration_ns"`
	}{e.vary(), n, int64(e.Duration)}
	points := 0
	for _, v := range o.Vary {
		k := 1
		for _, a := range v {
			k *= 1 + strings.Count(a, ",")
		}
		points += k
	}
	return spec{
		name: "sweep", title: "What hides a device", options: o,
		measures: fmt.Sprintf("How well the paper's ten IoT devices are told apart, and from all others, as homes get more devices or more "+
			"phones. The attacker is trained anew at each "+
			"point on %s of %s and tested on as many others; each class has the same number of packets. \"paper\" is a forest with the paper's "+
			"features, \"wan\" one with all that passes the "+
			"WAN: sequence, flows, names in DNS and TLS.", plural(n, "home"), e.Duration),
		cpu: hidesCost * float64(points) * e.hours(2*n, e.Duration) * 2,
		run: func(ctx context.Context, e *Env, dir string) (*results.Content, error) {
			var all []*sweep.Result
			for i, v := range o.Vary {
				r, err := e.sweep(ctx, filepath.Join(dir, fmt.Sprint("sweep-", i)), v, n)
				if err != nil {
					return nil, err
				}
				all = append(all, r)
			}
			return hidesContent(all), nil
		},
	}
}

func (e *Env) sweep(ctx context.Context, dir string, vary []string, n int) (*sweep.Result, error) {
	axes, err := sweep.ParseAxes(vary)
	if err != nil {
		return nil, err
	}
	sc, err := scenarios.Load("noisy-vpn")
	if err != nil {
		return nil, err
	}
	sc.Household.Density = timeScale
	const trees = 60
	r, err := sweep.Run(ctx, sweep.Options{
		Scenario: sc, Axes: axes, Attackers: sweep.Attackers(), Seed: e.Seed, Learn: n, Unseen: n, Duration: e.Duration, Trees: trees,
		Labels: sweep.LabelsSame, Limit: time.Hour, Out: dir, Workers: e.Workers,
		Tell: func(p sweep.Progress) {
			if p.Finished != nil {
				e.Tell(fmt.Sprintf("%s; %d of %d points", p.Point, p.Done, p.Total))
			}
		},
	})
	if errors.Is(err, sweep.ErrFew) {
		return nil, &results.InvalidError{Reason: err.Error()}
	}
	return r, err
}

func hidesContent(all []*sweep.Result) *results.Content {
	c := &results.Content{Data: all}
	for _, r := range all {
		axes := slices.Clone(r.Axes)
		t := results.Table{Title: fmt.Sprintf("Balanced accuracy, %%; a blind guess has %.1f. %d packets of each class train. The last "+
			"column is against the first value of %q.",
			100*r.Chance, r.Packets, axes[len(axes)-1].Name)}
		for _, a := range axes {
			t.Columns = append(t.Columns, a.Name)
		}
		t.Columns = append(t.Columns, "attacker", "balanced accuracy, %", "macro-F1", "difference, points")
		for _, p := range r.Points {
			var at []string
			for _, a := range axes {
				at = append(at, p.Values[a.Name])
			}
			if p.Reason != "" {
				t.Rows = append(t.Rows, append(at, "-", p.Reason, "", ""))
				continue
			}
			for _, a := range p.Attackers {
				less := "-"
				if d := a.Along; d != nil {
					less = withInterval(100*d.BalancedAccuracy, d.Interval, "%+.1f", 100)
				}
				t.Rows = append(t.Rows, append(slices.Clone(at), a.Attacker, withInterval(100*a.BalancedAccuracy, a.Interval, "%.1f", 100),
					withInterval(a.MacroF1, a.F1Interval, "%.3f", 1), less))
			}
		}
		c.Tables = append(c.Tables, t)
	}
	c.Notes = caution(all[0].Unseen)
	return c
}
