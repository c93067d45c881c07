package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"glasshouse/classifier"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/report"
)

type scoreOptions struct {
	predictions string
	allowSeen   bool
	json        bool
}

func newScore() *cobra.Command {
	var o scoreOptions
	cmd := &cobra.Command{
		Use:   "score MODEL DATASET...",
		Short: "Score a model against the truth, on homes that it has not seen",
		Long: `Labels every WAN packet of the data sets with a model and compares with the truth. A home that the model has learned from
is refused. Beside the score stand two baselines: always the commonest class, and the commonest for a packet's length.`,
		Example: `  glasshouse score napt.model home8 home9
  glasshouse score napt.model home8 --json --predictions-out guesses.csv`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runScore(&o, args[0], args[1:], cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.predictions, "predictions-out", "", "`FILE` for every guess, as CSV: home, frame, class, probability")
	f.BoolVar(&o.allowSeen, "allow-seen", false, "score also on homes that the model has learned from")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func runScore(o *scoreOptions, model string, dirs []string, stdout io.Writer) error {
	m, err := classifier.LoadFile(model)
	if err != nil {
		return usage(err)
	}
	sets, err := openSets(dirs)
	if err != nil {
		return err
	}
	if !o.allowSeen {
		for _, d := range sets {
			if err := classifier.CheckUnseen(m.Meta(), d); err != nil {
				return usagef("%w; --allow-seen scores it all the same", err)
			}
		}
	}
	s, err := evaluate(m, sets, o.predictions)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(stdout, s)
	}
	return report.WriteScore(stdout, s)
}

// evaluate scores a model, and writes each guess to a file if one is named.
func evaluate(m classifier.Model, sets []*dataset.Dataset, predictions string) (*classifier.Score, error) {
	if predictions == "" {
		return classifier.Evaluate(m, sets, nil)
	}
	f, err := os.Create(predictions)
	if err != nil {
		return nil, usage(err)
	}
	s, err := classifier.Evaluate(m, sets, f)
	if e := f.Close(); err == nil && e != nil {
		return nil, fmt.Errorf("writing %s: %w", predictions, e)
	}
	return s, err
}
