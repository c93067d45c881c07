package parts

import (
	"context"
	"fmt"

	"glasshouse/testbed/mix"
	"glasshouse/testbed/reproduce/results"
	"glasshouse/testbed/reproduce/table1"
)

// Of a row of table 1 in 24 h, processor seconds.
const table1Cost = 4

func protocols(e *Env) spec {
	day := 32 * e.Duration // a day in a full run
	o := struct {
		Duration int64 `json:"duration_ns"`
		Seeds    int   `json:"seeds"`
	}{int64(day), e.Seeds}
	return spec{
		name: "table1", title: "Table 1 of the paper: protocols of each device", options: o,
		measures: fmt.Sprintf("The percentage of each device's packets by protocol, over %s of virtual time in a home that mimics the "+
			"paper's capture, "+
			"beside the paper's table 1 (arXiv 1909.00104). The shares were used to choose how often devices act, so they are a calibration: they "+
			"are no evidence about timing.", day),
		cpu: table1Cost * float64(len(table1.Paper())) * day.Hours() / 24 * float64(e.Seeds),
		run: func(ctx context.Context, e *Env, _ string) (*results.Content, error) {
			var all []*table1.Result
			for i := range e.Seeds {
				seed := e.Seed + uint64(i)
				t, err := table1.Measure(ctx, table1.Options{
					Seed: seed, Duration: day, Workers: e.Workers,
					Progress: func(row string) { e.Tell(fmt.Sprintf("seed %d, %s", seed, row)) },
				})
				if err != nil {
					return nil, err
				}
				all = append(all, t)
			}
			return table1Content(all), nil
		},
	}
}

func table1Content(all []*table1.Result) *results.Content {
	first := all[0]
	cells := results.Table{
		Title:   fmt.Sprintf("Percent of packets: the paper's, then ours (seed %d); * = more than %.1f points apart.", first.Seed, table1.Within),
		Columns: append([]string{"device"}, append(append([]string{}, mix.Columns()...), "frames")...),
	}
	n := len(mix.Columns())
	for i := 0; i+n <= len(first.Cells); i += n {
		row := []string{first.Cells[i].Device}
		for _, c := range first.Cells[i : i+n] {
			mark := ""
			if c.Ours-c.Paper > table1.Within || c.Paper-c.Ours > table1.Within {
				mark = "*"
			}
			row = append(row, fmt.Sprintf("%.1f, %.2f%s", c.Paper, c.Ours, mark))
		}
		cells.Rows = append(cells.Rows, append(row, fmt.Sprint(first.Frames[row[0]])))
	}
	seeds := results.Table{Columns: []string{
		"seed", fmt.Sprintf("cells within %.1f points of the paper's", table1.Within),
		"largest difference, points",
	}}
	for _, t := range all {
		seeds.Rows = append(seeds.Rows, []string{fmt.Sprint(t.Seed), fmt.Sprintf("%d of %d", t.Within, t.Of), fmt.Sprintf("%.2f", t.MaxDiff)})
	}
	return &results.Content{Tables: []results.Table{cells, seeds}, Data: all}
}
