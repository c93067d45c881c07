package script_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/devicestest"
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

func specimen(p *profile.Profile, index int32, seed uint64) script.Specimen {
	return script.Specimen{Index: index, Name: p.Device, Profile: p, Seed: seed, Habit: 1}
}

func all(s *script.Script) []script.Activity {
	var list []script.Activity
	for a, ok := s.Next(); ok; a, ok = s.Next() {
		list = append(list, a)
	}
	return list
}

func lines(unit string, a script.Activity) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s %s %s\n", a.At, unit, a.Name, a.Trigger, a.Actor)
	for _, x := range a.Exchanges {
		fmt.Fprintf(&b, "  +%d %s %s fresh=%t", x.Offset, x.Op, x.Service, x.Fresh)
		for i, m := range x.Messages {
			if i == 6 {
				fmt.Fprintf(&b, " ... %d messages", len(x.Messages))
				break
			}
			fmt.Fprintf(&b, " %+d", int(m.Dir)*m.Size)
			if m.Wait > 0 {
				fmt.Fprintf(&b, "@%d", m.Wait)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Equal for ever: data sets are named by their seeds.
func TestScriptGolden(t *testing.T) {
	for i, p := range devicestest.All(t) {
		s := script.New(specimen(p, int32(i), 42), script.Options{Duration: int64(10 * time.Minute), Density: 20, Peer: true})
		var b strings.Builder
		for _, a := range all(s) {
			b.WriteString(lines(p.Device, a))
		}
		devicestest.Golden(t, "script-"+p.Device+".txt", b.String())
	}
}

func TestScriptOrderAndRest(t *testing.T) {
	profiles := devicestest.All(t)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(profiles).Draw(t, "profile")
		s := specimen(p, 0, rapid.Uint64().Draw(t, "seed"))
		s.Drift = rapid.Int64Range(-100_000, 100_000).Draw(t, "drift")
		o := script.Options{
			Duration: int64(time.Hour), Density: rapid.SampledFrom([]float64{0, 1, 30, 1000}).Draw(t, "density"), Peer: rapid.Bool().Draw(t, "peer"),
		}
		var last, free int64
		for i, a := range all(script.New(s, o)) {
			if a.At < last || a.At >= o.Duration {
				t.Fatalf("%s at %d after %d, of %d", a.Name, a.At, last, o.Duration)
			}
			last = a.At
			if (i == 0) != (a.Name == profile.ActivityBoot) {
				t.Fatalf("activity %d is %s", i, a.Name)
			}
			if len(a.Exchanges) == 0 && a.Name != profile.ActivityBoot && a.Trigger != profile.TriggerState {
				t.Fatalf("%s does nothing", a.Name)
			}
			r := p.Routine(a.Name)
			if r == nil || !r.Person() {
				continue
			}
			if a.At < free {
				t.Fatalf("%s at %d: the act before it and its rest last until %d", a.Name, a.At, free)
			}
			free = a.At + script.Span(&a) + r.Refractory.Min
			if o.Density == 0 || a.Actor == "" || r.Peer && !o.Peer {
				t.Fatalf("%s by %q at density %g, peer %t", a.Name, a.Actor, o.Density, o.Peer)
			}
		}
	})
}

// Beat k is where its period and the unit's drift put it, within the jitter: errors do not add up.
func TestTimersKeepTheirPeriod(t *testing.T) {
	for _, p := range devicestest.All(t) {
		s := specimen(p, 0, 7)
		s.Drift = 30_000
		plan := script.New(s, script.Options{Duration: int64(48 * time.Hour)})
		beats := make(map[string]script.Beat)
		for _, b := range plan.Beats() {
			beats[b.Activity] = b
		}
		first, count := make(map[string]int64), make(map[string]int64)
		for _, a := range all(plan) {
			b, ok := beats[a.Name]
			if !ok {
				continue
			}
			r := p.Routine(a.Name)
			if len(r.Gaps) > 0 || len(r.During) > 0 || r.Daily || r.RestartedBy != "" || r.Slip > 0 {
				continue
			}
			if b.Period < r.Every.Min || b.Period > r.Every.Max || b.Phase < 0 || b.Phase >= b.Period {
				t.Fatalf("%s %s: period %d, phase %d", p.Device, a.Name, b.Period, b.Phase)
			}
			if count[a.Name] == 0 {
				first[a.Name] = a.At
			}
			want := first[a.Name] + script.Stretch(count[a.Name]*b.Period, s.Drift)
			if off := a.At - want; off > 2*r.Jitter+1 || off < -2*r.Jitter-1 {
				t.Fatalf("%s %s: beat %d is %d ns off", p.Device, a.Name, count[a.Name], off)
			}
			count[a.Name]++
		}
		for name, b := range beats {
			if r := p.Routine(name); len(r.Gaps) > 0 || len(r.During) > 0 || r.Daily || r.RestartedBy != "" || r.Slip > 0 {
				continue
			}
			if n := int64(48*time.Hour) / b.Period; count[name] < n-1 || count[name] > n+1 {
				t.Errorf("%s: %d times %s, want about %d", p.Device, count[name], name, n)
			}
		}
	}
}

// Without a period, gaps follow the quantiles that the profile gives.
func TestGapsFollowTheirQuantiles(t *testing.T) {
	p, err := catalogue.Load("sifely-gateway")
	if err != nil {
		t.Fatal(err)
	}
	want := p.Routine("report").Gaps
	var gaps []int64
	last := int64(0)
	for _, a := range all(script.New(specimen(p, 0, 3), script.Options{Duration: int64(28 * 24 * time.Hour)})) {
		if a.Name == "reopen" { // which begins the rhythm anew
			last = 0
		}
		if a.Name != "report" {
			continue
		}
		if last > 0 {
			gaps = append(gaps, a.At-last)
		}
		last = a.At
	}
	slices.Sort(gaps)
	if len(gaps) < 8000 || gaps[0] < want[0] || gaps[len(gaps)-1] > want[len(want)-1] {
		t.Fatalf("%d gaps from %d to %d", len(gaps), gaps[0], gaps[len(gaps)-1])
	}
	for i := 1; i < len(want)-1; i++ {
		below, _ := slices.BinarySearch(gaps, want[i])
		if f, q := float64(below)/float64(len(gaps)), float64(i)/float64(len(want)-1); f < q-0.02 || f > q+0.02 {
			t.Errorf("%.3f of the gaps are below quantile %.1f", f, q)
		}
	}
}

func TestDensityScalesPeopleOnly(t *testing.T) {
	p, err := catalogue.Load("xiaomi-hub")
	if err != nil {
		t.Fatal(err)
	}
	people := func(density, habit float64) (acts, beats int) {
		s := specimen(p, 0, 3)
		s.Habit = habit
		for _, a := range all(script.New(s, script.Options{Duration: int64(24 * time.Hour), Density: density})) {
			switch r := p.Routine(a.Name); {
			case r == nil:
			case r.Person():
				acts++
			default:
				beats++
			}
		}
		return acts, beats
	}
	one, beats := people(1, 1)
	if one < 70 || one > 140 { // 102 a day by the profile
		t.Errorf("%d acts a day at density 1", one)
	}
	for _, c := range []struct{ density, habit, factor float64 }{{4, 1, 4}, {1, 4, 4}, {2, 2, 4}, {0, 1, 0}} {
		n, b := people(c.density, c.habit)
		if want := c.factor * 102; math.Abs(float64(n)-want) > 0.25*want {
			t.Errorf("density %g, habit %g: %d acts, want about %g", c.density, c.habit, n, want)
		}
		if b != beats {
			t.Errorf("density %g, habit %g: %d beats, want %d", c.density, c.habit, b, beats)
		}
	}
}

func TestModesAndPeer(t *testing.T) {
	p, err := catalogue.Load("360-camera")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mode     string
		peer     bool
		lan, wan bool
	}{{"", true, true, true}, {"", false, false, true}, {"lan", true, true, false}, {"wan", true, false, true}} {
		s := specimen(p, 0, 5)
		if c.mode != "" {
			s.Options = map[string]any{"mode": c.mode}
		}
		seen := make(map[string]bool)
		for _, a := range all(script.New(s, script.Options{Duration: int64(12 * time.Hour), Density: 10, Peer: c.peer})) {
			seen[a.Name] = true
		}
		if seen["watch-lan"] != c.lan || seen["watch-wan"] != c.wan {
			t.Errorf("mode %q, peer %t: %v", c.mode, c.peer, seen)
		}
	}
}

// What a host may rely on: see Exchange and Service.
func TestExchangesKeepTheirPromises(t *testing.T) {
	for _, p := range devicestest.All(t) {
		for seed := range uint64(3) {
			for _, a := range all(script.New(specimen(p, 0, seed), script.Options{Duration: int64(6 * time.Hour), Density: 20, Peer: true})) {
				var last int64
				for _, x := range a.Exchanges {
					s := p.Service(x.Service)
					if x.Offset < last {
						t.Fatalf("%s %s: offsets fall", p.Device, a.Name)
					}
					last = x.Offset
					opens := profile.Up
					if s.Transport == profile.TransportApp {
						opens = profile.Down
					}
					if x.Fresh && (x.Messages[0].Dir != opens || x.Messages[0].Size < 16) {
						t.Fatalf("%s %s: a fresh connection opens with %+v", p.Device, a.Name, x.Messages[0])
					}
					for _, m := range x.Messages {
						if m.Size < 1 || m.Wait < 0 || !s.Connected() && (m.Size < 16 || m.Size > 1472) {
							t.Fatalf("%s %s: message %+v over %s", p.Device, a.Name, m, s.Transport)
						}
					}
				}
			}
		}
	}
}

func TestAgendaIsOneOrder(t *testing.T) {
	profiles := devicestest.All(t)
	draw := func(seed uint64) []script.Planned {
		var scripts []*script.Script
		for i, p := range profiles {
			scripts = append(scripts, script.New(specimen(p, int32(i), seed+uint64(i)), script.Options{Duration: int64(time.Hour), Density: 5}))
		}
		agenda := script.Merge(scripts)
		var list []script.Planned
		for x, ok := agenda.Next(); ok; x, ok = agenda.Next() {
			list = append(list, x)
		}
		return list
	}
	list := draw(1)
	count := make([]int, len(profiles))
	for i, x := range list {
		if x.Event != int64(i) {
			t.Fatalf("event %d is number %d", x.Event, i)
		}
		if i > 0 {
			y := list[i-1]
			if y.Activity.At > x.Activity.At || y.Activity.At == x.Activity.At && y.Unit > x.Unit {
				t.Fatalf("event %d before its time", i)
			}
		}
		count[x.Unit]++
	}
	for i, p := range profiles {
		alone := all(script.New(specimen(p, int32(i), 1+uint64(i)), script.Options{Duration: int64(time.Hour), Density: 5}))
		if len(alone) != count[i] {
			t.Errorf("%s: %d activities in the agenda, %d alone", p.Device, count[i], len(alone))
		}
	}
	if diff := cmp.Diff(list, draw(1)); diff != "" {
		t.Errorf("the same seed gave another agenda:\n%s", diff)
	}
	if cmp.Equal(list, draw(100)) {
		t.Error("another seed gave the same agenda")
	}
}

// A log-in at an MQTT broker is the CONNECT and the CONNACK, and where the broker says more, a subscription.
func TestMQTTLogIn(t *testing.T) {
	for down, want := range map[int][]script.Message{
		4:   {{Dir: profile.Up, Size: 60}, {Dir: profile.Down, Size: 4, Wait: 2}},
		9:   {{Dir: profile.Up, Size: 60}, {Dir: profile.Down, Size: 4, Wait: 2}, {Dir: profile.Up, Size: profile.MQTTSubscribe}, {Dir: profile.Down, Size: 5, Wait: 2}},
		300: {{Dir: profile.Up, Size: 60}, {Dir: profile.Down, Size: 4, Wait: 2}, {Dir: profile.Up, Size: profile.MQTTSubscribe}, {Dir: profile.Down, Size: 296, Wait: 2}},
	} {
		s := profile.Service{Transport: profile.TransportMQTT, Lasting: true, Login: profile.Login{Up: 60, Down: down}, Latency: draw.Range{Min: 1, Max: 3}}
		if diff := cmp.Diff(want, script.LoginMessages(&s, nil)); diff != "" {
			t.Errorf("down %d (-want +got):\n%s", down, diff)
		}
	}
}

// Acts by a plan: as many as a day has, for any seed, and one in each stretch of the mean gap.
func TestSteadyActsComeEvenly(t *testing.T) {
	p, err := catalogue.Load("echo-dot")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		s := script.New(script.Specimen{Profile: p, Seed: seed}, script.Options{Duration: int64(24 * time.Hour), Density: 2, Steady: true})
		var last, n int64
		const gap = int64(24*time.Hour) / 40 // of 20 a day, twice as often
		for {
			a, ok := s.Next()
			if !ok {
				break
			}
			if a.Name != "voice-command" {
				continue
			}
			if n++; n > 1 && (a.At-last < gap/2 || a.At-last > 2*gap) {
				t.Errorf("seed %d: act %d comes %s after the one before", seed, n, time.Duration(a.At-last))
			}
			last = a.At
		}
		if n != 40 {
			t.Errorf("seed %d: %d acts, want 40", seed, n)
		}
	}
}
