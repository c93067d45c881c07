package score

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"glasshouse/classifier/model"
	"glasshouse/testbed/dataset"
)

// ErrSeen means that a model was trained on a home that it is to be scored on.
var ErrSeen = errors.New("the model was trained on this home")

// CheckUnseen returns an error that wraps ErrSeen if a model was trained on a home of the dataset.
func CheckUnseen(meta *model.Meta, d *dataset.Dataset) error {
	for _, h := range d.Manifest.Homes {
		if slices.Contains(meta.TrainedOn, model.HomeID{ScenarioDigest: d.Manifest.ScenarioDigest, Seed: d.Manifest.Seed, Home: h.Home}) {
			return fmt.Errorf("%s, home %d (seed %d): %w", d.Dir, h.Home, d.Manifest.Seed, ErrSeen)
		}
	}
	return nil
}

// CheckApart returns an error that wraps ErrSeen if a home is in both training and test.
func CheckApart(training, test []*dataset.Dataset) error {
	var m model.Meta
	for _, d := range training {
		for _, h := range d.Manifest.Homes {
			m.TrainedOn = append(m.TrainedOn, model.HomeID{ScenarioDigest: d.Manifest.ScenarioDigest, Seed: d.Manifest.Seed, Home: h.Home})
		}
	}
	for _, d := range test {
		if err := CheckUnseen(&m, d); err != nil {
			return err
		}
	}
	return nil
}

// Evaluate scores a model on datasets. Predictions are written to predictions as CSV if it is not nil.
func Evaluate(m model.Model, sets []*dataset.Dataset, predictions io.Writer) (*Score, error) {
	return evaluate(m, sets, predictions, func(home int, _ *dataset.Row) int { return home })
}

// EvaluateBlocks scores a model on a dataset of a single home: its blocks of time stand for homes, in intervals and in PerHome. The model
// sees the home as a whole. Blocks of one home are more alike than homes, so intervals are too narrow.
func EvaluateBlocks(m model.Model, d *dataset.Dataset, block time.Duration) (*Score, error) {
	if n := len(d.Manifest.Homes); n != 1 || block <= 0 {
		return nil, fmt.Errorf("%s: invalid blocks of %s for %d homes; allowed: a positive duration for one home", d.Dir, block, n)
	}
	start := d.Manifest.StartNs
	return evaluate(m, []*dataset.Dataset{d}, nil, func(_ int, r *dataset.Row) int { return int((r.TsNs - start) / int64(block)) })
}

// evaluate is Evaluate; of returns the home, or block, of a row.
func evaluate(m model.Model, sets []*dataset.Dataset, predictions io.Writer, of func(home int, r *dataset.Row) int) (*Score, error) {
	meta := m.Meta()
	s := NewScorer(meta)
	var out *bufio.Writer
	if predictions != nil {
		out = bufio.NewWriter(predictions)
		_, _ = out.WriteString("home,frame,class,probability\n")
	}
	for _, d := range sets {
		var l *model.Labeller[dataset.Row]
		at := -1
		end := func() error {
			if l == nil {
				return nil
			}
			return l.Flush()
		}
		err := d.Rows(func(home int, r *dataset.Row) error { // home by home
			if home != at {
				if err := end(); err != nil {
					return err
				}
				at = home
				l = model.NewLabeller(m, func(row dataset.Row, class string, p float32) error {
					s.add(&d.Manifest, of(home, &row), &row, class, p, l.Probs())
					if out == nil {
						return nil
					}
					_, err := fmt.Fprintf(out, "%d,%d,%s,%s\n", home, row.Frame, class, strconv.FormatFloat(float64(p), 'g', -1, 32))
					return err
				})
			}
			return l.Step(&r.Observation, *r)
		})
		if err == nil {
			err = end()
		}
		if err != nil {
			return nil, err
		}
		s.NextSet()
	}
	if out != nil {
		if err := out.Flush(); err != nil {
			return nil, fmt.Errorf("writing predictions: %w", err)
		}
	}
	return s.Result(), nil
}
