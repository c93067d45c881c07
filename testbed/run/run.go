// Package run is what both worlds are asked, and what they report: the options of a run, its progress and its result, and how a run is
// described in its dataset. It runs nothing: testbed.Run does.
package run

import (
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
