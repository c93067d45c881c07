package script_test

import (
	"slices"
	"testing"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/devicestest"
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

// What is drawn from a chain depends on the last value, and its states come as often as the chain says.
func TestChains(t *testing.T) {
	p, err := catalogue.Parse("box.yaml", []byte(devicestest.Chained))
	if err != nil {
		t.Fatal(err)
	}
	var reports []int64
	for _, a := range all(script.New(specimen(p, 0, 3), script.Options{Duration: int64(20 * 24 * time.Hour)})) {
		switch a.Name {
		case "report":
			reports = append(reports, a.At)
		case "beat":
			m := a.Exchanges[0].Messages
			for i := 1; i < len(m); i++ {
				if (m[i].Wait > 1e6) == (m[i-1].Wait > 1e6) {
					t.Fatalf("waits %v do not alternate", m)
				}
			}
		}
	}
	same, n := 0, 0
	for i := 2; i < len(reports); i++ {
		a, b := reports[i-1]-reports[i-2] > 10e9, reports[i]-reports[i-1] > 10e9
		if n++; a == b {
			same++
		}
	}
	if s := float64(same) / float64(n); s < 0.88 || s > 0.92 {
		t.Errorf("%.3f of the gaps are like the one before, want 0.9", s)
	}
	d, state := draw.New(1, "a test"), -1
	count := make(map[int]int)
	q := p.Routine("beat").Jitters
	var last, held, late int
	for i := range 200_000 {
		v := d.Follow(q, p.Routine("beat").JitterNext, &state)
		if count[state]++; v < q[state] || v > q[state+1] {
			t.Fatalf("%d in state %d", v, state)
		}
		if i > 0 && last == 2 {
			if late++; state == 2 {
				held++
			}
		}
		last = state
	}
	if count[2] > count[0]/2 && held*10 < late*8 || held*10 > late*10 {
		t.Errorf("%d of %d late beats are followed by a late one: %v", held, late, count)
	}
	if got := d.Follow(q, nil, &state); got < q[0] || got > q[3] {
		t.Errorf("%d without a chain", got)
	}
}

// A log-in of messages is drawn anew for each connection, variants by their weights, and timers begin anew where an activity
// restarts them.
func TestVariantsAndRestarts(t *testing.T) {
	p, err := catalogue.Parse("box.yaml", []byte(devicestest.Varied))
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
	for _, a := range all(script.New(specimen(p, 0, 3), script.Options{Duration: int64(30 * 24 * time.Hour)})) {
		switch a.Name {
		case "boot":
			if m := a.Exchanges[0].Messages; len(m) < 2 || m[0].Dir != profile.Down || m[0].Size != 29 {
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
	a, b := script.LoginMessages(p.Service("api"), draw), script.LoginMessages(p.Service("api"), draw)
	if a[1].Wait == b[1].Wait {
		t.Errorf("two connections begin alike: %v", a)
	}
}

// A grid that slips stays where it has slipped to.
func TestSlips(t *testing.T) {
	p, err := catalogue.Parse("box.yaml", []byte(devicestest.Slipping))
	if err != nil {
		t.Fatal(err)
	}
	var last int64
	slipped, n := 0, 0
	for _, a := range all(script.New(specimen(p, 0, 3), script.Options{Duration: int64(10 * 24 * time.Hour)})) {
		if a.Name != "beat" {
			continue
		}
		if last > 0 {
			n++
			switch d := a.At - last - 60e9; {
			case d >= 698e6 && d <= 902e6:
				slipped++
			case d < -2e6 || d > 2e6:
				t.Fatalf("a gap of 60 s and %d ns", d)
			}
		}
		last = a.At
	}
	if s := float64(slipped) / float64(n); s < 0.08 || s > 0.12 {
		t.Errorf("%.3f of the beats slipped, want about 0.1", s)
	}
}
