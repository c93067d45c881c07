package virtual_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/testbedtest"
	"glasshouse/testbed/virtual"
)

// A home that is only watched is the home that is written: the same packets with the same truth, each seen at the tap before.
func TestWitnessSeesWhatIsWritten(t *testing.T) {
	for _, name := range []string{"noisy-napt", "noisy-vpn"} {
		sc := testbedtest.Load(t, name)
		out := filepath.Join(t.TempDir(), "out")
		_, err := generate.Homes(context.Background(), generate.Options{
			Scenario: sc, Seed: 4, Homes: 1, Duration: time.Minute, Workers: 1, Shard: 1, Of: 1, Out: out, Captures: dataset.CapturesAll,
		})
		if err != nil {
			t.Fatal(err)
		}
		d, err := dataset.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		var tapped []dataset.Observation
		var rows []dataset.Row
		n, err := virtual.Witness(context.Background(), virtual.WitnessOptions{
			Scenario: sc, Seed: 4, Duration: time.Minute,
			OnTap: func(o *dataset.Observation, _ []byte) { tapped = append(tapped, *o) },
			OnRow: func(r *dataset.Row) {
				if int(r.Frame) > len(tapped) || tapped[r.Frame-1] != r.Observation {
					t.Fatalf("row %d was not seen at the tap", r.Frame)
				}
				rows = append(rows, *r)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := testbedtest.Rows(t, d)
		if int(n) != len(want) || len(tapped) != len(want) {
			t.Fatalf("%s: %d packets, %d at the tap; %d were written", name, n, len(tapped), len(want))
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
