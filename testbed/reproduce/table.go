package reproduce

import (
	"fmt"
	"io"

	"glasshouse/testbed/plain"
)

// Write prints the table and the findings.
func (r *HomeMole) Write(w io.Writer) error {
	t := plain.NewTable(w)
	t.Keys = 3
	fmt.Fprintf(t, "HomeMole's experiment on emulated homes; seed %d, %s to train on, %d unseen, %s each\n", r.Options.Seed, plain.Count(r.Options.Learn, "home"), r.Options.Unseen, r.Options.Duration)
	if r.Options.TimeScale > 0 {
		fmt.Fprintf(t, "people act %g times as often as in life; protocol timers are not scaled\n", r.Options.TimeScale)
	}
	fmt.Fprintf(t, "by Glasshouse %s; profiles %s, fixed before the first home\n\n", r.Made["glasshouse"], r.Profiles[:12])
	if r.Options.Epochs < 5 {
		fmt.Fprintf(t, "a first look: neural models have learned for %d epochs or little more, which is too short for them\n\n", r.Options.Epochs)
	}
	fmt.Fprint(t, "homes\tpath\tmodel\taccuracy, %\t95 %\tmacro-F1\tlook-up, %\tHamming\tconstant\ttraining\n")
	for _, c := range r.Cells {
		s := c.Score
		in := ""
		if s.Intervals != nil {
			in = fmt.Sprintf("%.1f to %.1f", 100*s.Intervals.Accuracy[0], 100*s.Intervals.Accuracy[1])
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.1f\t%s\t%.3f\t%.1f\t%.3f\t%.3f\t%.0f s\n", c.Environment, c.Path, c.Model, 100*s.Accuracy, in, s.MacroF1,
			100*s.Baseline.LengthLookup.Accuracy, s.Presence.HammingLoss, s.Presence.BaselineConstant, c.TrainS)
	}
	fmt.Fprint(t, "\n")
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%s\n  paper: %s\n  ours:  %s\n  alike: %s", f.What, f.Paper, f.Ours, f.Alike)
		if f.Why != "" {
			fmt.Fprintf(w, " (%s)", f.Why)
		}
		fmt.Fprintln(w)
	}
	return nil
}
