// Package testbed runs a home: it hands a scenario to one of the two worlds, which build the same home from the same parts.
//
// What a run is asked and what it reports is in testbed/run, the worlds in testbed/live and testbed/virtual, what lies between the
// gateway and the tap in testbed/wan, and the labels in testbed/label. Many homes at once are testbed/generate's. What is not
// modelled: radio contention between stations, a second router, IPv6 on the WAN.
package testbed

import (
	"context"
	"fmt"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/live"
	"glasshouse/testbed/run"
	"glasshouse/testbed/virtual"
)

// Run runs one home and writes its dataset. When ctx ends, the run stops in order and the result says that it was cut.
func Run(ctx context.Context, o run.Options) (*run.Result, error) {
	switch o.World {
	case dataset.WorldVirtual:
		return virtual.Run(ctx, o)
	case "", dataset.WorldLive:
		return live.Run(ctx, o)
	}
	return nil, fmt.Errorf("world %q is not known; there are %s and %s", o.World, dataset.WorldLive, dataset.WorldVirtual)
}
