package reproduce

import (
	"fmt"
	"io"

	"glasshouse/classifier/score"
	"glasshouse/testbed/plain"
)

// estimate gives a figure in percent, or in points.
func estimate(e score.Estimate) string {
	if e.Interval == nil {
		return fmt.Sprintf("%.1f", 100*e.Value)
	}
	return fmt.Sprintf("%.1f (%.1f to %.1f)", 100*e.Value, 100*e.Interval[0], 100*e.Interval[1])
}

func points(d score.Difference) string {
	return estimate(score.Estimate{Value: d.Mean, Interval: d.Interval})
}

// Write prints the tables.
func (r *RealData) Write(w io.Writer) error {
	o := &r.Options
	fmt.Fprintf(w, "Models of virtual homes watch real devices; seed %d, %d models of each kind, %d virtual homes to learn from, %d unseen ones\n", o.Seed, o.Seeds, o.Learn, o.Unseen)
	fmt.Fprintf(w, "profiles %s, fixed before the first home; the catalogue's were made from captures of real devices, some of them these\n", r.Profiles[:12])
	fmt.Fprint(w, "Real packets were captured on a LAN, and transformed into what a WAN observer sees: no capture behind a NAPT or a tunnel.\n")
	fmt.Fprintf(w, "Figures in %%, losses in points, with 95 %% intervals: over unseen virtual homes, and over %d blocks of time of a real home, of which there is one only.\n\n", o.Blocks)
	for _, h := range r.Homes {
		if h.Path == "napt" {
			fmt.Fprintf(w, "%s: %s\n", h.Home, h.About)
		}
		fmt.Fprintf(w, "  %s: %d packets in %.1f hours", h.Path, h.Packets, h.Hours)
		if h.Cut {
			fmt.Fprint(w, "; payloads are cut, so protocols above TCP and UDP are shown neither here nor in the virtual homes")
		}
		fmt.Fprintln(w)
	}
	t := plain.NewTable(w)
	t.Keys = 3
	fmt.Fprint(t, "\nhome\tpath\tmodel\t\tvirtual\treal\tloss\tlook-up, real\n")
	for _, c := range r.Cells {
		fmt.Fprintf(t, "%s\t%s\t%s\taccuracy\t%s\t%s\t%s\t%.1f\n", c.Home, c.Path, c.Model, estimate(c.Virtual.Accuracy), estimate(c.Real.Accuracy), points(c.Loss.Accuracy), 100*c.Real.LookUp.Accuracy)
		fmt.Fprintf(t, "\t\t\tbalanced\t%s\t%s\t%s\t\n", estimate(c.Virtual.Balanced), estimate(c.Real.Balanced), points(c.Loss.Balanced))
		fmt.Fprintf(t, "\t\t\tmacro-F1\t%s\t%s\t%s\t%.1f\n", estimate(c.Virtual.MacroF1), estimate(c.Real.MacroF1), points(c.Loss.MacroF1), 100*c.Real.LookUp.MacroF1)
	}
	fmt.Fprint(t, "\nreal, second half\tpath\tmodel\t\ttaught by virtual homes\ttaught by the first half\tgap\n")
	for _, c := range r.Cells {
		fmt.Fprintf(t, "%s\t%s\t%s\taccuracy\t%s\t%s\t%s\n", c.Home, c.Path, c.Model, estimate(c.Second.Accuracy), estimate(c.Taught.Accuracy), points(c.Gap.Accuracy))
		fmt.Fprintf(t, "\t\t\tmacro-F1\t%s\t%s\t%s\n", estimate(c.Second.MacroF1), estimate(c.Taught.MacroF1), points(c.Gap.MacroF1))
	}
	fmt.Fprint(t, "\nhome\tpath\tmodel\tdevice\trecall: virtual\treal\tF1: virtual\treal\tn, real\tmostly taken for\n")
	for _, c := range r.Cells {
		for _, p := range c.Real.PerClass {
			v := classOfPool(c.Virtual, p.Class)
			taken, few := "", ""
			if p.Taken != "" {
				taken = fmt.Sprintf("%s, %.0f %%", p.Taken, 100*p.TakenFor)
			}
			if p.TooFew {
				few = " (too few)"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%d%s\t%s\n", c.Home, c.Path, c.Model, p.Class, 100*v.Recall, 100*p.Recall, 100*v.F1, 100*p.F1, p.Support, few, taken)
		}
	}
	fmt.Fprint(t, "\nhome\tpath\tdevice\tpackets an hour: real\tvirtual\tup, %: real\tvirtual\tlengths never seen of it, %\toftener another's, %\tKS of intervals\n")
	for _, h := range r.Homes {
		for _, g := range h.Apart {
			fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.2f\n", h.Home, h.Path, g.Device, g.PerHour[0], g.PerHour[1], 100*g.Up[0], 100*g.Up[1], 100*g.Strange, 100*g.Others, g.GapKS)
		}
	}
	return t.Flush()
}

func classOfPool(p *score.Pooled, class string) score.ClassMean {
	for _, c := range p.PerClass {
		if c.Class == class {
			return c
		}
	}
	return score.ClassMean{}
}
