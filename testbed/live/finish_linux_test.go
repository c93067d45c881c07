package live

import (
	"errors"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
)

// Each promise that a run breaks is a reason not to trust it, and what lies within the budget is none.
func TestReasons(t *testing.T) {
	manifest := func(change func(*dataset.Manifest)) *dataset.Manifest {
		m := &dataset.Manifest{Counts: dataset.Counts{LAN: 60_000, WAN: 40_000, Drops: map[string]int64{}}, Fidelity: dataset.Fidelity{Drops: map[string]int64{}}}
		change(m)
		return m
	}
	for _, c := range []struct {
		name   string
		change func(*dataset.Manifest)
		slow   int64
		err    error
		want   string // in the only reason; "" = none
	}{
		{name: "nothing", change: func(*dataset.Manifest) {}},
		{name: "drops within the budget", change: func(*dataset.Manifest) {}, slow: 10},
		{name: "drops", change: func(*dataset.Manifest) {}, slow: 11, want: "11 packets of 100000 were dropped"},
		{name: "one drop of few", change: func(m *dataset.Manifest) { m.Counts.LAN, m.Counts.WAN = 300, 200 }, slow: 1, want: "1 packets of 500 were dropped"},
		{name: "unattributed", change: func(m *dataset.Manifest) { m.Fidelity.Unattributed = 1 }, want: "could not be attributed"},
		{name: "late truth", change: func(m *dataset.Manifest) { m.Fidelity.Late = 1 }, want: "after their rows were closed"},
		{name: "timers in time", change: func(m *dataset.Manifest) { m.Fidelity.TimerP99Ns = latenessBudget }},
		{name: "late timers", change: func(m *dataset.Manifest) { m.Fidelity.TimerP99Ns = latenessBudget + 1 }, want: "late at p99"},
		{name: "a device's leak", change: func(m *dataset.Manifest) { m.Counts.Drops["leak_blocked"] = 2 }, want: "2 packets tried to leave"},
		{name: "the gateway's leak", change: func(m *dataset.Manifest) { m.Fidelity.Drops["leak_blocked"] = 3 }, want: "3 packets tried to leave"},
		{name: "writes", change: func(m *dataset.Manifest) { m.Fidelity.Drops["interface_write"] = 1 }, want: "did not take 1 packets"},
		{name: "files", change: func(*dataset.Manifest) {}, err: errors.New("no space left"), want: "no space left"},
	} {
		got := reasons(manifest(c.change), c.slow, c.err)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
