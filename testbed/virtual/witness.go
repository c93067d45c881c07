package virtual

import (
	"context"
	"fmt"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/label"
	"glasshouse/testbed/run"
)

// WitnessOptions say which home is lived in the virtual world, for whom. Nothing is written.
type WitnessOptions struct {
	Scenario *scenarios.Scenario
	Seed     uint64
	Home     int
	Duration time.Duration

	// OnTap sees each WAN packet as an observer does, when it passes the tap: what its bytes show, and the IP packet, which is the
	// callee's for the call. Of a frame Look bytes are surely what they are on the wire, where that is more than its headers, but for
	// checksums of TCP and UDP, which are left out; the rest may be left over from other packets.
	OnTap func(o *dataset.Observation, ip []byte)
	Look  int
	// OnRow is called later for the same packets, in the same order, with their truth.
	OnRow func(*dataset.Row)
}

// Witness simulates a home, deterministically, on the goroutine of the caller. It returns how many packets its WAN had. A home with a
// packet that could not be attributed is an error.
func Witness(ctx context.Context, o WitnessOptions) (int64, error) {
	h, err := o.Scenario.Draw(o.Seed, o.Home)
	if err != nil {
		return 0, err
	}
	names := label.NewLabeller(h.Specimens, h.Activities())
	about := run.Description{Scenario: o.Scenario, Seed: o.Seed, World: dataset.WorldVirtual, StartNs: o.Scenario.Start.UnixNano()}
	options, err := about.HomeOptions(h)
	if err != nil {
		return 0, err
	}
	files := names.Direct(options)
	files.Nowhere = true
	r, err := Simulate(ctx, Order{
		Scenario: o.Scenario, Home: h, Names: names, Duration: o.Duration, Density: o.Scenario.Household.Density,
		Options: files, OnRow: o.OnRow, OnTap: o.OnTap, Look: o.Look,
	})
	if err != nil {
		return 0, err
	}
	if len(r.Reasons) > 0 {
		return 0, fmt.Errorf("the home is not valid: %v", r.Reasons)
	}
	return r.Packets.WAN, nil
}
