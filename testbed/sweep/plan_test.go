package sweep

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/scenarios"
)

func castOf(t *testing.T, scenario string, targets ...string) *cast {
	t.Helper()
	sc, err := scenarios.Load(scenario)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCast(sc, targets)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Each home has the devices and phones that were asked for; a family's homes have each target once, and some other device.
func TestFamiliesHaveWhatTheSettingSays(t *testing.T) {
	all, few := castOf(t, "noisy-vpn"), castOf(t, "iot-napt", "echo-dot", "orvibo-plug")
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom([]*cast{all, few}).Draw(t, "cast")
		s := c.setting()
		s.Devices, s.Phones = rapid.IntRange(1, 100).Draw(t, "devices"), rapid.IntRange(0, 50).Draw(t, "phones")
		seed, family := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 1<<21).Draw(t, "family")
		met := make(map[string]int)
		others := 0
		for _, sc := range c.family(s, seed, family) {
			h, err := sc.Draw(seed, family)
			if err != nil {
				t.Fatal(err)
			}
			n, phones := 0, 0
			for _, u := range h.Specimens {
				if u.Profile.Kind != profile.KindIoT {
					phones++
					continue
				}
				n++
				if slices.Contains(c.classes(), u.Profile.Device) {
					met[u.Profile.Device]++
				} else {
					others++
				}
			}
			if n != s.Devices || phones != s.Phones {
				t.Fatalf("%d devices and %d phones, want %d and %d", n, phones, s.Devices, s.Phones)
			}
			if n := n + phones; n > 1 && sc.Path != s.Path {
				t.Fatal("another path")
			}
		}
		for _, target := range c.targets {
			if met[target.Profile.Device] != 1 {
				t.Fatalf("%s is there %d times", target.Profile.Device, met[target.Profile.Device])
			}
		}
		if others == 0 {
			t.Fatal("there is no other device: the classes are not those of other points")
		}
	})
}

// A target is the same unit at each point, with the same script; so points differ in what is varied alone.
func TestTargetsDoTheSameWhoeverElseIsThere(t *testing.T) {
	c := castOf(t, "noisy-vpn")
	type life struct {
		Seed  uint64
		Habit float64
		Drift int64
		Acts  []script.Activity
	}
	lives := func(s Setting) map[string]life {
		out := make(map[string]life)
		for _, sc := range c.family(s, 7, 3) {
			h, err := sc.Draw(7, 3)
			if err != nil {
				t.Fatal(err)
			}
			scripts := h.Scripts(2*time.Hour, 3)
			for i, u := range h.Specimens {
				if !slices.Contains(c.classes(), u.Profile.Device) {
					continue
				}
				l := life{Seed: u.Seed, Habit: u.Habit, Drift: u.Drift}
				for a, ok := scripts[i].Next(); ok; a, ok = scripts[i].Next() {
					a.Exchanges = nil // their addresses are the home's
					l.Acts = append(l.Acts, a)
				}
				out[u.Name] = l
			}
		}
		return out
	}
	base := c.setting()
	want := lives(base)
	if len(want) != len(c.targets) {
		t.Fatalf("%d targets", len(want))
	}
	loss, delay := Value(50_000), Value(200*time.Millisecond)
	for _, change := range []func(*Setting){
		func(s *Setting) { s.Devices = 1 }, func(s *Setting) { s.Devices = 7 }, func(s *Setting) { s.Devices = 30 },
		func(s *Setting) { s.Phones = 8 }, func(s *Setting) { s.intensity = 4 * micro }, func(s *Setting) { s.loss = &loss },
		func(s *Setting) { s.delay = &delay }, func(s *Setting) { s.Path = scenarios.PathNAPT },
	} {
		s := base
		change(&s)
		if diff := cmp.Diff(want, lives(s)); diff != "" {
			t.Errorf("%+v: %s", s, diff)
		}
	}
}

func TestPhonesAreUsedAsOftenAsTheIntensitySays(t *testing.T) {
	c := castOf(t, "noisy-vpn")
	acts := func(intensity Value) int {
		n := 0
		for family := range 20 {
			s := c.setting()
			s.Phones, s.intensity = 4, intensity
			h, err := c.family(s, 1, family)[0].Draw(1, family)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range h.Scripts(24*time.Hour, 1) {
				for a, ok := x.Next(); ok; a, ok = x.Next() {
					if h.Specimens[i].Profile.Kind != profile.KindIoT && a.Trigger == profile.TriggerTouch {
						n++
					}
				}
			}
		}
		return n
	}
	quarter, one, four := acts(micro/4), acts(micro), acts(4*micro)
	if r := float64(one) / float64(quarter); r < 3 || r > 5 {
		t.Errorf("%d acts at a quarter, %d at one: %.1f times as many", quarter, one, r)
	}
	if r := float64(four) / float64(one); r < 2.5 || r > 5 { // acts keep their distance
		t.Errorf("%d acts at one, %d at four: %.1f times as many", one, four, r)
	}
}

func TestTargetsMustBeInTheScenario(t *testing.T) {
	sc, err := scenarios.Load("noisy-vpn")
	if err != nil {
		t.Fatal(err)
	}
	for _, targets := range [][]string{{"echo-spot"}, {"xiaomi-mobile"}, {"echo-dot", "echo-dot"}, {""}} {
		if _, err := newCast(sc, targets); err == nil {
			t.Errorf("targets %q are taken", targets)
		}
	}
}
