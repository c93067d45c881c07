package parts_test

import (
	"testing"
	"time"

	"glasshouse/testbed/reproduce/parts"
)

// TestBudgets: what the parts are estimated to take on two cores is within what is promised (without captures), and follows the options.
func TestBudgets(t *testing.T) {
	of := func(b parts.Budget) (sum time.Duration) {
		for _, p := range parts.All(&parts.Env{Budget: b, Seed: 1, Workers: 2, Command: func(string) string { return "" }}) {
			if p.Measures == "" || p.Title == "" || p.Estimate <= 0 && p.Name != "realdata" && p.Name != "devices" {
				t.Errorf("%s: %+v", p.Name, p)
			}
			t.Logf("%s: %s", p.Name, p.Estimate.Round(time.Second))
			sum += p.Estimate
		}
		return sum
	}
	full, quick := of(parts.Full()), of(parts.Quick())
	t.Logf("full %s, quick %s", full, quick)
	if full > 90*time.Minute {
		t.Errorf("all parts take %s", full)
	}
	if quick > 10*time.Minute {
		t.Errorf("all parts take %s quickly", quick)
	}
	twice := parts.Full()
	twice.Duration *= 2
	if more := of(twice); more < full*3/2 {
		t.Errorf("with twice the duration %s, without %s", more, full)
	}
}
