package draw_test

import (
	"math"
	"slices"
	"testing"

	"glasshouse/devices/draw"
)

func TestExponential(t *testing.T) {
	const n, mean = 200_000, int64(1e12)
	d := draw.New(1, "test")
	xs := make([]int64, n)
	sum := 0.0
	for i := range xs {
		xs[i] = d.Exponential(mean)
		sum += float64(xs[i])
	}
	if m := sum / n; math.Abs(m/float64(mean)-1) > 0.01 {
		t.Errorf("mean %g, want %d", m, mean)
	}
	slices.Sort(xs)
	for _, q := range []float64{0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99} {
		want := -math.Log(1-q) * float64(mean)
		deviation := math.Sqrt(q*(1-q)/n) / (1 - q) * float64(mean)
		if got := float64(xs[int(q*n)]); math.Abs(got-want) > 4*deviation {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
}

func TestDrawsStayInside(t *testing.T) {
	d := draw.New(9, "test")
	seen := make(map[int64]bool)
	for range 1000 {
		n := d.In(draw.Range{Min: -2, Max: 2})
		if n < -2 || n > 2 {
			t.Fatalf("%d is outside of -2 to 2", n)
		}
		seen[n] = true
	}
	if len(seen) != 5 {
		t.Errorf("drew only %v", seen)
	}
	if d.Chance(0) || !d.Chance(1_000_000) || d.N(0) != 0 || d.In(draw.Range{Min: 4, Max: 4}) != 4 {
		t.Error("a certain draw was not certain")
	}
}
