package devices

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestExponential(t *testing.T) {
	const n, mean = 200_000, int64(1e12)
	d := NewDraws(1, "test")
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

func TestScaleAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, num := rapid.Int64Min(0).Draw(t, "x"), rapid.Int64Min(0).Draw(t, "num")
		den := rapid.Int64Min(1).Draw(t, "den")
		want := new(big.Int).Mul(big.NewInt(x), big.NewInt(num))
		want.Div(want, big.NewInt(den))
		if !want.IsInt64() {
			want.SetInt64(math.MaxInt64)
		}
		if got := scale(x, num, den); got != want.Int64() {
			t.Fatalf("scale(%d, %d, %d) = %d, want %d", x, num, den, got, want)
		}
	})
}

func TestStretch(t *testing.T) {
	for _, c := range [][3]int64{{1e9, 0, 1e9}, {1e9, 1000, 1e9 + 1000}, {1e9, -1000, 1e9 - 1000}, {1e18, 50_000, 1e18 + 5e13}} {
		if got := stretch(c[0], c[1]); got != c[2] {
			t.Errorf("stretch(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestDrawsStayInside(t *testing.T) {
	d := NewDraws(9, "test")
	seen := make(map[int64]bool)
	for range 1000 {
		n := d.In(Range{-2, 2})
		if n < -2 || n > 2 {
			t.Fatalf("%d is outside of -2 to 2", n)
		}
		seen[n] = true
	}
	if len(seen) != 5 {
		t.Errorf("drew only %v", seen)
	}
	if d.Chance(0) || !d.Chance(million) || d.N(0) != 0 || d.In(Range{4, 4}) != 4 {
		t.Error("a certain draw was not certain")
	}
}

func TestMeanGap(t *testing.T) {
	for _, c := range []struct {
		perDay, habit, density float64
		want                   int64
	}{
		{24, 1, 1, 3600e9}, {24, 2, 3, 600e9}, {0, 1, 1, math.MaxInt64}, {24, 1, 0, math.MaxInt64}, {24, 1, math.NaN(), math.MaxInt64},
	} {
		if got := meanGap(micros(c.perDay), micros(c.habit), micros(c.density)); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
