package generate

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
)

var update = flag.Bool("update", false, "write the golden files anew")

// orderHomes are the homes of noisy-napt, seed 1, whose packets in twelve hours testdata/noisy-napt-12h-packets.json lists.
const (
	orderHomes   = 8
	orderDensity = 3 // people act three times as often as in life
)

// packetsOf returns how many packets the homes of a run have: from the golden file, or measured anew with -update, which takes minutes.
func packetsOf(t *testing.T, o Options) []int64 {
	t.Helper()
	golden := filepath.Join("testdata", "noisy-napt-12h-packets.json")
	if *update {
		o.Out, o.Homes, o.Shard, o.Of, o.Captures = filepath.Join(t.TempDir(), "set"), orderHomes, 1, 1, dataset.CapturesNone
		if _, err := Homes(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		d, err := dataset.Open(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		packets := make([]int64, orderHomes)
		for _, h := range d.Manifest.Homes {
			packets[h.Home] = h.Packets
		}
		b, err := json.Marshal(packets)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var packets []int64
	if err := json.Unmarshal(b, &packets); err != nil || len(packets) != orderHomes {
		t.Fatalf("%s: %d homes, want %d (%v)", golden, len(packets), orderHomes, err)
	}
	return packets
}

// TestHomesThatTakeLongComeFirst holds the order in which two workers begin homes to what homes of noisy-napt take, in packets of twelve
// hours: it leaves no worker alone for an eighth of the run.
func TestHomesThatTakeLongComeFirst(t *testing.T) {
	sc, err := scenarios.Load("noisy-napt")
	if err != nil {
		t.Fatal(err)
	}
	all := []int{0, 1, 2, 3, 4, 5, 6, 7}
	o := Options{Scenario: sc, Seed: 1, Duration: 12 * time.Hour, Workers: 2}
	o.TimeScale = orderDensity
	packets := packetsOf(t, o)
	order := o.inOrder(all, orderDensity)
	sorted := slices.Clone(order)
	if slices.Sort(sorted); !slices.Equal(sorted, all) {
		t.Fatalf("order %v", order)
	}
	var busy [2]int64
	for _, home := range order {
		busy[slices.Index(busy[:], slices.Min(busy[:]))] += packets[home]
	}
	t.Logf("order %v, %.2f times as fast as one worker", order, float64(busy[0]+busy[1])/float64(slices.Max(busy[:])))
	if last, first := slices.Max(busy[:]), slices.Min(busy[:]); last-first > last/8 {
		t.Errorf("order %v: one worker has %d packets, the other %d", order, last, first)
	}
	if o.Workers = 1; !slices.Equal(o.inOrder(all, orderDensity), all) {
		t.Error("one worker begins with another home than the first")
	}
}
