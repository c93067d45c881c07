package parity_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"glasshouse/classifier/evaluate"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/testbedtest"
)

// transferHomes lives homes in the virtual world, a set each, from seed on.
func transferHomes(t *testing.T, scenario string, n int, seed uint64) []*dataset.Dataset {
	t.Helper()
	homes := make([]*dataset.Dataset, n)
	for i := range homes {
		_, homes[i] = testbedtest.Generate(t, generate.Options{
			Scenario: testbedtest.Load(t, scenario), Seed: seed + uint64(i), Duration: 2 * time.Minute, TimeScale: 100, Captures: dataset.CapturesNone,
			Out: filepath.Join(t.TempDir(), strconv.Itoa(i)),
		})
	}
	return homes
}

func twins(watched, other []*dataset.Dataset) []evaluate.Twin {
	pairs := make([]evaluate.Twin, len(watched))
	for i := range pairs {
		pairs[i] = evaluate.Twin{Watched: watched[i], Other: other[i]}
	}
	return pairs
}

// What learned from the same homes loses nothing; what learned to watch a tunnel loses much where there is none.
func TestTransfer(t *testing.T) {
	t.Parallel()
	plain := transferHomes(t, "noisy-napt", 6, 1)
	o := evaluate.TransferOptions{
		Seeds: []uint64{1, 2}, Resamples: 200,
		Train: train.Options{Kind: "forest", Forest: tree.ForestOptions{Trees: 10, Workers: runtime.NumCPU()}},
	}
	same, err := evaluate.Transfer(t.Context(), twins(plain, plain), o)
	if err != nil {
		t.Fatal(err)
	}
	if same.Loss != 0 || same.Low != 0 || same.High != 0 || same.MacroF1[0] < 0.2 || same.Learned[0] != same.Learned[1] || len(same.BySeed) != 2 {
		t.Errorf("%+v", same)
	}
	packets := 0
	for _, d := range plain {
		m := &d.Manifest
		for _, r := range testbedtest.Rows(t, d) {
			if r.Device != "gateway" && r.Device != "internet" && r.TsNs >= m.StartNs+m.WarmUpNs {
				packets++
			}
		}
	}
	if same.Scored != packets {
		t.Errorf("%d packets scored, of %d: each home is held out once", same.Scored, packets)
	}
	if want := packets * 2 / 3; max(want-same.Learned[0], same.Learned[0]-want) > 1 {
		t.Errorf("a model learned from %d packets, not from those of two homes in three, %d", same.Learned[0], want)
	}
	apart, err := evaluate.Transfer(t.Context(), twins(plain, transferHomes(t, "noisy-vpn", 6, 1)), o)
	if err != nil {
		t.Fatal(err)
	}
	if apart.Loss < 0.1 || apart.Low <= 0 || apart.Low > apart.Loss || apart.High < apart.Loss {
		t.Errorf("learned behind a tunnel: %+v", apart)
	}
	if apart.MacroF1[0] != same.MacroF1[0] {
		t.Errorf("the same model scores %.3f and %.3f", apart.MacroF1[0], same.MacroF1[0])
	}
	if _, err := evaluate.Transfer(t.Context(), twins(plain[:5], plain[:5]), o); !errors.Is(err, evaluate.ErrTooFewHomes) {
		t.Errorf("five homes: %v", err)
	}
}
