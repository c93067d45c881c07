package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/classifier/evaluate"
	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/buildinfo"
	"glasshouse/testbed/plain"
)

type evaluateOptions struct {
	models  []string
	split   string
	seeds   int
	classes string
	feats   string
	control bool
	leaks   bool
	seed    seedFlag
	json    bool
}

func newEvaluate() *cobra.Command {
	var o evaluateOptions
	cmd := &cobra.Command{
		Use:   "evaluate DATASET...",
		Short: "Train and score models, split by home, time, path or device",
		Long: `Splits datasets into training and test packets, trains models with several seeds and scores them on the test packets, with
confidence intervals over homes. Ways to split:

  home     a third of the homes is the test set
  time     the same homes: train on the first third of their time, test on the last (of three weeks: week 1 and week 3)
  unit     the same homes: of devices with several units, train on the first unit, test on the others
  path     train on homes behind NAPT, test on others behind a VPN
  world    train on virtual homes, test on live ones
  device   leave out each class in turn from training: report how many of its packets, and of the others, are labelled unknown

--control trains one more model on shuffled labels; its balanced accuracy must be within 0.1 of chance. --leaks tests whether
a single feature identifies the home of a packet: trained on the first half of each home's packets, tested on the second. In homes of a
few minutes the user actions alone can identify the home, so use long ones.`,
		Example: `  glasshouse evaluate many --seeds 3 --control --leaks
  glasshouse evaluate napt-homes vpn-homes --split path -m forest,boost
  glasshouse evaluate vpn-homes --split device --features sequence
  glasshouse evaluate three-weeks --split time --json`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: completeDatasets(0, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runEvaluate(cmd.Context(), &o, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringSliceVarP(&o.models, "models", "m", []string{"forest"}, "`KINDS` of model: "+strings.Join(model.Kinds(), ", "))
	f.StringVar(&o.split, "split", evaluate.SplitHome, "how to split: "+strings.Join(evaluate.Splits(), ", "))
	f.IntVar(&o.seeds, "seeds", 1, "models of each kind, with consecutive seeds from --seed; 1 with --split device")
	f.StringVar(&o.classes, "classes", model.ClassPaper, "label to predict: "+strings.Join(model.ClassModes(), ", "))
	f.StringVar(&o.feats, "features", feature.Paper, "features that models use: "+strings.Join(feature.Sets(), ", ")+"; see train")
	f.BoolVar(&o.control, "control", false, "also train a model on shuffled labels")
	f.BoolVar(&o.leaks, "leaks", false, "test whether a single feature identifies homes or datasets")
	o.seed.add(cmd)
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	completeFlag(cmd, "model", model.Kinds())
	completeFlag(cmd, "split", evaluate.Splits())
	completeFlag(cmd, "classes", model.ClassModes())
	completeFlag(cmd, "features", feature.Sets())
	return cmd
}

func runEvaluate(ctx context.Context, o *evaluateOptions, dirs []string, stdout, stderr io.Writer) error {
	for _, m := range o.models {
		if err := checkName("-m", m, model.Kinds()); err != nil {
			return err
		}
	}
	switch {
	case len(o.models) == 0:
		return usagef("-m: expected at least one kind of model")
	case o.seeds < 1:
		return usagef("--seeds must be 1 or more")
	}
	if err := errors.Join(checkName("--split", o.split, evaluate.Splits()), checkName("--classes", o.classes, model.ClassModes()),
		checkName("--features", o.feats, feature.Sets())); err != nil {
		return err
	}
	sets, err := openStoppable(ctx, dirs, stderr)
	if err != nil {
		return err
	}
	began, workers := time.Now(), runtime.NumCPU()
	bar := newProgress(stderr)
	bar.announce("seed %d", o.seed.get())
	e, err := evaluate.Run(ctx, sets, evaluate.Options{
		Split: o.split, Seeds: o.seeds, Kinds: o.models, Control: o.control, Leaks: o.leaks,
		Train: train.Options{
			Classes: o.classes, Features: o.feats, Seed: o.seed.get(), Forest: tree.ForestOptions{Workers: workers},
			Boost: tree.BoostOptions{Workers: workers}, Neural: neural.Options{Workers: workers}, Progress: bar.phases,
		},
		Report: func(line string) { bar.result("%s: %s", time.Since(began).Round(time.Second), line) },
	})
	if errors.Is(err, evaluate.ErrSplit) {
		err = usage(err)
	}
	bar.done(err)
	if err != nil {
		return err
	}
	e.Versions = buildinfo.Versions()
	if o.json {
		return writeJSON(stdout, e)
	}
	return writeEvaluation(stdout, e)
}

func writeEvaluation(w io.Writer, e *evaluate.Evaluation) error {
	t := plain.NewTable(w)
	fmt.Fprintf(t, "split by %s, Glasshouse %s\n", e.Split, e.Versions["glasshouse"])
	for _, s := range e.Sets {
		fmt.Fprintf(t, "%s %.12s, %s, seed %d, %s: made by %s\n", s.Scenario, s.Digest, s.World, s.Seed, plain.Count(s.Homes, "home"), s.Versions["glasshouse"])
	}
	if len(e.Models) > 0 {
		fmt.Fprint(t, "\nmodel\taccuracy of each home, mean\t95 %\tof all packets, by seed\tmacro-F1\tlength baseline\n")
	}
	for _, m := range e.Models {
		fmt.Fprintf(t, "%s\t%.1f %%\t%s\t%s\t%s\t%.1f %%\n", m.Model, 100*m.MeanAccuracy, points(m.Interval), list(m.Accuracy), list(m.MacroF1), 100*m.Score.Baseline.LengthLookup.Accuracy)
	}
	for _, a := range e.Against {
		fmt.Fprintf(t, "%s less %s: %+.1f points (95 %%: %s)\n", a.Model, e.Models[0].Model, 100*a.Accuracy.Mean, points(a.Accuracy.Interval))
	}
	if len(e.LeftOut) > 0 {
		fmt.Fprint(t, "\nleft out\tmodel\tn\tlabelled unknown\tothers, of 5 %\tAUC (95 %)\tof windows\tof flows\tmost frequent label\n")
	}
	for _, l := range e.LeftOut {
		most := "-"
		for _, c := range slices.Sorted(maps.Keys(l.Called)) {
			if c == novelty.Label {
				continue
			}
			if most == "-" || l.Called[c] > l.Called[most] {
				most = c
			}
		}
		u := l.Unknown
		fmt.Fprintf(t, "%s\t%s\t%d\t%.1f %% (%s)\t%.1f %% (%s)\t%.2f (%s)\t%.2f\t%.2f\t%s\n", l.Class, l.Model, l.N, 100*u.Share, points(u.ShareInterval),
			100*u.FalseUnknown, points(u.FalseInterval), u.AUC, hundredths(u.AUCInterval), u.Windows.AUC, u.Flows.AUC, most)
	}
	if c := e.Control; c != nil {
		verdict := "at chance"
		if !c.AtChance {
			verdict = "NOT at chance: the model learned something other than the labels"
		}
		fmt.Fprintf(t, "\nshuffled labels, %s: balanced accuracy %.3f, chance %.3f: %s\n", c.Model, c.BalancedAccuracy, c.Chance, verdict)
	}
	if len(e.Leaks) > 0 {
		fmt.Fprint(t, "\nfeature\tof\taccuracy\tchance\tlearned\tidentifies\n")
	}
	for _, l := range e.Leaks {
		fmt.Fprintf(t, "%s\t%s\t%.3f\t%.3f\t%t\t%t\n", l.Feature, l.Of, l.Accuracy, l.Chance, l.Input, l.Identifies)
	}
	return t.Flush()
}

func hundredths(i *stat.Interval) string {
	if i == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f to %.2f", i[0], i[1])
}

func points(i *stat.Interval) string {
	if i == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f to %.1f", 100*i[0], 100*i[1])
}

func list(v []float64) string {
	var out []string
	for _, x := range v {
		out = append(out, fmt.Sprintf("%.3f", x))
	}
	return strings.Join(out, " ")
}
