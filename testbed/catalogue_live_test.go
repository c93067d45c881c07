//go:build linux

package testbed_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

// Every calibrated device comes up in a live home: it opens its lines, and what it does ends well.
func TestCalibratedDevicesLive(t *testing.T) {
	testbedtest.NeedLive(t)
	var names []string
	for _, x := range targets(t) {
		if len(names) == 0 || names[len(names)-1] != x.device {
			names = append(names, x.device)
		}
	}
	_, d := testbedtest.Run(t, run.Options{Scenario: testbedtest.CalmHome(t, "napt", "0", names...), Seed: 5, Duration: 20 * time.Second})
	ended := make(map[string]int)
	for _, e := range testbedtest.Events(t, d) {
		switch e.Outcome {
		case "ok":
			ended[e.Device]++
		case "failed":
			t.Errorf("%s: %s failed", e.Device, e.Activity)
		}
	}
	for _, name := range names {
		if ended[name] == 0 {
			t.Errorf("%s did nothing in twenty seconds, not even boot", name)
		}
	}
}

const reopening = `device: reopener
about: A device that opens its line anew every few seconds.
kind: iot
category: sensor
oui: "02:11:22"
stack: {ttl: 64}
services:
  - {name: cloud, host: a.example.net, port: 443, transport: tls12, cloud: example, lasting: true, login: {up: 40, down: 40}, basis: assumed, source: a test}
activities:
  - {name: beat, trigger: timer, gaps: [1s, 1500ms, 2s], basis: assumed, source: a test, steps: [{service: cloud, messages: [{up: 20}, {down: 20}]}]}
  - {name: reopen, trigger: timer, gaps: [2500ms, 3500ms], basis: assumed, source: a test, steps: [{service: cloud, op: reconnect}]}
`

// A line that is opened anew ends in order and has another port; the same in both worlds.
func TestReconnectInBothWorlds(t *testing.T) {
	testbedtest.NeedLive(t)
	file := filepath.Join(t.TempDir(), "reopener.yaml")
	if err := os.WriteFile(file, []byte(reopening), 0o644); err != nil {
		t.Fatal(err)
	}
	o := run.Options{Scenario: testbedtest.CalmHome(t, "napt", "0", file), Seed: 5, Duration: 20 * time.Second}
	_, live := testbedtest.Run(t, o)
	o.World = "virtual"
	_, virtual := testbedtest.Run(t, o)
	for _, d := range []*dataset.Dataset{live, virtual} {
		lines, left := make(map[uint16]bool), make(map[uint16]bool)
		events := 0
		for _, e := range testbedtest.Events(t, d) {
			switch {
			case e.Outcome == "failed":
				t.Errorf("%s: %s failed", d.Manifest.World, e.Activity)
			case e.Activity == "reopen" && e.Outcome == "ok":
				events++
			}
		}
		for _, r := range testbedtest.Rows(t, d) {
			if r.RemotePort != 443 {
				continue
			}
			lines[r.LocalPort] = true
			if r.Dir > 0 && r.TCPFlags&1 != 0 {
				left[r.LocalPort] = true
			}
		}
		if events < 3 || len(lines) < events+1 || len(lines) > events+2 || len(left) < events {
			t.Errorf("%s: %d lines, of which the device left %d, with %d reconnects", d.Manifest.World, len(lines), len(left), events)
		}
	}
}
