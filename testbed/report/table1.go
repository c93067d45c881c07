package report

import (
	"fmt"
	"io"
	"math"

	"glasshouse/testbed/mix"
	"glasshouse/testbed/plain"
	"glasshouse/testbed/reproduce/table1"
)

// WriteTable1 prints table 1, ours below the paper's; a star marks a cell whose difference is too large.
func WriteTable1(w io.Writer, t *table1.Result) error {
	tw := plain.NewTable(w)
	fmt.Fprint(tw, "percent of packets\t")
	for _, c := range mix.Columns() {
		fmt.Fprintf(tw, "\t%s", c)
	}
	fmt.Fprintln(tw, "\tframes")
	n := len(mix.Columns())
	for i := 0; i+n <= len(t.Cells); i += n {
		cells := t.Cells[i : i+n]
		fmt.Fprintf(tw, "%s\tpaper", cells[0].Device)
		for _, c := range cells {
			fmt.Fprintf(tw, "\t%.1f", c.Paper)
		}
		fmt.Fprint(tw, "\t\n\tours")
		for _, c := range cells {
			mark := ""
			if math.Abs(c.Ours-c.Paper) > table1.Within {
				mark = "*"
			}
			fmt.Fprintf(tw, "\t%.2f%s", c.Ours, mark)
		}
		fmt.Fprintf(tw, "\t%d\n", t.Frames[cells[0].Device])
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %d cells within %.1f points of the paper's; the largest difference is %.2f\nby Glasshouse %s, devices %.12s, seed %d\n",
		t.Within, t.Of, table1.Within, t.MaxDiff, t.Made["glasshouse"], t.Catalogue, t.Seed)
	return err
}
