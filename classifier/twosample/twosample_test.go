package twosample

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// exchanges makes a run of requests and responses: their contents come from the script's seed, network times from noise. Responses take
// delay ns more.
func exchanges(script, noise uint64, n int, delay int64) Run {
	s, r := rand.New(rand.NewPCG(script, 1)), rand.New(rand.NewPCG(noise, 2))
	home := 8e6 + s.Int64N(22e6)
	run := Run{Seed: script}
	at := int64(0)
	for range n {
		at += s.Int64N(400e6)
		run.Packets = append(run.Packets, Packet{TsNs: at, Dir: 1, Length: 90 + int32(s.IntN(3))*40})
		t := at + home + delay + r.Int64N(2e6)
		for range 1 + s.IntN(4) {
			run.Packets = append(run.Packets, Packet{TsNs: t, Dir: -1, Length: 300 + int32(s.IntN(5))*200})
			t += 20e3 + r.Int64N(60e3)
		}
		run.Packets = append(run.Packets, Packet{TsNs: t + 3e6 + r.Int64N(2e6), Dir: 1, Length: 66})
		at = t + 6e6
	}
	return run
}

// side makes runs of the seeds 1 to 8: sides differ only in the network's noise and in the delay.
func side(which uint64, delay int64) (runs []Run) {
	for seed := uint64(1); seed <= 8; seed++ {
		runs = append(runs, exchanges(seed, 100*which+seed, 300, delay))
	}
	return runs
}

var quick = Options{Trees: 60, Workers: 2, Resamples: 500}

// The standard deviation of one comparison of equal sides is about 0.045: a home's windows are few and similar.
func TestEqualSidesAreAtChance(t *testing.T) {
	const draws = 5
	mean := 0.0
	for k := range uint64(draws) {
		res, err := Test(t.Context(), side(10+2*k, 0), side(11+2*k, 0), Options{Trees: 30, Workers: 2, Resamples: 10})
		if err != nil {
			t.Fatal(err)
		}
		mean += res.AUC / draws
	}
	if math.Abs(mean-0.5) > 0.08 {
		t.Errorf("AUC %.3f between equal sides", mean)
	}
}

func TestTwoSampleFindsADelay(t *testing.T) {
	res, err := Test(t.Context(), side(1, 0), side(2, 5e6), quick)
	if err != nil {
		t.Fatal(err)
	}
	if res.AUC < 0.9 || res.Low > res.AUC || res.High < res.AUC || res.Low < 0.8 {
		t.Errorf("AUC %.3f [%.3f, %.3f] for 5 ms of delay", res.AUC, res.Low, res.High)
	}
	first := res.Features[0]
	if first.AUC < 0.7 || first.Medians[1] <= first.Medians[0] {
		t.Errorf("best feature: %+v", first)
	}
	if len(res.ByFold) != 8 || res.Windows[0] == 0 || res.Packets[0] < 300*8 {
		t.Errorf("%d folds, windows %v, packets %v", len(res.ByFold), res.Windows, res.Packets)
	}
}

func TestTwoSampleIsDeterministic(t *testing.T) {
	a, b := side(1, 0)[:4], side(2, 1e6)[:4]
	o := Options{Trees: 20, Resamples: 100, Seed: 5, Workers: 1}
	first, err := Test(t.Context(), a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Workers = 3
	second, err := Test(t.Context(), a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
}

// A fold's own labels must not affect its scores.
func TestTwoSampleHoldsRunsOut(t *testing.T) {
	a, b := side(1, 0)[:3], side(2, 2e6)[:3]
	folds, err := foldRuns(a, b, 100)
	if err != nil {
		t.Fatal(err)
	}
	score := func(flipped int) []float64 {
		w := newWindows(100, a, b)
		for f := range folds {
			w.addFold(f, folds[f].runs, 25)
		}
		for i, f := range w.fold {
			if f == flipped {
				w.side[i] ^= 1
			}
		}
		scores := make([]float64, w.n())
		if err := w.judge(t.Context(), 1, scores, Options{Trees: 10}); err != nil {
			t.Fatal(err)
		}
		return scores
	}
	if diff := cmp.Diff(score(-1), score(1)); diff != "" {
		t.Errorf("a fold's own labels change its scores: %s", diff)
	}
	if cmp.Equal(score(-1), score(0)) {
		t.Error("the labels of training folds do not affect the scores: the test proves nothing")
	}
}

func TestFoldsHoldSeedsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seeds := rapid.SliceOfN(rapid.Uint64Range(1, 6), 1, 8)
		var sides [2][]Run
		for s := range sides {
			for _, seed := range seeds.Draw(t, "seeds") {
				sides[s] = append(sides[s], Run{Seed: seed, Packets: make([]Packet, rapid.SampledFrom([]int{3, 10}).Draw(t, "packets"))})
			}
		}
		folds, err := foldRuns(sides[0], sides[1], 10)
		if err != nil {
			if !errors.Is(err, ErrTooFewRuns) {
				t.Fatal(err)
			}
			return
		}
		home := make(map[uint64]int)
		found := 0
		for i, f := range folds {
			for s, runs := range f.runs {
				if len(runs) == 0 {
					t.Fatalf("fold %d has no run of side %d", i, s)
				}
				for _, r := range runs {
					if at, ok := home[r.Seed]; ok && at != i {
						t.Fatalf("seed %d is in two folds", r.Seed)
					}
					home[r.Seed] = i
					found++
				}
			}
		}
		want := 0
		for _, runs := range sides {
			for _, r := range runs {
				if len(r.Packets) >= 10 {
					want++
				}
			}
		}
		if found != want {
			t.Fatalf("%d runs in folds, %d are long enough", found, want)
		}
	})
}

func TestTwoSampleNeedsRuns(t *testing.T) {
	for name, c := range map[string][2][]Run{
		"one pair":  {side(1, 0)[:1], side(2, 0)[:1]},
		"one side":  {side(1, 0), nil},
		"too short": {{exchanges(1, 1, 5, 0), exchanges(2, 1, 5, 0)}, side(2, 0)},
	} {
		if _, err := Test(t.Context(), c[0], c[1], quick); !errors.Is(err, ErrTooFewRuns) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAUC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-3, 3), 1, 40)
		if rapid.Bool().Draw(t, "ties") {
			values = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(0, 5).Draw(t, "v")) }), 1, 40)
		}
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		want := 0.0
		for _, x := range a {
			for _, y := range b {
				switch {
				case y > x:
					want++
				case y == x:
					want += 0.5
				}
			}
		}
		want /= float64(len(a) * len(b))
		if got := AUC(slices.Clone(a), slices.Clone(b)); math.Abs(got-want) > 1e-12 {
			t.Fatalf("AUC(%v, %v) = %v, want %v", a, b, got, want)
		}
	})
	if AUC(nil, []float64{1}) != 0.5 {
		t.Error("the AUC of an empty side is not 0.5")
	}
}

func TestBootstrapCoversTheFolds(t *testing.T) {
	same := []FoldAUC{{AUC: 0.7}, {AUC: 0.7}, {AUC: 0.7}}
	if mean, low, high := bootstrapMean(same, 100, 1); math.Abs(mean-0.7) > 1e-12 || math.Abs(low-0.7) > 1e-12 || math.Abs(high-0.7) > 1e-12 {
		t.Errorf("equal folds: %v [%v, %v]", mean, low, high)
	}
	mean, low, high := bootstrapMean([]FoldAUC{{AUC: 0.4}, {AUC: 0.8}}, 2000, 1)
	if math.Abs(mean-0.6) > 1e-12 || math.Abs(low-0.4) > 1e-12 || math.Abs(high-0.8) > 1e-12 { // half of the resamples have the same fold twice
		t.Errorf("two folds: %v [%v, %v]", mean, low, high)
	}
}

func TestWindowFeatures(t *testing.T) {
	run := Run{Packets: []Packet{
		{TsNs: 0, Dir: 1, Length: 100},
		{TsNs: 10e6, Dir: -1, Length: 1514},
		{TsNs: 10e6 + 20e3, Dir: -1, Length: 1514},
		{TsNs: 15e6, Dir: 1, Length: 66},
		{TsNs: 25e6, Dir: -1, Length: 200},
	}}
	w := newWindows(4, []Run{run})
	w.addFold(0, [2][]Run{{run}, nil}, 1)
	if w.n() != 1 || len(w.x) != w.width {
		t.Fatalf("%d windows, %d features, %d names", w.n(), len(w.x), len(w.names))
	}
	for name, want := range map[string]float64{
		"length of packet 0":                             -1514,
		"length of packet 2":                             66,
		"interval before packet 0, log10 s":              -2,
		"up-down: how many":                              2,
		"up-down: interval, quantile 0.5, log10 s":       -2,
		"down-down: how many":                            1,
		"down-down: intervals of 0.0147 ms to 0.0215 ms": 1,
		"up-up: interval, quantile 1, log10 s":           absent,
		"down: length, quantile 0":                       200,
		"up: length, quantile 1":                         66,
		"down of 1514 bytes: how many":                   2,
		"up of 66 bytes: how many":                       1,
		"of rarer lengths: how many":                     0,
		"down: bunches of 2 packets":                     1,
		"down: bunches of 1 packets":                     1,
		"up: bunches of 1 packets":                       1,
		"down: bytes":                                    3228,
		"duration, log10 s":                              math.Log10(0.025),
		"intervals that come twice":                      1,
	} {
		k := slices.Index(w.names, name)
		if k < 0 {
			t.Errorf("there is no feature %q", name)
			continue
		}
		if got := float64(w.x[k]); math.Abs(got-want) > 1e-5 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// The responses of the second run are 5 ms later, so each is 5 ms above its twin. If another response is nearer in time than the twin,
// the difference is between two unrelated exchanges.
func TestTwinsShowADelayInMilliseconds(t *testing.T) {
	a, b := exchanges(3, 1, 200, 0), exchanges(3, 1, 200, 5e6)
	tw := collectTwins([2][]Run{{a}, {b}})
	for n, r := range []Run{a, b} {
		tw.follow(r.Packets, n)
		var sum, count float32
		m := tw.measures[1*len(lagReaches)] // of replies down, at the shortest reach
		for i := range m.sum {
			sum, count = sum+m.sum[i], count+m.count[i]
		}
		want := float64(10*n - 5)
		if got := float64(sum / count); count < 100 || math.Abs(got-want) > 1.5 {
			t.Errorf("run %d: mean %v ms above its twins over %v, want %v", n, got, count, want)
		}
	}
}

func TestNearestMoment(t *testing.T) {
	m := []moment{{at: 1e9, lag: 1}, {at: 4e9, lag: 2}, {at: 9e9, lag: 3}}
	for at, want := range map[int64]float32{0: 1, 2e9: 1, 3.5e9: 2, 4e9: 2, 6.5e9: 0, 11e9: 3, 11.1e9: 0} {
		if got, ok := nearest(m, at); got.lag != want || ok != (want != 0) {
			t.Errorf("nearest to %d: %v, %v; want %v", at, got, ok, want)
		}
	}
}

func TestRankIn(t *testing.T) {
	v := []float32{1, 2, 2, 5, 9}
	for x, want := range map[float32]float32{1: -0.5, 2: -0.125, 5: 0.25, 9: 0.5} {
		if got := rankIn(v, x); got != want {
			t.Errorf("rank of %v: %v, want %v", x, got, want)
		}
	}
}

// A habit needs enough packets, and lags with a small spread.
func TestHabits(t *testing.T) {
	h := collectHabits([2][]Run{{exchanges(3, 1, 200, 0)}, {exchanges(3, 2, 200, 0)}})
	if len(h.intervals) == 0 || len(h.lags[0]) == 0 {
		t.Fatal("no habits")
	}
	for k, v := range h.lags[1] {
		if n := len(v); n < leastLike || v[n*3/4]-v[n/4] > lagSpreads[1] || k[0] == k[2] || !slices.IsSorted(v) {
			t.Errorf("%v is a habit of %d lags, %v to %v", k, n, v[0], v[n-1])
		}
	}
	if h := collectHabits([2][]Run{{exchanges(3, 1, 1, 0)}, nil}); len(h.intervals) > 0 {
		t.Error("a habit from one exchange")
	}
}
