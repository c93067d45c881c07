// Package distributions says how far two samples of one quantity are apart: Kolmogorov-Smirnov, Wasserstein-1 and quantiles.
package distributions

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Distance says how far apart the distributions of one quantity are on the two sides.
type Distance struct {
	Name    string     `json:"name"`
	Unit    string     `json:"unit"`
	N       [2]int     `json:"n"`
	KS      float64    `json:"ks"` // Kolmogorov-Smirnov: the largest difference of the distribution functions, 0 to 1
	W1      float64    `json:"w1"` // Wasserstein-1: how far, on average, a value must move, in Unit
	Medians [2]float64 `json:"medians"`
	P90     [2]float64 `json:"p90"`
	P99     [2]float64 `json:"p99"`
}

// Compare compares two samples, which it sorts. Where one is empty, KS and W1 are 0 and N tells.
func Compare(name, unit string, a, b []float64) Distance {
	d := Distance{Name: name, Unit: unit, N: [2]int{len(a), len(b)}}
	for side, v := range [2][]float64{a, b} {
		slices.Sort(v)
		if len(v) > 0 {
			d.Medians[side], d.P90[side], d.P99[side] = Quantile(v, 0.5), Quantile(v, 0.9), Quantile(v, 0.99)
		}
	}
	if len(a) > 0 && len(b) > 0 {
		d.KS = stat.KolmogorovSmirnov(a, nil, b, nil)
		d.W1 = stat.WassersteinDistance(a, b, nil, nil)
	}
	return d
}

// Quantile returns the smallest value that a share q of sorted values does not exceed.
func Quantile(v []float64, q float64) float64 {
	return v[min(max(int(math.Ceil(q*float64(len(v))))-1, 0), len(v)-1)]
}
