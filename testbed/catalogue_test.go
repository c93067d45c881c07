package testbed_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/testbedtest"
)

// target is one line of testdata/targets.tsv: what was measured of a device, and where.
type target struct {
	device, what string
	low, high    float64
	source       string
}

func targets(t *testing.T) []target {
	t.Helper()
	refs, err := catalogue.References()
	if err != nil {
		t.Fatal(err)
	}
	known := func(key string) bool {
		return slices.ContainsFunc(refs, func(r profile.Reference) bool { return r.Key == key })
	}
	b, err := os.ReadFile("testdata/targets.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var out []target
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Split(line, "\t")
		if i == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(f) != 5 || f[4] == "" {
			t.Fatalf("targets.tsv:%d: want device, what, low, high, source", i+1)
		}
		cited := profile.Cited(f[4])
		if len(cited) == 0 || slices.ContainsFunc(cited, func(key string) bool { return !known(key) }) {
			t.Errorf("targets.tsv:%d: %q cites no source, or an unknown one", i+1, f[4])
		}
		x := target{device: f[0], what: f[1], source: f[4]}
		if x.low, err = strconv.ParseFloat(f[2], 64); err != nil {
			t.Fatalf("targets.tsv:%d: %v", i+1, err)
		}
		if x.high, err = strconv.ParseFloat(f[3], 64); err != nil {
			t.Fatalf("targets.tsv:%d: %v", i+1, err)
		}
		out = append(out, x)
	}
	return out
}

// A calibrated device keeps its measured periods (p10, median and p90 within the measured p10 to p90), its measured idle rate
// within a tenth, and its measured frames, over a virtual day in which nobody is at home.
func TestCatalogueIsCalibrated(t *testing.T) {
	byDevice := make(map[string][]target)
	var names []string
	for _, x := range targets(t) {
		if byDevice[x.device] == nil {
			names = append(names, x.device)
		}
		byDevice[x.device] = append(byDevice[x.device], x)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sc := testbedtest.Load(t, "single-"+name)
			sc.Household.Density = 0
			duration := 24 * time.Hour
			switch {
			case slices.ContainsFunc(byDevice[name], func(x target) bool { return strings.HasPrefix(x.what, "packets:") }):
				sc.Household.Density, duration = 1, 40*24*time.Hour // somebody moves
			case name == "nest-protect":
				duration = 5 * 24 * time.Hour // it wakes once a day
			}
			_, d := testbedtest.Generate(t, generate.Options{Scenario: sc, Seed: 11, Duration: duration, Captures: dataset.CapturesNone})
			rows := testbedtest.Rows(t, d)
			for _, x := range byDevice[name] {
				kind, activity, _ := strings.Cut(x.what, ":")
				switch kind {
				case "rate": // WAN packets an hour, both ways
					checkRange(t, x, perHour(rows, duration))
				case "period": // s
					checkPeriod(t, x, rows, activity)
				case "script": // s, from one event to the next within one state: of what never leaves the home
					checkScript(t, x, testbedtest.Events(t, d), activity)
				case "packets": // of an event, both ways
					checkEvents(t, x, rows, activity)
				case "silence": // s, from a connection's last packet up to the device's probe of it
					checkSilence(t, x, rows)
				case "frames": // low: the commonest frame up with data, high: down
					checkFrames(t, x, rows, activity)
				default:
					t.Errorf("%s: unknown target %q", name, x.what)
				}
			}
		})
	}
}

func checkRange(t *testing.T, x target, v float64) {
	t.Helper()
	if v < x.low || v > x.high {
		t.Errorf("%s %s: %.6g, measured %g to %g (%s)", x.device, x.what, v, x.low, x.high, x.source)
	}
	t.Logf("%s %s: %.6g of %g to %g", x.device, x.what, v, x.low, x.high)
}

// perHour leaves the first minute out, in which the device comes up.
func perHour(rows []dataset.Row, duration time.Duration) float64 {
	start := rows[0].TsNs + int64(time.Minute)
	n := 0
	for _, r := range rows {
		if r.TsNs >= start && r.Device != "gateway" && r.Device != "internet" {
			n++
		}
	}
	return float64(n) / (duration - time.Minute).Hours()
}

// checkSilence compares how long connections are silent, as the device hears and speaks, before it probes them.
func checkSilence(t *testing.T, x target, rows []dataset.Row) {
	t.Helper()
	last := make(map[uint16]int64)
	var gaps []float64
	for _, r := range rows {
		if r.IPProto != 6 {
			continue
		}
		if before, ok := last[r.LocalPort]; ok && r.Dir > 0 && r.Role == "keepalive" {
			gaps = append(gaps, float64(r.TsNs-before)/1e9)
		}
		last[r.LocalPort] = r.TsNs
	}
	checkQuantiles(t, x, gaps)
}

// checkPeriod compares the intervals between the first packets up of an activity's events.
func checkPeriod(t *testing.T, x target, rows []dataset.Row, activity string) {
	t.Helper()
	var starts []int64
	seen := make(map[int64]bool)
	for _, r := range rows {
		if r.Activity != activity || r.Dir < 0 || r.Event < 0 || seen[r.Event] {
			continue
		}
		seen[r.Event] = true
		starts = append(starts, r.TsNs)
	}
	gaps := make([]float64, 0, len(starts))
	for i := 1; i < len(starts); i++ {
		gaps = append(gaps, float64(starts[i]-starts[i-1])/1e9)
	}
	checkQuantiles(t, x, gaps)
}

// checkQuantiles compares p10, median and p90 with the measured range.
func checkQuantiles(t *testing.T, x target, gaps []float64) {
	t.Helper()
	if len(gaps) < 3 {
		t.Errorf("%s %s: %d intervals", x.device, x.what, len(gaps))
		return
	}
	slices.Sort(gaps)
	for _, q := range []float64{0.1, 0.5, 0.9} {
		checkRange(t, x, gaps[int(q*float64(len(gaps)-1)+0.5)])
	}
}

// checkFrames compares the commonest lengths of an activity's frames with data; 0 = not told.
func checkFrames(t *testing.T, x target, rows []dataset.Row, activity string) {
	t.Helper()
	for dir, want := range map[int8]float64{1: x.low, -1: x.high} {
		counts := make(map[int32]int)
		for _, r := range rows {
			if r.Activity == activity && r.Dir == dir && r.Role == "data" {
				counts[r.Length]++
			}
		}
		best := int32(0)
		for l, n := range counts {
			if n > counts[best] || n == counts[best] && l < best {
				best = l
			}
		}
		if want != 0 && float64(best) != want {
			t.Errorf("%s %s: frames of %d bytes in direction %d, measured %g (%s)", x.device, x.what, best, dir, want, x.source)
		}
	}
}

// checkScript compares the scripted intervals between an activity's events.
func checkScript(t *testing.T, x target, events []dataset.Event, activity string) {
	t.Helper()
	var gaps []float64
	last := int64(-1)
	for _, e := range events {
		switch {
		case e.Trigger == profile.TriggerState:
			last = -1
		case e.Activity == activity:
			if last >= 0 {
				gaps = append(gaps, float64(e.TScript-last)/1e9)
			}
			last = e.TScript
		}
	}
	checkQuantiles(t, x, gaps)
}

// checkEvents counts the packets of a person's act.
func checkEvents(t *testing.T, x target, rows []dataset.Row, activity string) {
	t.Helper()
	events := make(map[int64]bool)
	n := 0
	for _, r := range rows {
		if r.Activity == activity && r.Event >= 0 {
			events[r.Event] = true
			n++
		}
	}
	if len(events) == 0 {
		t.Fatalf("%s: nothing happens", x.device)
	}
	checkRange(t, x, float64(n)/float64(len(events)))
}

// Every period that a profile calls measured has a target, which the test above holds the emulation to.
func TestMeasuredPeriodsHaveTargets(t *testing.T) {
	has := make(map[string]bool)
	for _, x := range targets(t) {
		has[x.device+" "+x.what] = true
	}
	for _, name := range catalogue.Names() {
		p, err := catalogue.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Activities {
			r := &p.Activities[i]
			measured := r.Basis == profile.BasisMeasured && r.Every.Max > 0 && !slices.Contains(r.Assumed, "every")
			if measured && !has[name+" period:"+r.Name] && !has[name+" script:"+r.Name] {
				t.Errorf("%s: the period of %s is measured (%s), and targets.tsv has none", name, r.Name, r.Source)
			}
		}
	}
}
