package script

import (
	"math"
	"math/bits"
)

const million = 1_000_000

// scale returns x * num / den, rounded down, through 128 bits; MaxInt64 where it would not fit. All are non-negative.
func scale(x, num, den int64) int64 {
	if den <= 0 {
		return math.MaxInt64
	}
	hi, lo := bits.Mul64(uint64(x), uint64(num))
	if hi >= uint64(den) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(den))
	if q > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(q)
}

// stretch returns a time by a clock that errs by drift parts per billion: positive clocks are slow, their periods long.
func stretch(t, drift int64) int64 {
	const billion = 1_000_000_000
	if drift < 0 {
		return t - scale(t, -drift, billion)
	}
	return t + scale(t, drift, billion)
}

// micros converts a factor to millionths; the multiplication is rounded by itself, never fused with the addition.
func micros(f float64) int64 {
	m := math.Round(f * million)
	switch {
	case !(m > 0):
		return 0
	case m > 1e15:
		return 1e15
	}
	return int64(m)
}
