package virtual_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/testbedtest"
)

const twinHome = `name: twins
about: Two units of one model.
start: 2026-01-05T00:00:00Z
duration: 6h
path: napt
devices: [{device: DEVICE, units: 2}]
household: {density: 0}
`

// Two units of one model have their own phases and clocks, and on the wire share no number that is a unit's own.
func TestTwoUnitsShareNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "twins.yaml")
	device, err := filepath.Abs(filepath.Join("testdata", "twin-hub.yaml")) // whose heartbeat keeps to its clock
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(twinHome, "DEVICE", device, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	sc := testbedtest.Load(t, file)
	_, d := testbedtest.Generate(t, generate.Options{Scenario: sc, Seed: 4, Duration: 6 * time.Hour, Captures: dataset.CapturesAll})
	h, err := sc.Draw(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := h.Specimens[0], h.Specimens[1]

	// The beat's period is 60 s by either clock: what lies between two beats in true time is each clock's error.
	first, last, n := make(map[string]int64), make(map[string]int64), make(map[string]int64)
	for _, e := range testbedtest.Events(t, d) {
		if e.Activity != "heartbeat" {
			continue
		}
		if n[e.Unit] == 0 {
			first[e.Unit] = e.TScript
		}
		last[e.Unit] = e.TScript
		n[e.Unit]++
	}
	for _, s := range h.Specimens {
		period := float64(last[s.Name]-first[s.Name]) / float64(n[s.Name]-1)
		if ppb := (period/60e9 - 1) * 1e9; ppb < float64(s.Drift)-500 || ppb > float64(s.Drift)+500 {
			t.Errorf("%s: %d beats are %.0f parts in a billion slow, its clock %d", s.Name, n[s.Name], ppb, s.Drift)
		}
	}
	if d := a.Drift - b.Drift; d > -1000 && d < 1000 {
		t.Fatalf("the clocks err by %d and %d: too alike to tell", a.Drift, b.Drift)
	}
	if d := (first[a.Name] - first[b.Name]) % 60e9; d > -1e8 && d < 1e8 {
		t.Errorf("they beat in phase, %d ns apart", d)
	}

	fields := []string{"eth.src", "tcp.srcport", "tcp.seq_raw", "tls.handshake.random", "dns.id", "dhcp.id", "arp.src.proto_ipv4"}
	args := []string{"-d", "tcp.port==1883,tls", "-Y", "(tcp.flags.syn == 1 && tcp.flags.ack == 0) || tls.handshake.type == 1 || (dns && dns.flags.response == 0) || dhcp || arp", "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	owner := make(map[string]string) // by field and value
	seen := make(map[string]int)
	own := make(map[string]bool)
	for _, x := range d.Manifest.Homes[0].Devices {
		own[x.MAC] = true
	}
	for _, line := range testbedtest.Tshark(t, d, dataset.FileLAN, args...) {
		v := strings.Split(line, "|")
		if !own[v[0]] {
			continue // the router's
		}
		for i, f := range fields[1:] {
			value := v[i+1]
			if value == "" || value == "0.0.0.0" {
				continue
			}
			seen[f]++
			key := f + " " + value
			if o, ok := owner[key]; ok && o != v[0] {
				t.Errorf("both units have the %s", key)
			}
			owner[key] = v[0]
		}
	}
	for _, f := range fields[1:] {
		if seen[f] < 2 {
			t.Errorf("%d frames with a %s", seen[f], f)
		}
	}
}
