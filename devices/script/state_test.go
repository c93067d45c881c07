package script_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

const moody = `
device: cam
about: a camera with states
kind: iot
category: camera
oui: "00:11:22"
services:
  - {name: line, host: line.k.io, port: 443, transport: tls12, cloud: k, lasting: true, login: {up: 40, down: 40}, basis: assumed, source: s}
  - {name: media, host: media.k.io, port: 9000, transport: udp, cloud: k, basis: assumed, source: s}
states:
  - {name: standby, basis: assumed, source: s}
  - {name: active, lasts: [20s, 40s], next: standby, basis: assumed, source: s, steps: [{service: line, messages: [{up: 300}, {down: 40}]}]}
  - {name: streaming, basis: assumed, source: s}
  - {name: sleeping, basis: assumed, source: s, steps: [{service: line, op: disconnect}]}
activities:
  - {name: beat, trigger: timer, every: 30s, during: [standby], basis: assumed, source: s, steps: [{service: line, messages: [{up: 20}, {down: 20}]}]}
  - {name: always, trigger: timer, every: 60s, basis: assumed, source: s, steps: [{service: line, messages: [{up: 30}]}]}
  - {name: quick, trigger: timer, every: 2s, phase: 500ms, during: [active, streaming], basis: assumed, source: s, steps: [{service: line, messages: [{up: 25}]}]}
  - {name: rare, trigger: timer, gaps: [2s, 4s], phase: 1s, during: [active], basis: assumed, source: s, steps: [{service: line, messages: [{up: 26}]}]}
  - {name: motion, trigger: motion, per_day: 300, during: [standby, active], enters: active, refractory: 1s, basis: assumed, source: s, steps: [{service: line, messages: [{up: 500}]}]}
  - {name: watch-remote, trigger: app-remote, per_day: 100, during: [standby], enters: streaming, then: standby, basis: assumed, source: s,
     steps: [{service: media, messages: [{stream: {dir: up, fps: 2, size: 500, duration: [20s, 60s]}}]}]}
  - {name: good-night, trigger: schedule, at: "23:00", enters: sleeping, basis: assumed, source: s, steps: [{service: line, messages: [{up: 60}]}]}
  - {name: good-day, trigger: schedule, at: "07:00", during: [sleeping], enters: standby, basis: assumed, source: s, steps: [{service: line, op: connect}]}
`

// entry is when a state began.
type entry struct {
	state string
	at    int64
}

// What a script does keeps to the states: activities happen in their states alone and bring the states that they say, timers
// begin anew with theirs, and a state lasts as long as its profile says.
func TestScriptsKeepToTheirStates(t *testing.T) {
	p, err := catalogue.Parse("cam.yaml", []byte(moody))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		s := specimen(p, 0, rapid.Uint64().Draw(t, "seed"))
		density := rapid.SampledFrom([]float64{0, 1, 10}).Draw(t, "density")
		list := all(script.New(s, script.Options{Duration: 2 * int64(24*time.Hour), Density: density, Clock: 12 * int64(time.Hour)}))
		states := []entry{{}}
		woke := make(map[string]int64) // when a state began in which an activity can happen, and it could not before
		phase := make(map[int64]int64) // of beat: by when it began anew
		var renewed, over int64        // the last motion; when the stream ends
		for i, a := range list {
			now := states[len(states)-1]
			if i > 0 && a.At < list[i-1].At {
				t.Fatalf("%s at %d after %d", a.Name, a.At, list[i-1].At)
			}
			if a.Trigger == profile.TriggerState {
				seen[a.Name]++
				switch {
				case a.Name == now.state, now.state == "" && a.Name != profile.StateStandby:
					t.Fatalf("%s follows %q", a.Name, now.state)
				case a.Name == profile.StateActive && len(a.Exchanges) != 1, a.Name == profile.StateSleeping && a.Exchanges[0].Op != profile.OpDisconnect:
					t.Fatalf("%s begins with %v", a.Name, a.Exchanges)
				case a.Name != profile.StateStandby: // by an activity, whenever that comes
				case now.state == profile.StateStreaming && a.At != over:
					t.Fatalf("streaming until %d, not until the stream ends at %d", a.At, over)
				case now.state == profile.StateActive && (a.At-renewed < 20e9 || a.At-renewed > 40e9):
					t.Fatalf("active for %d ns after the last motion", a.At-renewed)
				}
				for j := range p.Activities {
					if r := &p.Activities[j]; len(r.During) > 0 && r.In(a.Name) && (now.state == "" || !r.In(now.state)) {
						woke[r.Name] = a.At
					}
				}
				states, renewed = append(states, entry{a.Name, a.At}), a.At
				continue
			}
			if a.Name == profile.ActivityBoot {
				continue
			}
			seen[a.Name]++
			r, before := p.Routine(a.Name), now
			if r.Enters != "" {
				if now.state != r.Enters {
					t.Fatalf("%s leaves it %s", a.Name, now.state)
				}
				if now.at == a.At { // the change comes first
					before = states[len(states)-2]
				}
				renewed = a.At
			}
			if !r.In(before.state) {
				t.Fatalf("%s while %q", a.Name, before.state)
			}
			if r.Then != "" {
				over = a.At + script.Span(&a)
			}
			since := a.At - woke[a.Name]
			switch a.Name {
			case "quick":
				if (since-int64(500*time.Millisecond))%2e9 != 0 {
					t.Fatalf("quick %d ns after it began anew", since)
				}
			case "beat":
				if was, ok := phase[woke[a.Name]]; ok && since%30e9 != was {
					t.Fatalf("beat %d ns after it began anew, once %d", since%30e9, was)
				}
				phase[woke[a.Name]] = since % 30e9
			case "rare":
				if since < 1e9 || since > 1e9 && since < 3e9 {
					t.Fatalf("rare %d ns after it began anew", since)
				}
			}
		}
	})
	for _, name := range p.ActivityNames() {
		if name != profile.ActivityBoot && seen[name] == 0 {
			t.Errorf("never %s", name)
		}
	}
}

// A profile without states draws what it drew before there were states; one whose activities name none of them, too.
func TestStatesDisturbNothingElse(t *testing.T) {
	p, err := catalogue.Load("tplink-hs110")
	if err != nil {
		t.Fatal(err)
	}
	q := *p
	q.States = []profile.State{{Name: profile.StateStandby, Lasts: draw.Range{Min: 1e9, Max: 5e9}, Next: profile.StateSleeping}, {Name: profile.StateSleeping, Lasts: draw.Range{Min: 1e9, Max: 5e9}, Next: profile.StateStandby}}
	o := script.Options{Duration: int64(24 * time.Hour), Density: 5}
	var with []string
	changes := 0
	for _, a := range all(script.New(specimen(&q, 0, 4), o)) {
		if a.Trigger == profile.TriggerState {
			changes++
			continue
		}
		with = append(with, lines("x", a))
	}
	var without []string
	for _, a := range all(script.New(specimen(p, 0, 4), o)) {
		without = append(without, lines("x", a))
	}
	if !slices.Equal(with, without) || changes < 20_000 {
		t.Errorf("%d activities beside %d changes of state, %d without", len(with), changes, len(without))
	}
}

const restless = `
device: cam
about: two timers that enter each other's states at once
kind: iot
category: camera
oui: "00:11:22"
services:
  - {name: line, host: line.k.io, port: 443, transport: tls12, cloud: k, lasting: true, login: {messages: [{down: 1}, {up: 20, repeat: LOGIN}]}, basis: assumed, source: s}
states:
  - {name: standby, basis: assumed, source: s}
  - {name: active, basis: assumed, source: s}
activities:
  - {name: a, trigger: timer, every: 1m, phase: [0s, 0s, 0s], during: [standby], enters: active, basis: assumed, source: s, steps: [{service: line, op: STEP}]}
  - {name: b, trigger: timer, every: 1m, phase: [0s, 0s, 0s], during: [active], enters: standby, basis: assumed, source: s, steps: [{service: line, messages: [{up: 20}]}]}
`

// Two timers that enter each other's states at once do so at most ten times a second, and not for ever at one moment.
func TestStatesDoNotChangeForEver(t *testing.T) {
	p, err := catalogue.Parse("cam.yaml", []byte(strings.NewReplacer("LOGIN", "2", "STEP", "connect").Replace(restless)))
	if err != nil {
		t.Fatal(err)
	}
	script := script.New(specimen(p, 0, 1), script.Options{Duration: int64(time.Minute)})
	n := 0
	for _, ok := script.Next(); ok; _, ok = script.Next() {
		if n++; n > 2*10*60+100 {
			t.Fatal("more than ten changes a second")
		}
	}
	if n < 100 {
		t.Errorf("%d activities: the test shows nothing", n)
	}
}

// What a step opens again and again counts with its whole log-in.
func TestLogInsCountAsMessages(t *testing.T) {
	for repeat, fine := range map[string]bool{"reconnect, repeat: 10": true, "reconnect, repeat: 1000": false} {
		_, err := catalogue.Parse("cam.yaml", []byte(strings.NewReplacer("LOGIN", "19000", "STEP", repeat).Replace(restless)))
		if fine != (err == nil) || err != nil && !strings.Contains(err.Error(), "messages in one activity") {
			t.Errorf("%s: %v", repeat, err)
		}
	}
}
