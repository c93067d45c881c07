package live_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

// Whoever is shown a live home's packets may stop looking: the home goes on and ends in time, and its dataset is whole.
func TestSlowReaderDoesNotHoldAHomeUp(t *testing.T) {
	testbedtest.NeedLive(t)
	dir := t.TempDir()
	for _, f := range []string{"bulk.yaml", "bulk-device.yaml"} {
		b, err := os.ReadFile(filepath.Join("testdata", f))
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(b, []byte("down_rate: 10000mbit"), []byte("down_rate: 30mbit"))
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const duration, limit = 11 * time.Second, 40 * time.Second
	set := filepath.Join(t.TempDir(), "set")
	began, complete, shown := time.Now(), time.Duration(0), int64(0)
	res, _ := testbedtest.Run(t, run.Options{
		Scenario: testbedtest.Load(t, filepath.Join(dir, "bulk.yaml")), Seed: 42, Duration: duration, Out: set,
		OnRow: func(*dataset.Row) {
			for shown == 0 && complete == 0 && time.Since(began) < limit { // the reader sleeps until the home is over
				b, _ := os.ReadFile(filepath.Join(set, dataset.FileManifest))
				if bytes.Contains(b, []byte(`"state": "complete"`)) {
					complete = time.Since(began)
				}
				time.Sleep(50 * time.Millisecond)
			}
			shown++
		},
	})
	if res.Packets.WAN < 5000 {
		t.Errorf("%d packets: too few to fill a pipe", res.Packets.WAN)
	}
	if complete == 0 {
		t.Fatalf("the home waited for its reader for %s", limit)
	}
	t.Logf("complete after %s; %d packets, of which %d were shown and %d not", complete, res.Packets.WAN, shown, res.NotShown)
	if shown+res.NotShown != res.Packets.WAN {
		t.Errorf("%d packets were shown and %d not, of %d", shown, res.NotShown, res.Packets.WAN)
	}
}
