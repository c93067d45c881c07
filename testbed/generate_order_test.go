package testbed

import (
	"slices"
	"testing"
	"time"

	"glasshouse/scenarios"
)

// TestHomesThatTakeLongComeFirst holds the order in which two workers begin homes to what homes of noisy-napt take, in packets of twelve
// hours: it leaves no worker alone for an eighth of the run.
func TestHomesThatTakeLongComeFirst(t *testing.T) {
	sc, err := scenarios.Load("noisy-napt")
	if err != nil {
		t.Fatal(err)
	}
	const density = 3                                                                // people act three times as often as in life in the homes that were counted
	packets := []int{490397, 748349, 436200, 396368, 229835, 526928, 491405, 838815} // of seed 1
	all := []int{0, 1, 2, 3, 4, 5, 6, 7}
	o := GenerateOptions{Scenario: sc, Seed: 1, Duration: 12 * time.Hour, Workers: 2}
	order := o.inOrder(all, density)
	sorted := slices.Clone(order)
	if slices.Sort(sorted); !slices.Equal(sorted, all) {
		t.Fatalf("order %v", order)
	}
	var busy [2]int
	for _, home := range order {
		busy[slices.Index(busy[:], slices.Min(busy[:]))] += packets[home]
	}
	t.Logf("order %v, %.2f times as fast as one worker", order, float64(busy[0]+busy[1])/float64(slices.Max(busy[:])))
	if last, first := slices.Max(busy[:]), slices.Min(busy[:]); last-first > last/8 {
		t.Errorf("order %v: one worker has %d packets, the other %d", order, last, first)
	}
	if o.Workers = 1; !slices.Equal(o.inOrder(all, density), all) {
		t.Error("one worker begins with another home than the first")
	}
}
