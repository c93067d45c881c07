// Package report prints results as plain-text tables, at most 100 columns wide.
package report

import (
	"fmt"
	"io"
	"strings"

	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/plain"
)

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

// WriteScore prints a score.
func WriteScore(w io.Writer, s *score.Score) error {
	t := plain.NewTable(w)
	fmt.Fprintf(t, "%s, %s: %s scored, %d excluded (gateway, internet, start-up)\n\n", s.Model, s.Path, plain.Count(s.N, "packet"), s.Excluded)
	fmt.Fprintf(t, "\t%s\tlength baseline\tmajority\n", s.Model)
	fmt.Fprintf(t, "accuracy\t%s\t%s\t%s\n", percent(s.Accuracy), percent(s.Baseline.LengthLookup.Accuracy), percent(s.Baseline.Majority.Accuracy))
	fmt.Fprintf(t, "macro-F1\t%.3f\t%.3f\t%.3f\n", s.MacroF1, s.Baseline.LengthLookup.MacroF1, s.Baseline.Majority.MacroF1)
	fmt.Fprintf(t, "balanced accuracy\t%s\n\n", percent(s.BalancedAccuracy))
	if in := s.Intervals; in != nil {
		fmt.Fprintf(t, "95 %% interval over %s: accuracy %s, macro-F1 %s\n\n", plain.Count(in.Homes, "home"), percents(in.Accuracy), span(&in.MacroF1))
	}
	fmt.Fprint(t, "class\trecall\tprecision\tF1\t95 %\tn\tfirst correct\n")
	for i, c := range s.PerClass {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t%s\t%s\t%s\n", c.Class, percent(c.Recall), percent(c.Precision), c.F1, span(c.F1Interval), support(c), firstCorrect(&s.First[i]))
	}
	p := s.Presence
	if p.Windows > 0 {
		fmt.Fprintf(t, "\npresence in windows of %s (%s, %.1f classes each):\n", plain.Count(p.Window, "packet"), plain.Count(p.Windows, "window"), p.ClassesPerWindow)
		fmt.Fprintf(t, "Hamming loss %.3f; all-absent baseline %.3f, best constant set %.3f; macro-F1 %.3f\n",
			p.HammingLoss, p.BaselineAbsent, p.BaselineConstant, p.MacroF1)
		if in := s.Intervals; in != nil {
			fmt.Fprintf(t, "95 %% interval: Hamming loss %s, macro-F1 %s\n", span(&in.HammingLoss), span(&in.PresenceMacroF1))
		}
	}
	if len(s.Activities) > 0 {
		fmt.Fprint(t, "\nactivity, per window\trecall\tprecision\tF1\tF1 of the most common\tn\n")
	}
	for _, a := range s.Activities {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t%.3f\t%d\n", a.Activity, percent(a.Recall), percent(a.Precision), a.F1, a.Constant, a.Support)
	}
	if r := s.Trust; r != nil {
		fmt.Fprintf(t, "\nmean probability of the predicted class %s, accuracy %s; calibration error %.3f, Brier %.3f", percent(r.MeanProbability), percent(r.Accuracy), r.CalibrationError, r.Brier)
		if r.LogLoss > 0 {
			fmt.Fprintf(t, ", log loss %.3f", r.LogLoss)
		}
		if b := r.Before; b != nil {
			fmt.Fprintf(t, "\nwithout calibration: calibration error %.3f, log loss %.3f", b.CalibrationError, b.LogLoss)
		}
		fmt.Fprintln(t)
	}
	if u := s.Unknown; u != nil {
		fmt.Fprintf(t, "\nlabelled unknown: %s, %s; nominal share on known devices %s\n", plain.Count(u.N, "packet"), percent(u.Share), percent(u.Wanted))
	}
	fmt.Fprint(t, "\ntruth \\ predicted")
	for i := range s.Confusion.Labels {
		fmt.Fprintf(t, "\t%c", 'a'+rune(i%26))
	}
	fmt.Fprintln(t)
	for i, l := range s.Confusion.Labels {
		fmt.Fprintf(t, "%c %s", 'a'+rune(i%26), l)
		for _, n := range s.Confusion.Counts[i] {
			fmt.Fprintf(t, "\t%d", n)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// span formats an interval; "" if there is none.
func span(i *stat.Interval) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("%.3f to %.3f", i[0], i[1])
}

func percents(i stat.Interval) string {
	return fmt.Sprintf("%.1f to %.1f %%", 100*i[0], 100*i[1])
}

// firstCorrect formats the median time to a class's first correct label and the number of homes that had one.
func firstCorrect(f *score.FirstCorrect) string {
	if f.Correct == 0 {
		return fmt.Sprintf("in 0 of %d", f.Homes)
	}
	return fmt.Sprintf("%.1f s (in %d of %d)", f.MedianS, f.Correct, f.Homes)
}

func support(c score.ClassScore) string {
	if c.TooFew {
		return fmt.Sprintf("%d (too few)", c.Support)
	}
	return fmt.Sprint(c.Support)
}

// WriteComparison prints the scores of one kind of model behind NAPT and behind a VPN side by side.
func WriteComparison(w io.Writer, napt, vpn *score.Score) error {
	t := plain.NewTable(w)
	fmt.Fprint(t, "\tNAPT\t\t\tWireGuard\t\t\n")
	fmt.Fprintf(t, "\t%s\tlength\tmajority\t%s\tlength\tmajority\n", napt.Model, vpn.Model)
	row := func(name string, f func(*score.Score) [3]string) {
		a, b := f(napt), f(vpn)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, a[0], a[1], a[2], b[0], b[1], b[2])
	}
	row("accuracy", func(s *score.Score) [3]string {
		return [3]string{percent(s.Accuracy), percent(s.Baseline.LengthLookup.Accuracy), percent(s.Baseline.Majority.Accuracy)}
	})
	row("macro-F1", func(s *score.Score) [3]string {
		return [3]string{fmt.Sprintf("%.3f", s.MacroF1), fmt.Sprintf("%.3f", s.Baseline.LengthLookup.MacroF1), fmt.Sprintf("%.3f", s.Baseline.Majority.MacroF1)}
	})
	row("packets", func(s *score.Score) [3]string { return [3]string{fmt.Sprint(s.N), "", ""} })
	fmt.Fprint(t, "\nrecall of\tNAPT\tn\t\tWireGuard\tn\t\n")
	for _, c := range union(napt, vpn) {
		a, b := find(napt, c), find(vpn, c)
		fmt.Fprintf(t, "%s\t%s\t%s\t\t%s\t%s\t\n", c, recall(a), count(a), recall(b), count(b))
	}
	return t.Flush()
}

func union(scores ...*score.Score) []string {
	var out []string
	for _, s := range scores {
		for _, c := range s.PerClass {
			if !strings.Contains("\n"+strings.Join(out, "\n")+"\n", "\n"+c.Class+"\n") {
				out = append(out, c.Class)
			}
		}
	}
	return out
}

func find(s *score.Score, class string) *score.ClassScore {
	for i := range s.PerClass {
		if s.PerClass[i].Class == class {
			return &s.PerClass[i]
		}
	}
	return nil
}

func recall(c *score.ClassScore) string {
	if c == nil {
		return "-"
	}
	return percent(c.Recall)
}

func count(c *score.ClassScore) string {
	if c == nil {
		return "0"
	}
	return support(*c)
}
