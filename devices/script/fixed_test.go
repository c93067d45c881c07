package script

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

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
