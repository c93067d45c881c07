package parts

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/reproduce"
)

// testSeed is added to the seed of homes that test: other homes of the same generator.
const testSeed = 1 << 32

// homes are datasets that train and test models.
type homes struct{ train, test []*dataset.Dataset }

// homesOf makes homes of the noisy scenario on a path. Those that are there, of a call that was stopped, are left alone.
func (e *Env) homesOf(ctx context.Context, dir string, path scenarios.Path, each time.Duration) (*homes, error) {
	train, err := e.generate(ctx, filepath.Join(dir, "train-"+string(path)), homesOrder{path, e.Seed, e.train(), each})
	if err != nil {
		return nil, err
	}
	test, err := e.generate(ctx, filepath.Join(dir, "test-"+string(path)), homesOrder{path, e.Seed + testSeed, e.Homes, each})
	if err != nil {
		return nil, err
	}
	h := &homes{[]*dataset.Dataset{train}, []*dataset.Dataset{test}}
	return h, score.CheckApart(h.train, h.test)
}

// homesOrder says which homes are made.
type homesOrder struct {
	path scenarios.Path
	seed uint64
	n    int
	each time.Duration
}

func (e *Env) generate(ctx context.Context, dir string, o homesOrder) (*dataset.Dataset, error) {
	sc, err := scenarios.Load("noisy-" + string(o.path))
	if err != nil {
		return nil, err
	}
	r, err := generate.Homes(ctx, generate.Options{
		Scenario: sc, Seed: o.seed, Homes: o.n, Duration: o.each, TimeScale: timeScale, Workers: e.Workers, Shard: 1, Of: 1, Out: dir,
		Captures: dataset.CapturesNone,
	})
	if err != nil {
		return nil, err
	}
	e.Tell(fmt.Sprintf("%s, seed %d: %s of %s, %d packets", sc.Name, o.seed, plural(o.n, "home"), o.each, r.Packets))
	return dataset.Open(dir)
}

// fit trains a model.
func (e *Env) fit(ctx context.Context, sets []*dataset.Dataset, kind, features string, seed uint64) (model.Model, error) {
	return train.Train(ctx, sets, train.Options{
		Kind: kind, Features: features, Seed: seed, Forest: tree.ForestOptions{Workers: e.Workers}, Boost: tree.BoostOptions{Workers: e.Workers},
		Neural: neural.Options{Workers: e.Workers, Epochs: reproduce.Epochs(e.Epochs, sets)},
	})
}

// percent writes a share with its interval in %.
func percent(x score.Estimate) string { return withInterval(100*x.Value, x.Interval, "%.1f", 100) }

// share writes a figure from 0 to 1 with its interval.
func share(x score.Estimate) string { return withInterval(x.Value, x.Interval, "%.3f", 1) }

func withInterval(v float64, in *stat.Interval, format string, scale float64) string {
	if in == nil {
		return fmt.Sprintf(format, v)
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", v, scale*in[0], scale*in[1])
}

// fewHomes is how many homes an interval should be made of at least.
const fewHomes = 8

// caution is said below intervals over few homes.
func caution(homes int) []string {
	if homes >= fewHomes {
		return nil
	}
	return []string{fmt.Sprintf("Intervals are over %s: with fewer than %d they are too narrow.", plural(homes, "home"), fewHomes)}
}
