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
		Short: "Score a model against the truth, on homes that it has not seen",
		Long: `Labels every WAN packet of the datasets with a model and compares with the truth. A home that the model was trained on
is refused. Beside the score stand two baselines: always the commonest class, and the commonest for a packet's length.
Intervals are over homes: homes of the datasets are drawn anew, with replacement, 1000 times.

With --predictions the guesses of a model of your own are scored in the same way. FILE is CSV or Parquet with the columns home,
frame, class and, if you have it, probability (of that class); each WAN packet of the dataset is there once. --trained-on names
a dataset that your model was trained on, once for each; without it the two baselines are fitted to the dataset that is scored, and so at their best.`,
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
					return usagef("--%s goes with --predictions; a model knows its own", f)
				}
			}
			return runScore(cmd.Context(), &o, args[0], args[1:], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.foreign, "predictions", "", "`FILE` of guesses to score instead of a model: CSV or Parquet with home, frame, class and, optional, probability")
	f.StringArrayVar(&o.trainedOn, "trained-on", nil, "`DATASET` that the model behind --predictions was trained on; give it once for each")
	f.StringVar(&o.classes, "classes", model.ClassPaper, "what the guesses of --predictions tell apart: "+strings.Join(model.ClassModes(), ", "))
	f.IntVar(&o.window, "window", 100, "`PACKETS` of a window, for the score of who is active, with --predictions")
	f.StringVar(&o.predictions, "predictions-out", "", "`FILE` for every guess, as CSV: home, frame, class, probability")
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
				return usagef("%w; --allow-seen scores it all the same", err)
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
			return usagef("%w; --allow-seen scores it all the same", err)
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
	warnStrangers(stderr, s)
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

// special tells whether a path is a pipe or a device, which is written to as it is.
func special(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode()&(os.ModeNamedPipe|os.ModeDevice) != 0
}

// warnStrangers names guessed classes that neither the training data nor the truth hold: a typing error would score as a wrong
// guess for ever.
func warnStrangers(w io.Writer, s *score.Score) {
	for j, class := range s.Confusion.Labels {
		if slices.Contains(s.Classes, class) || slices.ContainsFunc(s.PerClass, func(c score.ClassScore) bool { return c.Class == class }) {
			continue
		}
		n := 0
		for _, row := range s.Confusion.Counts {
			n += row[j]
		}
		fmt.Fprintf(w, "class %q is in no dataset here: its %d guesses are all wrong\n", class, n)
	}
}
