package distributions

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestApart(t *testing.T) {
	for _, c := range []struct {
		a, b   []float64
		ks, w1 float64
	}{
		{[]float64{1, 2}, []float64{1, 2}, 0, 0},
		{[]float64{0, 0, 0}, []float64{1, 1}, 1, 1},
		{[]float64{1, 2, 3}, []float64{2, 3, 4}, 1.0 / 3, 1},
		{[]float64{0, 10}, []float64{0, 0, 0, 10}, 0.25, 2.5},
		{[]float64{5}, []float64{1, 9}, 0.5, 4},
	} {
		d := Compare("x", "s", c.a, c.b)
		ks, w1 := d.KS, d.W1
		if math.Abs(ks-c.ks) > 1e-12 || math.Abs(w1-c.w1) > 1e-12 {
			t.Errorf("%v, %v: KS %v, W1 %v; want %v, %v", c.a, c.b, ks, w1, c.ks, c.w1)
		}
	}
}

// The definitions, spelt out, are the oracle.
func TestApartAgreesWithTheDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(0, 9).Draw(t, "v")) }), 1, 30)
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		slices.Sort(a)
		slices.Sort(b)
		share := func(v []float64, x float64) float64 {
			n := 0
			for _, y := range v {
				if y <= x {
					n++
				}
			}
			return float64(n) / float64(len(v))
		}
		wantKS, wantW1 := 0.0, 0.0
		for x := range 10 {
			d := math.Abs(share(a, float64(x)) - share(b, float64(x)))
			wantKS, wantW1 = max(wantKS, d), wantW1+d
		}
		dist := Compare("x", "s", a, b)
		if ks, w1 := dist.KS, dist.W1; math.Abs(ks-wantKS) > 1e-9 || math.Abs(w1-wantW1) > 1e-9 {
			t.Fatalf("%v, %v: KS %v, W1 %v; want %v, %v", a, b, ks, w1, wantKS, wantW1)
		}
	})
}

func TestDistanceOfEmptySides(t *testing.T) {
	if d := Compare("x", "s", nil, []float64{3, 1, 2}); d.KS != 0 || d.N != [2]int{0, 3} || d.Medians != [2]float64{0, 2} || d.P99[1] != 3 {
		t.Errorf("%+v", d)
	}
}
