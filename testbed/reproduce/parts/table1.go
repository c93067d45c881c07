package parts

import (
	"context"
	"fmt"

	"glasshouse/testbed"
	"glasshouse/testbed/mix"
	"glasshouse/testbed/reproduce/results"
)

// Of a row of table 1 in 24 h, processor seconds.
const table1Cost = 4

func table1(e *Env) spec {
	day := 24 * e.Duration
	o := struct {
		Duration int64 `json:"duration_ns"`
		Seeds    int   `json:"seeds"`
	}{int64(day), e.Seeds}
	return spec{
		name: "table1", title: "Table 1 of the paper: protocols of each device", options: o,
		measures: fmt.Sprintf("The percentage of each device's packets by protocol, over %s of virtual time in a home that mimics the paper's capture, "+
			"beside the paper's table 1 (arXiv 1909.00104). The shares were used to choose how often devices act, so they are a calibration: they "+
			"are no evidence about timing.", day),
		cpu: table1Cost * float64(len(testbed.PaperTable1())) * day.Hours() / 24 * float64(e.Seeds),
		run: func(ctx context.Context, e *Env, _ string) (*results.Content, error) {
			var all []*testbed.Table1
			for i := range e.Seeds {
				seed := e.Seed + uint64(i)
				t, err := testbed.ReproduceTable1(ctx, testbed.Table1Options{
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

func table1Content(all []*testbed.Table1) *results.Content {
	first := all[0]
	cells := results.Table{
		Title:   fmt.Sprintf("Percent of packets: the paper's, then ours (seed %d); * = more than %.1f points apart.", first.Seed, testbed.Table1Within),
		Columns: append([]string{"device"}, append(append([]string{}, mix.Columns()...), "frames")...),
	}
	n := len(mix.Columns())
	for i := 0; i+n <= len(first.Cells); i += n {
		row := []string{first.Cells[i].Device}
		for _, c := range first.Cells[i : i+n] {
			mark := ""
			if c.Ours-c.Paper > testbed.Table1Within || c.Paper-c.Ours > testbed.Table1Within {
				mark = "*"
			}
			row = append(row, fmt.Sprintf("%.1f, %.2f%s", c.Paper, c.Ours, mark))
		}
		cells.Rows = append(cells.Rows, append(row, fmt.Sprint(first.Frames[row[0]])))
	}
	seeds := results.Table{Columns: []string{"seed", fmt.Sprintf("cells within %.1f points of the paper's", testbed.Table1Within), "largest difference, points"}}
	for _, t := range all {
		seeds.Rows = append(seeds.Rows, []string{fmt.Sprint(t.Seed), fmt.Sprintf("%d of %d", t.Within, t.Of), fmt.Sprintf("%.2f", t.MaxDiff)})
	}
	return &results.Content{Tables: []results.Table{cells, seeds}, Data: all}
}
