//go:build linux

package live_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

// The air is of the script: both worlds hear the same frames, at the same times from the start.
func TestBothWorldsHearTheSame(t *testing.T) {
	testbedtest.NeedLive(t)
	sc := testbedtest.CalmHome(t, "napt", "0", "xiaomi-hub")
	hear := func(world string) map[string][]string {
		_, d := testbedtest.Run(t, run.Options{Scenario: sc, World: world, Seed: 4, Duration: 20 * time.Second, Out: filepath.Join(t.TempDir(), world)})
		heard := make(map[string][]string)
		for _, file := range []string{dataset.FileZigbee, dataset.FileBLE} {
			heard[file] = testbedtest.Tshark(t, d, file, "-o", "frame.generate_md5_hash:TRUE", "-T", "fields", "-e", "frame.time_relative", "-e", "frame.md5_hash")
		}
		return heard
	}
	live, virtual := hear("live"), hear("virtual")
	if len(virtual[dataset.FileZigbee]) < 4 || len(virtual[dataset.FileBLE]) < 20 || slices.Equal(virtual[dataset.FileZigbee], virtual[dataset.FileBLE]) {
		t.Fatalf("%d and %d frames", len(virtual[dataset.FileZigbee]), len(virtual[dataset.FileBLE]))
	}
	if diff := cmp.Diff(virtual, live); diff != "" {
		t.Errorf("-virtual +live:\n%s", diff)
	}
}
