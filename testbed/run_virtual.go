package testbed

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"glasshouse/testbed/dataset"
)

// runVirtualOnce is Run in the virtual world.
func runVirtualOnce(ctx context.Context, o Options) (*Result, error) {
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
	names := newLabeller(h.Specimens, h.Activities())
	epoch := sc.Start.UnixNano()
	m := manifestOf(sc, o.Seed, dataset.WorldVirtual, epoch, duration, density)
	m.Vocabulary, m.Captures, m.RunHomes = names.vocabulary(), dataset.CapturesAll, 1
	set, _, err := dataset.OpenOrCreate(out, m, []byte(sc.YAML()))
	if err != nil {
		return nil, err
	}
	options, err := homeOptions(sc, h, o.Seed, dataset.WorldVirtual, epoch)
	if err != nil {
		return nil, err
	}
	r, err := runVirtual(ctx, virtualOrder{
		Scenario: sc, Home: h, Names: names, Duration: duration, Density: density, Dir: set.PartPath(h.Index), KeepCut: true,
		Options: dataset.DirectOptions{HomeOptions: options, Captures: true, LAN: true, Units: names.units, Activities: names.activities},
		OnRow:   o.OnRow, OnEvent: o.OnEvent,
		Progress: func(done time.Duration, n Counts) {
			if o.Progress != nil {
				o.Progress(Progress{Phase: "running", Elapsed: done, Duration: duration, Packets: n})
			}
		},
	})
	if err != nil {
		return nil, err
	}
	set.Manifest.DurationNs = int64(r.Simulated)
	err = set.HomeDone(homeInfo(h, names), r.Counts, r.Fidelity, r.Files)
	if err == nil && r.Cut {
		err = set.CutHomes(len(r.Reasons) == 0, r.Reasons)
	} else if err == nil {
		err = set.FinishHomes(len(r.Reasons) == 0, r.Reasons)
	}
	if err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	return &Result{
		Valid: len(r.Reasons) == 0, Reasons: r.Reasons, Dataset: out, Seed: o.Seed, Packets: r.Packets, Cut: r.Cut,
		SimulatedS: r.Simulated.Seconds(), WallS: time.Since(began).Seconds(), Scenario: sc.Name, Events: r.Counts.Events,
	}, nil
}
