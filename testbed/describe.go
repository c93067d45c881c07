package testbed

import (
	"encoding/json"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"glasshouse/emulator/pan"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
)

// The worlds, by the names that the data set gives them.
const (
	worldLive    = "live"
	worldVirtual = "virtual"
)

// manifestOf says what a run is; the homes and the vocabulary are for the caller to add.
func manifestOf(sc *scenarios.Scenario, seed uint64, world string, startNs int64, duration time.Duration, density float64) dataset.Manifest {
	basis := make(map[string]int)
	for _, p := range sc.Profiles() {
		for b, n := range p.Bases() {
			basis[string(b)] += n
		}
	}
	return dataset.Manifest{
		Basis: basis, Scenario: sc.Name, ScenarioDigest: sc.Digest(), Path: string(sc.Path), Seed: seed, World: world,
		StartNs: startNs, DurationNs: int64(duration), WarmUpNs: int64(sc.WarmUp), TimeScale: density, Versions: versions(),
	}
}

// homeInfo describes a home as it was drawn.
func homeInfo(h *scenarios.Home, names *labeller) dataset.HomeInfo {
	info := dataset.HomeInfo{Home: h.Index, Seed: h.Seed, Varied: h.Varied}
	for i, s := range h.Specimens {
		info.Devices = append(info.Devices, dataset.DeviceInfo{
			Name: s.Profile.Device, Unit: s.Name, Class: names.units[i].Class, Kind: names.units[i].Kind,
			Category: s.Profile.Category, MAC: net.HardwareAddr(s.MAC[:]).String(), Address: s.Addr.String(),
		})
	}
	return info
}

// homeOptions says how a home's files are written.
func homeOptions(sc *scenarios.Scenario, h *scenarios.Home, seed uint64, world string, epochNs int64) (dataset.HomeOptions, error) {
	comment, err := json.Marshal(map[string]any{"scenario": sc.Name, "seed": seed, "home": h.Index, "world": world})
	var radios []string
	for _, r := range pan.Radios(h.Specimens) {
		radios = append(radios, string(r))
	}
	return dataset.HomeOptions{EpochNs: epochNs, GatewayMAC: h.WANMAC, ISPMAC: h.ISPMAC, Comment: string(comment), Air: radios}, err
}

func versions() map[string]string {
	v := map[string]string{"go": runtime.Version()}
	if b, ok := debug.ReadBuildInfo(); ok {
		v["glasshouse"] = b.Main.Version
		for _, d := range b.Deps {
			switch d.Path {
			case "golang.zx2c4.com/wireguard", "github.com/songgao/water", "github.com/google/gopacket", "github.com/parquet-go/parquet-go":
				v[d.Path] = d.Version
			}
		}
	}
	return v
}
