package script_test

import (
	"slices"
	"testing"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/devicestest"
	"glasshouse/devices/script"
)

// within tells which share of the values lies in [lo, hi].
func within(v []int64, lo, hi int64) float64 {
	n := 0
	for _, x := range v {
		if x >= lo && x <= hi {
			n++
		}
	}
	return float64(n) / float64(len(v))
}

// Jitter, waits and replies are drawn from the quantiles that a profile gives; what is late does not add up.
func TestTablesAreDrawnFrom(t *testing.T) {
	p, err := catalogue.Parse("box.yaml", []byte(devicestest.Tabled))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.WiFi.Doze, []int64{0, 100e6, 400e6}) {
		t.Errorf("doze %v", p.WiFi.Doze)
	}
	s := script.New(specimen(p, 0, 3), script.Options{Duration: int64(14 * 24 * time.Hour)})
	var at, replies, waits []int64
	hours := make(map[int64][]int64)
	for _, a := range all(s) {
		if a.Name != "beat" {
			continue
		}
		m := a.Exchanges[0].Messages
		at, replies, waits = append(at, a.At), append(replies, m[1].Wait), append(waits, m[2].Wait)
		hours[a.At/script.LevelTime] = append(hours[a.At/script.LevelTime], m[1].Wait)
	}
	if len(at) < 20000 {
		t.Fatalf("%d beats", len(at))
	}
	grid := at[0]
	for i := range at {
		grid = min(grid, at[i]-int64(i)*60e9)
	}
	late := make([]int64, len(at))
	for i := range at {
		late[i] = at[i] - int64(i)*60e9 - grid - 2e6 // the earliest of so many is 2 ms early, to within a little
	}
	for _, c := range []struct {
		name   string
		values []int64
		lo, hi int64
		share  float64
	}{
		{"early", late, -3e6, -1e3, 0.25},
		{"on time", late, -1e3, 1e3, 0.25},
		{"a little late", late, 1e3, 1e6, 0.25},
		{"late", late, 1e6, 21e6, 0.25},
		{"wait", waits, 10e6, 20e6, 0.5},
		{"long wait", waits, 20e6 + 1, 80e6, 0.5},
		{"slow reply", replies, 500e6, 1050e6, 0.5},
	} {
		if got := within(c.values, c.lo, c.hi); got < c.share-0.05 || got > c.share+0.05 {
			t.Errorf("%s: %.3f of the values, want about %.2f", c.name, got, c.share)
		}
	}
	for h, v := range hours { // one level for all replies of an hour
		if slices.Max(v)-slices.Min(v) > 49e6 {
			t.Errorf("hour %d: replies from %d to %d", h, slices.Min(v), slices.Max(v))
		}
	}
}
