package testbed

import (
	"math"
	"testing"
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
		d := DistanceOf("x", "s", c.a, c.b)
		ks, w1 := d.KS, d.W1
		if math.Abs(ks-c.ks) > 1e-12 || math.Abs(w1-c.w1) > 1e-12 {
			t.Errorf("%v, %v: KS %v, W1 %v; want %v, %v", c.a, c.b, ks, w1, c.ks, c.w1)
		}
	}
}
