package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"glasshouse/classifier/evaluate"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/classifier/twosample"
	"glasshouse/scenarios"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/parity"
	"glasshouse/testbed/report"
	"glasshouse/testbed/run"
)

// liveAtOnce is how many live homes run at the same time, each with its twin's seed: more would wait for each other's threads.
const liveAtOnce = 6

// twin is a home that is run in both worlds.
type twin struct {
	seed          uint64
	live, virtual *run.Result
}

// runTwins runs homes of some seeds live, and then, when no live home is left that they could disturb, virtually. runOne runs one. The
// first failure stops the others.
func runTwins(ctx context.Context, twins []twin, runOne func(ctx context.Context, world string, seed uint64) (*run.Result, error)) error {
	for _, phase := range []struct {
		world  string
		atOnce int
		result func(*twin) **run.Result
	}{
		{dataset.WorldLive, liveAtOnce, func(t *twin) **run.Result { return &t.live }},
		{dataset.WorldVirtual, runtime.NumCPU(), func(t *twin) **run.Result { return &t.virtual }},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		g, inside := errgroup.WithContext(ctx)
		g.SetLimit(phase.atOnce)
		for i := range twins {
			g.Go(func() error {
				if inside.Err() != nil { // another has failed, or the user has stopped all: nothing begins
					return inside.Err()
				}
				r, err := runOne(inside, phase.world, twins[i].seed)
				*phase.result(&twins[i]) = r
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// runBoth runs homes in both worlds, seed by seed, and compares them.
func runBoth(ctx context.Context, o *runOptions, sc *scenarios.Scenario, stdout, stderr io.Writer) error {
	twins := make([]twin, o.pairs)
	for i := range twins {
		twins[i].seed = o.seed.get() + uint64(i)
	}
	err := runTwins(ctx, twins, func(ctx context.Context, world string, seed uint64) (*run.Result, error) {
		r, err := testbed.Run(ctx, run.Options{
			Scenario: sc, Seed: seed, Home: o.home, Duration: o.duration, World: world, TimeScale: o.timeScale,
			Out: filepath.Join(o.out, fmt.Sprintf("%s-%d", world, seed)), Lab: fmt.Sprintf("both-%d", seed),
		})
		if err != nil {
			return nil, fmt.Errorf("seed %d, %s: %w", seed, world, err)
		}
		fmt.Fprintf(stderr, "seed %d, %s: %d WAN packets in %.0f s\n", seed, world, r.Packets.WAN, r.WallS)
		return r, nil
	})
	if ctx.Err() != nil {
		return fmt.Errorf("the homes were not compared: %w; what was captured is in %s", ctx.Err(), o.out)
	}
	if err != nil {
		return explain(err)
	}
	var pairs []parity.Pair
	res := *new(run.Result)
	res.Valid, res.Reasons, res.Dataset, res.Seed, res.Scenario = true, []string{}, o.out, o.seed.get(), sc.Name
	for _, t := range twins {
		var sets [2]*dataset.Dataset
		for k, r := range []*run.Result{t.live, t.virtual} {
			var err error
			if sets[k], err = dataset.Open(r.Dataset); err != nil {
				return err
			}
			res.Valid = res.Valid && r.Valid
			res.Cut = res.Cut || r.Cut
			res.Reasons = append(res.Reasons, r.Reasons...)
			res.Packets.LAN, res.Packets.WAN = res.Packets.LAN+r.Packets.LAN, res.Packets.WAN+r.Packets.WAN
			res.Packets.Up, res.Packets.Down = res.Packets.Up+r.Packets.Up, res.Packets.Down+r.Packets.Down
			res.Packets.Unattributed += r.Packets.Unattributed
			res.SimulatedS, res.WallS, res.Events = res.SimulatedS+r.SimulatedS, res.WallS+r.WallS, res.Events+r.Events
		}
		pairs = append(pairs, parity.Pair{A: sets[0], B: sets[1]})
	}
	p, err := parity.Compare(ctx, pairs, parity.Options{
		Test: twosample.Options{Workers: runtime.NumCPU()},
		Transfer: evaluate.TransferOptions{
			Train: train.Options{Kind: "forest", Forest: tree.ForestOptions{Workers: runtime.NumCPU()}},
		},
	})
	if err != nil {
		return err
	}
	if o.json {
		if err := writeJSON(stdout, struct {
			*run.Result
			Parity *parity.Result `json:"parity"`
		}{&res, p}); err != nil {
			return err
		}
	} else {
		if err := report.WriteParity(stdout, p); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "\ndatasets: %s\n", o.out)
	}
	if !res.Valid {
		return &codeError{code: exitInvalid, err: fmt.Errorf("a run is not valid: %s", strings.Join(res.Reasons, "; "))}
	}
	return verdict(&res)
}
