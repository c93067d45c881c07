package tree

import (
	"math"
	"testing"

	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/exact"
	"glasshouse/classifier/feature"
	"glasshouse/classifier/stat"
)

// With a quarter of the labels drawn at random, the probability of the likeliest class is what it is in truth.
func TestBoostedTreesKnowHowSureTheyAre(t *testing.T) {
	x, y := classifiertest.Clusters(20_000, 4, 0.25, 1)
	xt, yt := classifiertest.Clusters(8000, 4, 0.25, 2)
	m := growBoosted(t, x, y, 4, 2)
	probs := make([]float32, 4)
	sum := 0.0
	for i := range yt {
		m.Predict(xt[i*feature.NumFeatures:(i+1)*feature.NumFeatures], probs)
		sum += float64(probs[stat.Argmax(probs)])
	}
	sure, right := sum/float64(len(yt)), accuracy(m, 4, xt, yt)
	if want := 0.75 + 0.25/4; math.Abs(right-want) > 0.02 || math.Abs(sure-right) > 0.03 {
		t.Errorf("right %.3f (best possible: %.3f), sure %.3f", right, want, sure)
	}
}

// The first tree's root splits where a slow search over real numbers finds the largest gain.
func TestBoostedRootAgreesWithASlowSearch(t *testing.T) {
	x, y := classifiertest.Clusters(2000, 3, 0.1, 5)
	tab := NewTable(x, y, 3, 1)
	m, err := GrowBoost(t.Context(), tab, BoostOptions{Rounds: 1, Leaves: 2, Rate: 1, MinHessian: 1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for class := range 3 {
		p := math.Exp(float64(m.Base[class]))
		gain := func(f int, cut float32) float64 {
			var g, h [2]float64
			for i, c := range y {
				side := stat.Indicator(x[i*feature.NumFeatures+f] > cut)
				g[side] += p - float64(stat.Indicator(int(c) == class))
				h[side] += p * (1 - p)
			}
			return g[0]*g[0]/(h[0]+1) + g[1]*g[1]/(h[1]+1)
		}
		best := 0.0
		for f, cuts := range tab.cuts {
			for _, c := range cuts {
				best = max(best, gain(f, c))
			}
		}
		root := m.Trees[class].Nodes[0]
		if got := gain(int(root.Feature), root.Cut); got < 0.999*best {
			t.Errorf("class %d: gain %.2f, the best is %.2f", class, got, best)
		}
	}
}

func TestOwnExponentialAndLogarithm(t *testing.T) {
	for x := -50.0; x < 50; x += 0.0137 {
		if got, want := exact.Exp(x), math.Exp(x); math.Abs(got-want) > 1e-13*want {
			t.Fatalf("exp(%v) = %v, not %v", x, got, want)
		}
	}
	for x := 1e-7; x < 100; x *= 1.37 {
		if got, want := exact.Log(x), math.Log(x); math.Abs(got-want) > 1e-13 {
			t.Fatalf("log(%v) = %v, not %v", x, got, want)
		}
	}
	if exact.Exp(math.NaN()) != 0 || exact.Exp(-1e9) != 0 || !math.IsInf(exact.Exp(1e9), 1) {
		t.Error("values out of range")
	}
}
