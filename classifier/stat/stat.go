// Package stat has the statistics of scores: ratios, quantiles, and bootstrap intervals over homes.
package stat

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a 95 % confidence interval: its lower and upper end.
type Interval [2]float64

// Intervals are percentiles of Resamples bootstrap samples, of confidence Level.
const (
	Resamples    = 1000
	ResampleSeed = 20201001 // fixed, so that intervals are reproducible
	Level        = 0.95
)

// Resample calls yield with Resamples bootstrap samples: as many homes as there are, drawn with replacement. The draws depend on the
// number of homes alone, so that two models on the same homes are compared in pairs.
func Resample(homes int, yield func(drawn []int)) {
	r := rand.New(rand.NewPCG(ResampleSeed, uint64(homes)))
	drawn := make([]int, homes)
	for range Resamples {
		for i := range drawn {
			drawn[i] = r.IntN(homes)
		}
		yield(drawn)
	}
}

// Percentiles returns the 95 % interval of a statistic's resamples over n homes, widened for small n.
func Percentiles(v []float64, n int) Interval {
	slices.Sort(v)
	tail := normal(-math.Sqrt(float64(n)/float64(n-1)) * studentT(n-1))
	return Interval{quantile(v, tail), quantile(v, 1-tail)}
}

// quantile interpolates between sorted values.
func quantile(v []float64, q float64) float64 {
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}

// normal is the distribution function of the standard normal distribution.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// studentT is the 97.5 % quantile of Student's t: tabulated up to 30 degrees of freedom, Cornish-Fisher's expansion above.
func studentT(df int) float64 {
	table := [...]float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
		2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}
	if df <= len(table) {
		return table[df-1]
	}
	const z = 1.959964
	return z + (z*z*z+z)/(4*float64(df))
}

// Bootstrap returns the 95 % interval of a figure over homes. figure computes it for drawn homes, as many as there are, with
// replacement. The draws depend on the number of homes alone, so the difference of two figures of the same homes can be a figure, too.
// It returns false for fewer than two homes.
func Bootstrap(homes int, figure func(drawn []int) float64) (Interval, bool) {
	if homes < 2 {
		return Interval{}, false
	}
	v := make([]float64, 0, Resamples)
	Resample(homes, func(drawn []int) { v = append(v, figure(drawn)) })
	return Percentiles(v, homes), true
}

// Ratio is a divided by b, or 0 where b is 0.
func Ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Mean is the arithmetic mean; 0 for no values.
func Mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(max(len(v), 1))
}

// Median returns 0 for an empty slice.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return quantile(v, 0.5)
}

// Indicator is 1 where its argument is true, else 0.
func Indicator(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Argmax returns the index of the largest value; of equal ones the first.
func Argmax(p []float32) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}
