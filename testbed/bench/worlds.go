package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// result is what one world did.
type result struct {
	World            string  `json:"world"`
	SimulatedS       float64 `json:"simulated_s"`
	Packets          int64   `json:"packets"` // on the WAN, both ways
	WallS            float64 `json:"wall_s"`
	CPUS             float64 `json:"cpu_s"` // user and system, of the program and its children
	SimulatedPerWall float64 `json:"simulated_per_wall"`
	PacketsPerWall   float64 `json:"packets_per_wall_s"`
	PacketsPerCPU    float64 `json:"packets_per_cpu_s"`
	PeakMB           float64 `json:"peak_mb"`
	Note             string  `json:"note,omitempty"`
	Missing          string  `json:"missing,omitempty"` // why it was not run
}

// bench runs the worlds.
type bench struct {
	root, dir, home string
	hours           float64
	glasshouse      string // the programs, once they are built
	ns3             string
}

// errMissing means that a world cannot be lived here.
var errMissing = errors.New("not here")

// all builds what is needed, and lives the home in each world.
func (b *bench) all(ctx context.Context, rounds int, live time.Duration) ([]result, error) {
	b.glasshouse = filepath.Join(b.dir, "glasshouse")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.glasshouse, ".")
	build.Dir, build.Env = b.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building glasshouse: %w\n%s", err, out)
	}
	missing := ""
	if err := b.buildNS3(ctx); errors.Is(err, errMissing) {
		missing = err.Error()
	} else if err != nil {
		return nil, err
	}
	scale := 1.0
	if missing == "" {
		var err error
		if scale, err = b.calibrate(ctx); err != nil {
			return nil, err
		}
	}
	best := make([]result, 3)
	for i := range rounds {
		for k, one := range []func() (result, error){
			func() (result, error) { return b.runNS3(ctx, b.hours, scale, missing) },
			func() (result, error) {
				return b.virtual(ctx, "virtual, labels", "NAPT, Wi-Fi, headers of every layer; each packet labelled, written as Parquet; what a capture would hold of payloads is not made", "--no-pcap")
			},
			func() (result, error) {
				return b.virtual(ctx, "virtual, labels and captures", "the same, and every byte of TLS, DNS, HTTP and QUIC with right checksums, on the LAN and on the WAN")
			},
		} {
			r, err := one()
			if err != nil {
				return nil, err
			}
			if i == 0 || r.WallS < best[k].WallS {
				best[k] = r
			}
		}
	}
	if live == 0 {
		return best, nil
	}
	r, err := b.live(ctx, live)
	return append(best, r), err
}

// buildNS3 compiles home.cc.
func (b *bench) buildNS3(ctx context.Context) error {
	if _, err := exec.LookPath("g++"); err != nil {
		return fmt.Errorf("%w: no g++ (Debian: apt install g++ libns3-dev)", errMissing)
	}
	b.ns3 = filepath.Join(b.dir, "ns3home")
	source := filepath.Join(b.root, "testbed", "bench", "ns3", "home.cc")
	args := []string{"-O3", "-std=c++17", source, "-o", b.ns3}
	for _, lib := range []string{"core", "network", "internet", "csma", "point-to-point", "applications"} {
		args = append(args, "-lns3-"+lib)
	}
	out, err := exec.CommandContext(ctx, "g++", args...).CombinedOutput()
	switch {
	case err == nil:
		return nil
	case strings.Contains(string(out), "ns3/") && strings.Contains(string(out), "No such file"):
		return fmt.Errorf("%w: no ns-3 (Debian: apt install libns3-dev)", errMissing)
	}
	return fmt.Errorf("compiling %s: %w\n%s", source, err, out)
}

// calibrate finds how busy ns-3's people must be for its WAN to carry as many packets as the virtual home's does. What is
// not people's (beats) is the part that a scale of nearly nothing leaves.
func (b *bench) calibrate(ctx context.Context) (float64, error) {
	want, err := b.virtual(ctx, "virtual", "", "--no-pcap")
	if err != nil {
		return 0, err
	}
	still, err := b.runNS3(ctx, b.hours, 1e-9, "")
	if err != nil {
		return 0, err
	}
	scale := 0.3
	for range 2 { // acts are drawn: once more, from nearer
		busy, err := b.runNS3(ctx, b.hours, scale, "")
		if err != nil {
			return 0, err
		}
		if busy.Packets <= still.Packets || want.Packets <= still.Packets {
			return 0, fmt.Errorf("ns-3's home cannot be made as busy: %d packets at rest, %d busy, %d wanted", still.Packets, busy.Packets, want.Packets)
		}
		scale *= float64(want.Packets-still.Packets) / float64(busy.Packets-still.Packets)
	}
	return scale, nil
}

// runNS3 lives hours in ns-3.
func (b *bench) runNS3(ctx context.Context, hours, scale float64, missing string) (result, error) {
	const name = "ns-3"
	if missing != "" {
		return result{World: name, Missing: missing}, nil
	}
	var out struct {
		SimulatedS float64 `json:"simulated_s"`
		Packets    int64   `json:"packets"`
		Events     int64   `json:"events"`
	}
	r, err := measure(ctx, name, &out, b.ns3, "--hours="+strconv.FormatFloat(hours, 'g', -1, 64),
		"--scale="+strconv.FormatFloat(scale, 'g', 6, 64), "--up=25000000", "--down=150000000", "--delay=11000000")
	r.SimulatedS, r.Packets = out.SimulatedS, out.Packets
	r.Note = fmt.Sprintf("%d events, %.3g a CPU second; no TLS, DNS or HTTP, no address translation, no Wi-Fi, no labels, nothing written", out.Events, float64(out.Events)/r.CPUS)
	return r.rates(), err
}

// virtual lives hours in the virtual world.
func (b *bench) virtual(ctx context.Context, name, note string, flags ...string) (result, error) {
	dir, err := os.MkdirTemp(b.dir, "set-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	var out struct {
		SimulatedS float64 `json:"simulated_s"`
		Packets    int64   `json:"packets"`
	}
	args := append([]string{
		"generate", b.home, "--duration", strconv.FormatFloat(b.hours*3600, 'f', 0, 64) + "s", "--seed", "1", "--workers", "1",
		"-o", filepath.Join(dir, "set"), "--json",
	}, flags...)
	r, err := measure(ctx, name, &out, b.glasshouse, args...)
	r.SimulatedS, r.Packets = out.SimulatedS, out.Packets
	r.Note = note
	return r.rates(), err
}

// live lives the home with kernels and sockets. Its people act more often, so that a minute has something to carry.
func (b *bench) live(ctx context.Context, d time.Duration) (result, error) {
	const name, busier = "live", 30
	var doctor struct {
		Live bool `json:"live"`
	}
	out, err := exec.CommandContext(ctx, b.glasshouse, "doctor", "--json").Output()
	if jerr := json.Unmarshal(out, &doctor); jerr != nil {
		return result{}, fmt.Errorf("doctor: %w", errors.Join(err, jerr))
	}
	if !doctor.Live {
		return result{World: name, Missing: "this machine cannot run a live home; glasshouse doctor says why"}, nil
	}
	var res struct {
		SimulatedS float64 `json:"simulated_s"`
		Packets    struct {
			WAN int64 `json:"wan"`
		} `json:"packets"`
	}
	r, err := measure(ctx, name, &res, b.glasshouse, "run", b.home, "--duration", d.String(), "--seed", "1",
		"--time-scale", strconv.Itoa(busier), "-o", filepath.Join(b.dir, "live"), "--json")
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == 3 { // this machine had no time for it
		return result{World: name, Missing: "its run is not valid: the machine is too busy for timers to be on time"}, nil
	}
	r.SimulatedS, r.Packets = res.SimulatedS, res.Packets.WAN
	r.Note = fmt.Sprintf("real sockets and kernels, in real time by nature; its people act %d times as often", busier)
	return r.rates(), err
}

// measure runs a program that prints JSON.
func measure(ctx context.Context, name string, out any, program string, args ...string) (result, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	if name == "live" {
		cmd.Env = os.Environ()
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("%s: %w\n%s", name, err, stderr.String())
	}
	r := result{World: name, WallS: time.Since(began).Seconds(), PeakMB: peakMB(cmd.ProcessState)}
	r.CPUS = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		return result{}, fmt.Errorf("%s says no JSON: %w", name, err)
	}
	return r, nil
}

func (r result) rates() result {
	if r.WallS > 0 && r.CPUS > 0 {
		r.SimulatedPerWall, r.PacketsPerWall = r.SimulatedS/r.WallS, float64(r.Packets)/r.WallS
		r.PacketsPerCPU = float64(r.Packets) / r.CPUS
	}
	return r
}
