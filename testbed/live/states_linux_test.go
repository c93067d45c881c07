//go:build linux

package live_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

const sleepy = `device: sleepy
about: A device that sleeps for some seconds, then is up for some.
kind: iot
category: sensor
oui: "02:11:22"
stack: {ttl: 64}
services:
  - {name: cloud, host: a.example.net, port: 443, transport: tls12, cloud: example, lasting: true, login: {up: 40, down: 40}, basis: assumed, source: a test}
states:
  - {name: active, lasts: [4s, 5s], next: sleeping, basis: assumed, source: a test}
  - {name: sleeping, lasts: [3s, 4s], next: standby, basis: assumed, source: a test, steps: [{service: cloud, op: disconnect}]}
  - {name: standby, lasts: 2s, next: active, basis: assumed, source: a test, steps: [{service: cloud, op: connect}]}
activities:
  - {name: beat, trigger: timer, every: 1s, phase: 500ms, during: [active, standby], basis: assumed, source: a test, steps: [{service: cloud, messages: [{up: 20}, {down: 20}]}]}
`

// ticker gives a live home so many timers that one which a busy machine fires late does not make the run invalid.
const ticker = `device: ticker
about: A device that beats ten times a second.
kind: iot
category: sensor
oui: "02:55:66"
stack: {ttl: 64}
services:
  - {name: cloud, host: t.example.net, port: 5001, transport: udp, cloud: example, lasting: true, basis: assumed, source: a test}
activities:
  - {name: tick, trigger: timer, every: 100ms, basis: assumed, source: a test, steps: [{service: cloud, messages: [{up: 20}]}]}
`

// profiles writes profiles, in the order of their names, and returns the files.
func profiles(t *testing.T, texts map[string]string) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// Both worlds live the same states: the changes are events of their own, in which a device that sleeps leaves its line and says
// nothing until it wakes.
func TestStatesInBothWorlds(t *testing.T) {
	testbedtest.NeedLive(t)
	files := profiles(t, map[string]string{"sleepy": sleepy, "ticker": ticker})
	o := run.Options{Scenario: testbedtest.CalmHome(t, "napt", "0", files...), Seed: 5, Duration: 28 * time.Second}
	var scripts [2][]dataset.Event
	for i, world := range []string{"live", "virtual"} {
		o.World = world
		_, d := testbedtest.Run(t, o)
		state := ""
		var asleep [][2]int64 // from a second after it fell asleep until it wakes
		for _, e := range testbedtest.Events(t, d) {
			if e.Device != "sleepy" {
				continue
			}
			if e.Outcome == "failed" {
				t.Errorf("%s: %s failed", world, e.Activity)
			}
			if e.Activity == "beat" && state == "sleeping" {
				t.Errorf("%s: a beat at %d ns, while it sleeps", world, e.TScript)
			}
			if e.Trigger == "state" {
				if late := e.TStart - e.TScript; e.Outcome == "ok" && (late < 0 || late > int64(time.Second)) {
					t.Errorf("%s: %s at %d, scripted at %d", world, e.Activity, e.TStart, e.TScript)
				}
				if n := len(asleep); state == "sleeping" && n > 0 {
					asleep[n-1][1] = e.TScript
				}
				if state = e.Activity; state == "sleeping" {
					asleep = append(asleep, [2]int64{e.TScript + int64(time.Second), int64(o.Duration)})
				}
			}
			scripts[i] = append(scripts[i], dataset.Event{Event: e.Event, Activity: e.Activity, Trigger: e.Trigger, TScript: e.TScript})
		}
		if len(asleep) < 2 {
			t.Fatalf("%s: it slept %d times", world, len(asleep))
		}
		closed := 0
		for _, r := range testbedtest.Rows(t, d) {
			if r.Device != "sleepy" {
				continue
			}
			at := r.TsNs - d.Manifest.StartNs
			for _, s := range asleep {
				if at > s[0] && at < s[1] {
					t.Errorf("%s: a packet of %s at %d ns, while it sleeps from %d to %d", world, r.Activity, at, s[0], s[1])
				}
			}
			if r.Dir > 0 && r.TCPFlags&1 != 0 && r.Activity == "boot" {
				closed++
			}
		}
		if closed == 0 {
			t.Errorf("%s: it left no line", world)
		}
	}
	if !slices.Equal(scripts[0], scripts[1]) {
		t.Errorf("live %v\nvirtual %v", scripts[0], scripts[1])
	}
}
