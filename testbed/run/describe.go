package run

import (
	"encoding/json"
	"time"

	"glasshouse/emulator/pan"
	"glasshouse/scenarios"
	"glasshouse/testbed/buildinfo"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/write"
)

// Description says what a dataset holds: which homes, in which world, from when to when.
type Description struct {
	Scenario *scenarios.Scenario
	Seed     uint64
	World    string
	StartNs  int64 // of script time 0
	Duration time.Duration
	Density  float64 // factor on people's acts
}

// Manifest is the dataset's manifest; the homes and the vocabulary are for the caller to add.
func (d *Description) Manifest() dataset.Manifest {
	sc := d.Scenario
	basis := make(map[string]int)
	for _, p := range sc.Profiles() {
		for b, n := range p.Bases() {
			basis[string(b)] += n
		}
	}
	return dataset.Manifest{
		Basis: basis, Scenario: sc.Name, ScenarioDigest: sc.Digest(), Path: string(sc.Path), Seed: d.Seed, World: d.World,
		StartNs: d.StartNs, DurationNs: int64(d.Duration), WarmUpNs: int64(sc.WarmUp), TimeScale: d.Density, Versions: buildinfo.Versions(),
	}
}

// HomeOptions says how a home's files are written.
func (d *Description) HomeOptions(h *scenarios.Home) (write.Options, error) {
	comment, err := json.Marshal(map[string]any{"scenario": d.Scenario.Name, "seed": d.Seed, "home": h.Index, "world": d.World})
	var radios []string
	for _, r := range pan.Radios(h.Specimens) {
		radios = append(radios, string(r))
	}
	return write.Options{
		EpochNs: d.StartNs, GatewayMAC: h.WANMAC, ISPMAC: h.ISPMAC, Comment: string(comment), Air: radios,
	}, err
}
