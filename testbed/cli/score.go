package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/classifier"
	"glasshouse/classifier/model"
	"glasshouse/classifier/score"
	"glasshouse/classifier/train"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/prediction"
	"glasshouse/testbed/report"
)

type scoreOptions struct {
	foreign     string
	trainedOn   []string
	classes     string
	window      int
	predictions string
	allowSeen   bool
	json        bool
}

func newScore() *cobra.Command {
	var o scoreOptions
	cmd := &cobra.Command{
		Use:   "score MODEL DATASET... | score --predictions FILE DATASET",
		Short: "Score a model on homes that it was not trained on",
		Long: `Labels every WAN packet of the datasets with a model and compares the labels with the ground truth. A home that the model was
trained on is refused. Two baselines are printed with the score: the majority class, and the most frequent class of each packet length.

Confidence intervals are over homes: 1000 bootstrap resamples of the homes, with replacement.

With --predictions the predictions of your own model are scored in the same way. FILE is CSV or Parquet with the columns home,
frame, class and, optionally, probability (of that class), with one row for each WAN packet of the dataset. --trained-on names
a dataset that your model was trained on, and can be repeated; without it the two baselines are fitted to the scored dataset itself, which
is their upper limit.`,
		Example: `  glasshouse score napt.model home8 home9
  glasshouse score napt.model home8 --json --predictions-out guesses.csv
  glasshouse score --predictions guesses.csv home8 --trained-on home1 --trained-on home2`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.foreign != "" {
				return cobra.ExactArgs(1)(cmd, args)
			}
			return cobra.MinimumNArgs(2)(cmd, args)
		},
		ValidArgsFunction: completeDatasets(1, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.foreign != "" {
				return scorePredictions(cmd.Context(), &o, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			for _, f := range []string{"trained-on", "classes", "window"} {
				if cmd.Flags().Changed(f) {
					return usagef("--%s goes with --predictions; a model file has its own", f)
				}
			}
			return runScore(cmd.Context(), &o, args[0], args[1:], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.foreign, "predictions", "", "`FILE` of predictions to score instead of a model: CSV or Parquet with home, frame, class and, optionally, probability")
	f.StringArrayVar(&o.trainedOn, "trained-on", nil, "`DATASET` that the model behind --predictions was trained on; can be repeated")
	f.StringVar(&o.classes, "classes", model.ClassPaper, "label that --predictions contains: "+strings.Join(model.ClassModes(), ", "))
	f.IntVar(&o.window, "window", 100, "`PACKETS` of a window, for the score of device presence, with --predictions")
	f.StringVar(&o.predictions, "predictions-out", "", "`FILE` for every prediction, as CSV: home, frame, class, probability")
	f.BoolVar(&o.allowSeen, "allow-seen", false, "score also on homes that the model was trained on")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func runScore(ctx context.Context, o *scoreOptions, model string, dirs []string, stdout, stderr io.Writer) error {
	m, err := classifier.LoadFile(model)
	if err != nil {
		return usage(err)
	}
	if o.predictions != "" && !special(o.predictions) {
		if err := checkFilePath(o.predictions); err != nil {
			return usagef("--predictions-out %w", err)
		}
	}
	sets, err := openStoppable(ctx, dirs, stderr)
	if err != nil {
		return err
	}
	if !o.allowSeen {
		for _, d := range sets {
			if err := score.CheckUnseen(m.Meta(), d); err != nil {
				return usagef("%w; --allow-seen scores it anyway", err)
			}
		}
	}
	bar := newProgress(stderr)
	s, err := scoreSets(m, train.Watched(sets, bar.phases), o.predictions)
	bar.done(err)
	if err != nil {
		return err
	}
	warnings := scoreWarnings(s, m.Meta().Path, sets)
	warn(stderr, warnings)
	if o.json {
		return writeJSON(stdout, scored{s, warnings})
	}
	return report.WriteScore(stdout, s)
}

// scorePredictions scores the guesses of a foreign model.
func scorePredictions(ctx context.Context, o *scoreOptions, dir string, stdout, stderr io.Writer) error {
	switch {
	case o.predictions != "":
		return usagef("--predictions-out goes with a model, not with --predictions")
	case o.window < 1:
		return usagef("--window must be 1 or more")
	}
	if err := checkName("--classes", o.classes, model.ClassModes()); err != nil {
		return err
	}
	sets, err := openStoppable(ctx, []string{dir}, stderr)
	if err != nil {
		return err
	}
	learned, err := openSets(trainedOn(o.trainedOn), stderr)
	if err != nil {
		return err
	}
	if !o.allowSeen {
		if err := score.CheckApart(learned, sets); err != nil {
			return usagef("%w; --allow-seen scores it anyway", err)
		}
	}
	s, err := score.EvaluatePredictions(o.foreign, sets[0], score.PredictionOptions{Classes: o.classes, Window: o.window, TrainedOn: learned})
	if _, ok := errors.AsType[*prediction.Error](err); ok {
		return usage(err)
	}
	if err != nil {
		return err
	}
	if len(learned) == 0 {
		fmt.Fprintln(stderr, "without --trained-on the baselines are fitted to the dataset that is scored")
	}
	warnUnknownClasses(stderr, s)
	trained := ""
	for _, d := range learned {
		if trained != "" && trained != d.Manifest.Path {
			trained = "mixed"
			break
		}
		trained = d.Manifest.Path
	}
	warnings := scoreWarnings(s, trained, sets)
	warn(stderr, warnings)
	if o.json {
		return writeJSON(stdout, scored{s, warnings})
	}
	return report.WriteScore(stdout, s)
}

// trainedOn returns the directories that --trained-on names. A list with commas, which the flag once took, is split where no directory has
// that name.
func trainedOn(values []string) []string {
	var dirs []string
	for _, v := range values {
		if _, err := os.Stat(v); err == nil || !strings.Contains(v, ",") {
			dirs = append(dirs, v)
			continue
		}
		dirs = append(dirs, strings.Split(v, ",")...)
	}
	return dirs
}

// evaluate scores a model, and writes each guess to a file if one is named.
func scoreSets(m model.Model, sets []*dataset.Dataset, predictions string) (*score.Score, error) {
	switch {
	case predictions == "":
		return score.Evaluate(m, sets, nil)
	case special(predictions):
		f, err := os.OpenFile(predictions, os.O_WRONLY, 0)
		if err != nil {
			return nil, usage(err)
		}
		s, err := score.Evaluate(m, sets, f)
		return s, errors.Join(err, f.Close())
	}
	var s *score.Score
	err := dataset.WriteFile(predictions, func(w io.Writer) (err error) {
		s, err = score.Evaluate(m, sets, w)
		return err
	})
	return s, err
}

// special reports whether a path is a pipe or a device, which is written to as it is.
func special(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode()&(os.ModeNamedPipe|os.ModeDevice) != 0
}

// warnUnknownClasses lists predicted classes that neither the training data nor the ground truth have: a misspelt class would otherwise only
// show as wrong predictions.
func warnUnknownClasses(w io.Writer, s *score.Score) {
	for j, class := range s.Confusion.Labels {
		if slices.Contains(s.Classes, class) || slices.ContainsFunc(s.PerClass, func(c score.ClassScore) bool { return c.Class == class }) {
			continue
		}
		n := 0
		for _, row := range s.Confusion.Counts {
			n += row[j]
		}
		fmt.Fprintf(w, "class %q is in none of the datasets: all of its %d predictions are wrong\n", class, n)
	}
}
