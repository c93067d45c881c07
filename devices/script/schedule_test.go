package script_test

import (
	"testing"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

const nightly = `device: box
about: A box that looks for an update every night.
kind: iot
category: hub
oui: "00:11:22"
services:
  - {name: api, host: api.k.io, port: 443, transport: tls13, cloud: k, basis: assumed, source: s}
activities:
  - name: firmware-update
    trigger: schedule
    at: "03:30"
    jitter: 5m
    basis: assumed
    source: s
    steps: [{service: api, messages: [{up: 200}, {down: 400000}]}]
`

// A schedule keeps the time of day, whatever the hour at which the script begins and however the device's clock errs.
func TestSchedulesAtATimeOfDay(t *testing.T) {
	p, err := catalogue.Parse("box.yaml", []byte(nightly))
	if err != nil {
		t.Fatal(err)
	}
	for _, clock := range []time.Duration{0, 3 * time.Hour, 3*time.Hour + 40*time.Minute, 18*time.Hour + 30*time.Minute} {
		x := script.New(script.Specimen{Profile: p, Seed: 9, Drift: 40_000}, script.Options{Duration: 10 * int64(24*time.Hour), Density: 1, Clock: int64(clock)})
		n := 0
		for a, ok := x.Next(); ok; a, ok = x.Next() {
			if a.Name == profile.ActivityBoot {
				continue
			}
			n++
			at := time.Duration((a.At + int64(clock)) % int64(24*time.Hour))
			if want := 3*time.Hour + 30*time.Minute; at < want-5*time.Minute || at > want+5*time.Minute || a.Trigger != profile.TriggerSchedule {
				t.Errorf("from %v: at %v by %s", clock, at, a.Trigger)
			}
		}
		if n != 10 {
			t.Errorf("from %v: %d times in ten days", clock, n)
		}
	}
}
