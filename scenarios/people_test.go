package scenarios

import (
	"testing"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

// Every plan is in order, covers all days and differs between homes. Somebody is at home when built-in scenarios begin.
func TestPlans(t *testing.T) {
	s := load(t, "noisy-napt")
	sizes := make(map[int]int)
	for home := range 60 {
		h := drawHome(t, s, 11, home)
		if h.People == nil || h.Varied["people"] == nil {
			t.Fatal("the home has no residents")
		}
		residents, awake := 0, false
		for _, p := range h.People.Persons {
			if !p.Guest {
				residents++
			}
			last := int64(-1)
			now := script.Away
			for _, c := range p.Plan {
				if c.At <= last || c.At >= script.PlanDays*int64(24*time.Hour) {
					t.Errorf("home %d, %s: %v after %v", home, p.Name, time.Duration(c.At), time.Duration(last))
				}
				last = c.At
				if c.At <= h.People.Start {
					now = c.Is
				}
			}
			if p.Plan[0].At != 0 {
				t.Errorf("home %d, %s: the plan does not cover the start", home, p.Name)
			}
			awake = awake || now == script.Awake
		}
		sizes[residents]++
		if !awake {
			t.Errorf("home %d: nobody is at home at the start", home)
		}
		if want := 18*time.Hour + 30*time.Minute; h.People.Start != int64(want) {
			t.Errorf("home %d starts at %v of the plan", home, time.Duration(h.People.Start))
		}
		for _, u := range h.Specimens {
			owner, _ := u.Options["owner"].(string)
			if u.Profile.Kind != profile.KindIoT && !func() bool {
				for _, p := range h.People.Persons {
					if p.Name == owner && !p.Guest {
						return true
					}
				}
				return false
			}() {
				t.Errorf("home %d: %s is of %q", home, u.Name, owner)
			}
		}
	}
	for n := 1; n <= 4; n++ {
		if sizes[n] < 5 {
			t.Errorf("%d homes of %d", sizes[n], n)
		}
	}
}

// Nearly every home of a built-in scenario has user actions within ten minutes.
func TestShortRunsHaveActs(t *testing.T) {
	for _, name := range []string{"iot-napt", "noisy-vpn"} {
		quiet := 0
		for home := range 40 {
			h := drawHome(t, load(t, name), 3, home)
			agenda, acts := h.Agenda(10*time.Minute, 3), 0
			for p, ok := agenda.Next(); ok; p, ok = agenda.Next() {
				if p.Activity.Actor != "" {
					acts++
				}
			}
			if acts < 3 {
				quiet++
			}
		}
		if quiet > 4 {
			t.Errorf("%s: %d of 40 homes are quiet", name, quiet)
		}
	}
}
