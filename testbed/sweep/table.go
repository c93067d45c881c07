package sweep

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"glasshouse/classifier/stat"
	"glasshouse/testbed/plain"
)

// Write prints the result as a table.
func (r *Result) Write(w io.Writer) error {
	t := plain.NewTable(w)
	t.Keys = len(r.Axes) + 1
	fmt.Fprintf(t, "%s, seed %d: %s, %s of each class to train on at each point, %s to train on and %d unseen of %s\n",
		r.Scenario, r.Seed, plain.Count(len(r.Targets), "target"), plain.Count(r.Packets, "packet"), plain.Count(r.Learn, "home"), r.Unseen, time.Duration(r.DurationS*float64(time.Second)))
	fmt.Fprintf(t, "time scale %g: how often people act, relative to life\n", r.TimeScale)
	fmt.Fprintf(t, "balanced accuracy: the share of packets labelled rightly, each class alike, in %%; a blind guess has %.1f\n", 100*r.Chance)
	fmt.Fprintf(t, "by Glasshouse %s; scenario %s, devices %s\n\n", r.Made["glasshouse"], brief(r.Digest), brief(r.Catalogue))
	for _, a := range r.Axes {
		name := a.Name
		if a.Unit != "" {
			name += ", " + a.Unit
		}
		fmt.Fprintf(t, "%s\t", name)
	}
	x := &r.Axes[r.across()]
	than := fmt.Sprintf("than at %s %s", x.Name, x.Values[0])
	fmt.Fprintf(t, "attacker\tbalanced\t95 %%\t%s\t95 %%\tmacro-F1\t95 %%\t%s\t95 %%\n", than, than)
	for _, p := range r.Points {
		for k := range max(len(p.Attackers), 1) {
			for _, a := range r.Axes {
				fmt.Fprintf(t, "%s\t", p.Values[a.Name])
			}
			if p.Reason != "" {
				fmt.Fprintf(t, "-\tno figure: %s\n", p.Reason)
				continue
			}
			a := &p.Attackers[k]
			if a.Failed != "" {
				fmt.Fprintf(t, "%s\tfailed: %s\n", a.Attacker, a.Failed)
				continue
			}
			less := "-\t-"
			lessF1 := less
			if d := a.Along; d != nil {
				less = fmt.Sprintf("%+.1f\t%s", 100*d.BalancedAccuracy, ends(d.Interval, "%+.1f to %+.1f", 100))
				lessF1 = fmt.Sprintf("%+.3f\t%s", d.MacroF1, ends(d.F1Interval, "%+.3f to %+.3f", 1))
			}
			fmt.Fprintf(t, "%s\t%.1f\t%s\t%s\t%.3f\t%s\t%s\n", a.Attacker, 100*a.BalancedAccuracy, ends(a.Interval, "%.1f to %.1f", 100), less,
				a.MacroF1, ends(a.F1Interval, "%.3f to %.3f", 1), lessF1)
		}
	}
	return t.Flush()
}

// brief is the beginning of a digest.
func brief(digest string) string { return digest[:min(len(digest), 12)] }

// ends writes an interval, scaled.
func ends(i *stat.Interval, format string, scale float64) string {
	if i == nil {
		return "-"
	}
	return fmt.Sprintf(format, scale*i[0], scale*i[1])
}

// WriteCSV writes a line for each point and attacker.
func (r *Result) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	var head []string
	for _, a := range r.Axes {
		name := a.Name
		switch a.Unit {
		case "%":
			name += "_percent"
		case "ms":
			name += "_ms"
		}
		head = append(head, name)
	}
	head = append(head, "attacker", "balanced_accuracy", "balanced_accuracy_low", "balanced_accuracy_high", "difference", "difference_low",
		"difference_high", "along", "along_low", "along_high", "over_paper", "over_paper_low", "over_paper_high", "macro_f1", "macro_f1_low", "macro_f1_high", "accuracy",
		"accuracy_low", "accuracy_high", "target_recall", "other_recall", "chance",
		"train_packets_per_class", "homes", "packets")
	_ = c.Write(head) // Flush tells
	for _, p := range r.Points {
		for k := range p.Attackers {
			a := &p.Attackers[k]
			var line []string
			for _, x := range r.Axes {
				line = append(line, p.Values[x.Name])
			}
			if a.Failed != "" { // its cells are empty
				line = append(line, a.Attacker)
				line = append(line, make([]string, len(head)-len(line))...)
				_ = c.Write(line)
				continue
			}
			line = append(line, a.Attacker, number(a.BalancedAccuracy))
			line = append(line, both(a.Interval)...)
			line = append(line, a.Difference.fields()...)
			line = append(line, a.Along.fields()...)
			line = append(line, a.OverPaper.fields()...)
			line = append(line, number(a.MacroF1))
			line = append(line, both(a.F1Interval)...)
			line = append(line, number(a.Accuracy))
			line = append(line, both(a.AccuracyInterval)...)
			line = append(line, number(a.TargetRecall), number(a.OtherRecall), number(r.Chance), strconv.Itoa(r.Packets), strconv.Itoa(p.Homes), strconv.FormatInt(p.Traffic, 10))
			_ = c.Write(line)
		}
	}
	c.Flush()
	return c.Error()
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', 6, 64) }

func both(i *stat.Interval) []string {
	if i == nil {
		return []string{"", ""}
	}
	return []string{number(i[0]), number(i[1])}
}

func (d *Difference) fields() []string {
	if d == nil {
		return []string{"", "", ""}
	}
	return append([]string{number(d.BalancedAccuracy)}, both(d.Interval)...)
}
