// Package testbed is a run: it wires a scenario, a world, the observer and the truth together.
//
// A live run re-executes the program in user, network and mount namespaces of its own (Child) and builds the home there
// (lab_live_linux.go); several can run at once. A virtual one (lab_virtual.go) needs nothing: it is one goroutine, and one
// clock. Script, devices' profiles, access point, NAPT, WAN, tap, truth and data set are the same code. What is not modelled:
// radio contention between stations, a second router, IPv6 on the WAN.
package testbed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
)

// Options say what to run. Out must be absent or empty.
type Options struct {
	Scenario  *scenarios.Scenario
	Seed      uint64
	Home      int           // index of the home to draw from the seed
	Duration  time.Duration // of script time; 0 = the scenario's
	World     string        // "live" or "virtual"; "" = live
	Out       string        // the data set's directory
	TimeScale float64       // factor on people's acts, never on protocol timers; 0 = the scenario's
	Lab       string        // name by which `glasshouse shell` finds the lab; "" = the scenario's and the process id

	// The callbacks are called one at a time, and not after Run has returned. In the live world they may block: no packet waits for
	// them, and rows and events that they are too slow for are left out and counted in Result.NotShown.
	Progress func(Progress)     // called about once a second
	OnRow    func(*dataset.Row) // called for each WAN packet, in order, when its truth is complete
	OnEvent  func(dataset.Event)
}

// Counts are packets so far.
type Counts struct {
	LAN          int64 `json:"lan"`
	WAN          int64 `json:"wan"`
	Up           int64 `json:"up"`
	Down         int64 `json:"down"`
	Unattributed int64 `json:"unattributed"`
}

// Progress of a run.
type Progress struct {
	Phase    string // "setting up", "running", "finishing"
	Elapsed  time.Duration
	Duration time.Duration
	Packets  Counts
}

// Result of a run; the JSON keys are the contract's.
type Result struct {
	Valid      bool     `json:"valid"`
	Reasons    []string `json:"reasons"`
	Dataset    string   `json:"dataset"`
	Seed       uint64   `json:"seed"`
	Packets    Counts   `json:"packets"`
	SimulatedS float64  `json:"simulated_s"`
	WallS      float64  `json:"wall_s"`
	Cut        bool     `json:"cut"`
	Scenario   string   `json:"scenario"`
	Events     int64    `json:"events"`
	NotShown   int64    `json:"not_shown"` // rows and events that the callbacks were too slow for; the dataset holds them
}

// Run runs one home and writes its data set. When ctx ends, the run stops in order and the result says that it was cut.
func Run(ctx context.Context, o Options) (*Result, error) {
	switch o.World {
	case dataset.WorldVirtual:
		return runVirtualOnce(ctx, o)
	case "", dataset.WorldLive:
	default:
		return nil, fmt.Errorf("world %q is not known; there are %s and %s", o.World, dataset.WorldLive, dataset.WorldVirtual)
	}
	out, err := filepath.Abs(o.Out)
	if err != nil {
		return nil, err
	}
	if err := dataset.CheckEmpty(out); err != nil {
		return nil, err
	}
	ord := order{
		Scenario: o.Scenario.Source(), Seed: o.Seed, Home: o.Home, Duration: o.Duration, Out: out,
		TimeScale: o.TimeScale, Rows: o.OnRow != nil, Name: o.Lab,
	}
	if ord.Duration == 0 {
		ord.Duration = o.Scenario.RunDuration()
	}
	var res *Result
	var failed error
	told := newAudience(&o)
	err = startChild(ctx, ord, labName(o), func(m message) {
		switch {
		case m.Result != nil:
			res = m.Result
		case m.Error != "":
			failed = errors.New(m.Error)
		default:
			told.offer(m)
		}
	})
	skipped := told.close()
	switch {
	case failed != nil:
		return nil, failed
	case err != nil || res == nil:
		return nil, salvage(out, err)
	}
	res.NotShown += skipped
	if res.Reasons == nil { // an empty list does not travel
		res.Reasons = []string{}
	}
	return res, nil
}

// salvage puts in order what a lab that died has left, and says so.
func salvage(out string, died error) error {
	if died == nil {
		died = errors.New("the lab ended without a result")
	}
	v, err := dataset.Verify(out, true)
	if err != nil || len(v.Repaired) == 0 {
		return died
	}
	return fmt.Errorf("%w; what was captured until then is in %s (%d packets, marked as cut)", died, out, v.Checked)
}

func labName(o Options) string {
	if o.Lab != "" {
		return o.Lab
	}
	return fmt.Sprintf("%s-%d-%d", o.Scenario.Name, o.Seed, o.Home)
}
