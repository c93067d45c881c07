package tree

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/feature"
	"glasshouse/classifier/stat"
)

func grow(tb testing.TB, x []float32, y []uint8, classes, workers int) *Forest {
	tb.Helper()
	f, err := GrowForest(tb.Context(), NewTable(x, y, classes, workers), ForestOptions{Trees: 20, Workers: workers, Seed: 9})
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func growBoosted(tb testing.TB, x []float32, y []uint8, classes, workers int) *Boost {
	tb.Helper()
	m, err := GrowBoost(tb.Context(), NewTable(x, y, classes, workers), BoostOptions{Rounds: 25, Leaves: 8, Rate: 0.3, Workers: workers, Seed: 9})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

type predictor interface {
	Predict(x, probs []float32)
	Marshal() []byte
}

// treeKind makes trees of a kind.
type treeKind struct {
	kind string
	grow func(x []float32, y []uint8, classes, workers int) predictor
}

func treeKinds(tb testing.TB) []treeKind {
	tb.Helper()
	return []treeKind{
		{"forest", func(x []float32, y []uint8, classes, workers int) predictor {
			return grow(tb, x, y, classes, workers)
		}},
		{"boost", func(x []float32, y []uint8, classes, workers int) predictor {
			return growBoosted(tb, x, y, classes, workers)
		}},
	}
}

func accuracy(f predictor, classes int, x []float32, y []uint8) float64 {
	right := 0
	probs := make([]float32, classes)
	for i, c := range y {
		f.Predict(x[i*feature.NumFeatures:(i+1)*feature.NumFeatures], probs)
		if stat.Argmax(probs) == int(c) {
			right++
		}
	}
	return float64(right) / float64(len(y))
}

func TestTreesLearn(t *testing.T) {
	x, y := classifiertest.Clusters(4000, 6, 0, 1)
	xt, yt := classifiertest.Clusters(2000, 6, 0, 2)
	for _, g := range treeKinds(t) {
		if a := accuracy(g.grow(x, y, 6, 2), 6, xt, yt); a < 0.99 {
			t.Errorf("%s: accuracy %.3f on classes that do not overlap", g.kind, a)
		}
	}
}

// With labels that mean nothing trees score at chance on what they have not seen.
func TestTreesOfPermutedLabelsScoreAtChance(t *testing.T) {
	x, _ := classifiertest.Clusters(4000, 4, 0, 1)
	r := rand.New(rand.NewPCG(3, 3))
	y := make([]uint8, 4000)
	for i := range y {
		y[i] = uint8(r.IntN(4))
	}
	xt, yt := classifiertest.Clusters(4000, 4, 0, 2)
	r.Shuffle(len(yt), func(i, j int) { yt[i], yt[j] = yt[j], yt[i] })
	for _, g := range treeKinds(t) {
		if a := accuracy(g.grow(x, y, 4, 2), 4, xt, yt); math.Abs(a-0.25) > 0.035 { // 5 standard deviations
			t.Errorf("%s: accuracy %.3f, chance is 0.25", g.kind, a)
		}
	}
}

func TestTreesAreDeterministic(t *testing.T) {
	x, y := classifiertest.Clusters(3000, 5, 0.2, 1)
	for _, g := range treeKinds(t) {
		first := g.grow(x, y, 5, 1).Marshal()
		for _, workers := range []int{1, 2, 3, 4, 8} {
			if !bytes.Equal(first, g.grow(x, y, 5, workers).Marshal()) {
				t.Errorf("%s: %d workers grow other trees", g.kind, workers)
			}
		}
	}
}

func TestQuantileCutsSeparateDistinctValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float32Range(-1e6, 1e6), 1, 400).Draw(t, "values")
		sorted := slices.Sorted(slices.Values(v))
		cuts := quantileCuts(sorted)
		if len(cuts) >= maxBins {
			t.Fatalf("%d cuts", len(cuts))
		}
		for i := 1; i < len(cuts); i++ {
			if cuts[i] <= cuts[i-1] {
				t.Fatalf("cuts out of order: %v", cuts)
			}
		}
		for _, a := range v { // the split that a tree stores agrees with the bins
			b := int(binOf(cuts, a))
			if b > 0 && a <= cuts[b-1] || b < len(cuts) && a > cuts[b] {
				t.Fatalf("%v lies in bin %d of %v", a, b, cuts)
			}
		}
	})
}

// A very common value can be told from its neighbours on either side, however rare they are; there are never too many bins.
func TestCommonValuesHaveBinsOfTheirOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		heavy := rapid.SliceOfNDistinct(rapid.IntRange(0, 999), 1, 120, rapid.ID).Draw(t, "heavy")
		var v []float32
		for i := range 1000 {
			v = append(v, float32(i))
		}
		for _, h := range heavy {
			for range 40_000 / len(heavy) {
				v = append(v, float32(h))
			}
		}
		slices.Sort(v)
		cuts := quantileCuts(v)
		if len(cuts) >= maxBins {
			t.Fatalf("%d cuts", len(cuts))
		}
		for _, h := range heavy {
			if 40_000/len(heavy)*(maxBins/2) < len(v) {
				continue
			}
			b := binOf(cuts, float32(h))
			if h > 0 && binOf(cuts, float32(h-1)) == b || h < 999 && binOf(cuts, float32(h+1)) == b {
				t.Fatalf("%d shares its bin", h)
			}
		}
	})
}

func BenchmarkTrain(b *testing.B) {
	x, y := classifiertest.Clusters(50_000, 10, 0.2, 1)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			for b.Loop() {
				if _, err := GrowForest(b.Context(), NewTable(x, y, 10, workers), ForestOptions{Trees: 20, Workers: workers, Seed: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
