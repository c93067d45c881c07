// Package exact has elementary functions that give the same bits on every processor, with or without fused multiply-add, so that
// training from a seed gives the same file everywhere.
package exact

import "math"

// Exp is e to the power of x, with a relative error below 1e-13. It replaces math.Exp, which uses fused multiply-add where available; the
// conversions below keep the compiler from fusing.
func Exp(x float64) float64 {
	switch {
	case !(x > -700): // NaN included
		return 0
	case x > 700:
		return math.Inf(1)
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(k*6.93147180369123816490e-01) // ln 2 in two parts
	r -= float64(k * 1.90821492927058770002e-10)
	p := 1.0
	for n := 12; n > 0; n-- { // Taylor; |r| <= 0.35
		p = float64(p*r)/float64(n) + 1
	}
	return p * math.Float64frombits(uint64(int64(k)+1023)<<52)
}

// Log is the natural logarithm of x > 0, by Newton's method on Exp.
func Log(x float64) float64 {
	y := 0.0
	for range 100 {
		step := float64(x*Exp(-y)) - 1
		y += max(min(step, 1), -1)
		if math.Abs(step) < 1e-15 {
			break
		}
	}
	return y
}

// LogFast is the natural logarithm of x > 0, within 1e-13.
func LogFast(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	s := (m - 1) / (m + 1) // |s| <= 0.172
	s2 := float64(s * s)
	p := 0.0
	for n := 17; n > 0; n -= 2 {
		p = float64(p*s2) + 1/float64(n)
	}
	return float64(2*s*p) + float64(float64(e)*math.Ln2)
}
