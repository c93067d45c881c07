package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"glasshouse/classifier/evaluate"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/classifier/twosample"
	"glasshouse/scenarios"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/report"
)

// liveAtOnce is how many live homes run at the same time, each with its twin's seed: more would wait for each other's threads.
const liveAtOnce = 6

// runBoth runs homes in both worlds, seed by seed, and compares them.
func runBoth(ctx context.Context, o *runOptions, sc *scenarios.Scenario, stdout, stderr io.Writer) error {
	type twin struct {
		seed uint64
		res  [2]*testbed.Result
		err  error
	}
	twins := make([]twin, o.pairs)
	live := make(chan struct{}, liveAtOnce)
	var running sync.WaitGroup
	for i := range twins {
		t := &twins[i]
		t.seed = o.seed.get() + uint64(i)
		running.Go(func() {
			live <- struct{}{}
			defer func() { <-live }()
			for k, world := range []string{"live", "virtual"} {
				t.res[k], t.err = testbed.Run(ctx, testbed.Options{
					Scenario: sc, Seed: t.seed, Home: o.home, Duration: o.duration, World: world, TimeScale: o.timeScale,
					Out: filepath.Join(o.out, fmt.Sprintf("%s-%d", world, t.seed)), Lab: fmt.Sprintf("both-%d", t.seed),
				})
				if t.err != nil {
					return
				}
				fmt.Fprintf(stderr, "seed %d, %s: %d WAN packets in %.0f s\n", t.seed, world, t.res[k].Packets.WAN, t.res[k].WallS)
			}
		})
	}
	running.Wait()
	var pairs []testbed.Pair
	res := *new(testbed.Result)
	res.Valid, res.Reasons, res.Dataset, res.Seed, res.Scenario = true, []string{}, o.out, o.seed.get(), sc.Name
	for _, t := range twins {
		if t.err != nil {
			return explain(t.err)
		}
		var sets [2]*dataset.Dataset
		for k, r := range t.res {
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
		pairs = append(pairs, testbed.Pair{A: sets[0], B: sets[1]})
	}
	p, err := testbed.CompareWorlds(ctx, pairs, testbed.ParityOptions{
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
			*testbed.Result
			Parity *testbed.Parity `json:"parity"`
		}{&res, p}); err != nil {
			return err
		}
	} else {
		if err := report.WriteParity(stdout, p); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "\ndata sets: %s\n", o.out)
	}
	if !res.Valid {
		return &codeError{code: exitInvalid, err: fmt.Errorf("a run is not valid: %s", strings.Join(res.Reasons, "; "))}
	}
	return verdict(&res)
}
