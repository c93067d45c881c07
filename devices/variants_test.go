package devices

import (
	"slices"
	"testing"
	"time"
)

const varied = `
device: box
about: a box whose line begins with a greeting, and whose dialogues vary
kind: iot
category: hub
oui: "00:11:22"
services:
  - name: api
    host: api.k.io
    port: 443
    transport: tcp
    cloud: k
    lasting: true
    login: {messages: [{down: 29, wait: 5ms}, {up: 106, wait: [10ms, 20ms, 80ms]}, {variants: [{weight: 3, messages: [{down: 45}]}, {messages: []}]}]}
    basis: assumed
    source: s
activities:
  - name: reopen
    trigger: timer
    every: 10m
    basis: assumed
    source: s
    steps: [{service: api, op: reconnect}]
  - name: beat
    trigger: timer
    every: 60s
    phase: [1s, 2s, 40s]
    restarted_by: reopen
    basis: assumed
    source: s
    steps: [{service: api, messages: [{variants: [{weight: 9, messages: [{up: 20}]}, {weight: 1, messages: [{up: 30}, {down: 30}]}]}]}]
  - name: report
    trigger: timer
    gaps: [100s, 200s]
    restarted_by: reopen
    basis: assumed
    source: s
    steps: [{service: api, messages: [{up: 50}]}]
`

// A log-in of messages is drawn anew for each connection, variants by their weights, and timers begin anew where an activity
// restarts them.
func TestVariantsAndRestarts(t *testing.T) {
	p, err := ParseProfile("box.yaml", []byte(varied))
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Service("api"); !s.Greets() {
		t.Error("the far end does not greet")
	}
	var opened, since int64
	var short, whole, rare, beats int
	var phases, waits []int64
	first := true
	for _, a := range all(NewScript(specimen(p, 0, 3), ScriptOptions{Duration: int64(30 * 24 * time.Hour)})) {
		switch a.Name {
		case "boot":
			if m := a.Exchanges[0].Messages; len(m) < 2 || m[0].Dir != Down || m[0].Size != 29 {
				t.Errorf("boot says %v", m)
			}
		case "reopen":
			m := a.Exchanges[0].Messages
			waits = append(waits, m[1].Wait)
			if len(m) == 3 {
				whole++
			} else {
				short++
			}
			opened, since, first = a.At, a.At, true
		case "beat":
			if opened == 0 {
				continue
			}
			if beats++; len(a.Exchanges[0].Messages) == 2 {
				rare++
			}
			if first {
				phases = append(phases, a.At-opened)
			} else if d := a.At - since; d != 60e9 {
				t.Fatalf("a beat %d ns after the one before", d)
			}
			since, first = a.At, false
		}
	}
	near := func(name string, got, want float64) {
		t.Helper()
		if got < want-0.03 || got > want+0.03 {
			t.Errorf("%s: a share of %.3f, want about %.2f", name, got, want)
		}
	}
	near("whole log-ins", float64(whole)/float64(whole+short), 0.75)
	near("rare beats", float64(rare)/float64(beats), 0.1)
	near("early beats", within(phases, 1e9, 2e9), 0.5)
	near("short waits", within(waits, 10e6, 20e6), 0.5)
	if slices.Min(phases) < 1e9 || slices.Max(phases) > 40e9 {
		t.Errorf("first beats %d to %d ns after an opening", slices.Min(phases), slices.Max(phases))
	}
	seeds := uint64(0)
	draw := func() uint64 { seeds++; return seeds }
	a, b := p.Service("api").LoginMessages(draw), p.Service("api").LoginMessages(draw)
	if a[1].Wait == b[1].Wait {
		t.Errorf("two connections begin alike: %v", a)
	}
}
