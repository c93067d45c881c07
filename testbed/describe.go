package testbed

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"glasshouse/emulator/pan"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
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
		StartNs: startNs, DurationNs: int64(duration), WarmUpNs: int64(sc.WarmUp), TimeScale: density, Versions: Versions(),
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

// Versions are those of Glasshouse and of what it is built with. Glasshouse's is the module's, which names the commit where go build
// found a repository; where it found none it is "build" and the beginning of the executable's SHA-256.
func Versions() map[string]string { return maps.Clone(versions()) }

// Version is Glasshouse's.
func Version() string { return versions()[versionKey] }

const versionKey = "glasshouse"

var versions = sync.OnceValue(func() map[string]string {
	v := map[string]string{"go": runtime.Version(), versionKey: "unknown"}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v[versionKey] = b.Main.Version
	if b.Main.Version == "" || b.Main.Version == "(devel)" {
		v[versionKey] = "build " + executable()
	}
	for _, d := range b.Deps {
		switch d.Path {
		case "golang.zx2c4.com/wireguard", "github.com/songgao/water", "github.com/google/gopacket", "github.com/parquet-go/parquet-go":
			v[d.Path] = d.Version
		}
	}
	return v
})

// executable is the beginning of the SHA-256 of the program that runs.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	sum, err := dataset.HashFile(path)
	if err != nil {
		return "unknown"
	}
	return sum[:16]
}
