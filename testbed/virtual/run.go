package virtual

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/label"
	"glasshouse/testbed/run"
)

// Run runs one home on the goroutine of the caller and writes its dataset. When ctx ends, what was simulated until then is kept, and
// the result says that it was cut.
func Run(ctx context.Context, o run.Options) (*run.Result, error) {
	began := time.Now()
	out, err := filepath.Abs(o.Out)
	if err != nil {
		return nil, err
	}
	if err := dataset.CheckEmpty(out); err != nil {
		return nil, err
	}
	sc := o.Scenario
	h, err := sc.Draw(o.Seed, o.Home)
	if err != nil {
		return nil, err
	}
	duration, density := o.Duration, o.TimeScale
	if duration == 0 {
		duration = sc.RunDuration()
	}
	if density == 0 {
		density = sc.Household.Density
	}
	names := label.NewLabeller(h.Specimens, h.Activities())
	about := run.Description{
		Scenario: sc, Seed: o.Seed, World: dataset.WorldVirtual, StartNs: sc.Start.UnixNano(), Duration: duration, Density: density,
	}
	m := about.Manifest()
	m.Vocabulary, m.Captures, m.RunHomes = names.Vocabulary(), dataset.CapturesAll, 1
	set, _, err := dataset.OpenOrCreate(out, m, []byte(sc.YAML()))
	if err != nil {
		return nil, err
	}
	options, err := about.HomeOptions(h)
	if err != nil {
		return nil, err
	}
	files := names.Direct(options)
	files.Captures, files.LAN = true, true
	r, err := Simulate(ctx, Order{
		Scenario: sc, Home: h, Names: names, Duration: duration, Density: density, Dir: set.PartPath(h.Index), KeepCut: true,
		Options: files,
		OnRow:   o.OnRow, OnEvent: o.OnEvent,
		Progress: func(done time.Duration, n run.Counts) {
			if o.Progress != nil {
				o.Progress(run.Progress{Phase: "running", Elapsed: done, Duration: duration, Packets: n})
			}
		},
	})
	if err != nil {
		return nil, err
	}
	set.Manifest.DurationNs = int64(r.Simulated)
	err = set.HomeDone(names.Home(h), r.Counts, r.Fidelity, r.Files)
	if err == nil && r.Cut {
		err = set.CutHomes(len(r.Reasons) == 0, r.Reasons)
	} else if err == nil {
		err = set.FinishHomes(len(r.Reasons) == 0, r.Reasons)
	}
	if err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	return &run.Result{
		Valid: len(r.Reasons) == 0, Reasons: r.Reasons, Dataset: out, Seed: o.Seed, Packets: r.Packets, Cut: r.Cut,
		SimulatedS: r.Simulated.Seconds(), WallS: time.Since(began).Seconds(), Scenario: sc.Name, Events: r.Counts.Events,
	}, nil
}
