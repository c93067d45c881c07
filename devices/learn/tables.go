package learn

import (
	"math"
	"math/rand/v2"
)

// enoughForTable is how many values a table of quantiles is made from at least.
const enoughForTable = 20

// spreadOf returns up to 51 quantiles of a sorted sample in equal steps; nil of a small one. The first and last value are not
// quite the extremes, or one straggler would pull a whole step with it.
func spreadOf(g []int64) []int64 {
	if len(g) < enoughForTable {
		return nil
	}
	n := min(len(g)/4, 50)
	out := make([]int64, n+1)
	for i := range out {
		q := min(max(float64(i)/float64(n), 0.002), 0.998)
		out[i] = quantile(g, q)
	}
	return out
}

// less takes from each quantile of a table what another has there, never below 0.
func less(table, other []int64) []int64 {
	out := make([]int64, len(table))
	for i, v := range table {
		if len(other) > 0 {
			v -= other[i*(len(other)-1)/max(len(table)-1, 1)]
		}
		if out[i] = max(v, 0); i > 0 {
			out[i] = max(out[i], out[i-1])
		}
	}
	return out
}

// lateness returns quantiles of how late beats are on their grid, ns, and how that depends on the beat before; nil where there are too few. The grid of a beat is where most
// of its neighbours are: their median, or, where most beats are on time and some are late, the middle of the closest ones. Of
// the two that one is taken whose beats have the gaps that were seen.
func lateness(gaps []int64, period, tolerance int64) (best []int64, next [][]int64) {
	least := math.Inf(1)
	for _, grid := range []struct {
		around int
		centre func([]int64) int64
	}{{15, func(v []int64) int64 { return v[len(v)/2] }}, {7, densest}} {
		late, near := strays(gaps, period, tolerance, grid.around, grid.centre)
		if len(late) < 40 {
			continue
		}
		table := spreadOf(sorted(late))
		if d := apart(near, table); d < least {
			best, least, next = table, d, chainOf(late, table, leastLate)
		}
	}
	return best, next
}

// leastLate is the square of Cramér's V from which on lateness depends on the beat before: below it may be what the grid, which is found
// from the same beats, brings in.
const leastLate = 0.05

// strays returns how late each beat is, and the gaps between them without the period; the first in
// their order, the second sorted. A gap beyond the tolerance
// begins a new grid.
func strays(gaps []int64, period, tolerance int64, around int, centre func(sorted []int64) int64) (late, near []int64) {
	beats := []int64{0}
	flush := func() {
		for i := range beats {
			if len(beats) > 2*around {
				late = append(late, beats[i]-centre(sorted(beats[max(0, i-around):min(len(beats), i+around+1)])))
			}
		}
		beats = []int64{0}
	}
	for _, g := range gaps {
		if d := g - period; d < -tolerance || d > tolerance {
			flush()
		} else {
			beats = append(beats, beats[len(beats)-1]+d)
			near = append(near, d)
		}
	}
	flush()
	return late, sorted(near)
}

// densest returns the middle of the shortest stretch that holds two in five of the values.
func densest(sorted []int64) int64 {
	n := max(len(sorted)*2/5, 2)
	best, at := int64(math.MaxInt64), 0
	for i := 0; i+n <= len(sorted); i++ {
		if w := sorted[i+n-1] - sorted[i]; w < best {
			best, at = w, i
		}
	}
	return sorted[min(at+n/2, len(sorted)-1)]
}

// apart returns the Kolmogorov-Smirnov distance of gaps and those that a table of lateness makes. It draws with a fixed seed.
func apart(near, table []int64) float64 {
	const draws = 4000
	r := rand.New(rand.NewPCG(1, 0x67617073))
	draw := func() int64 {
		i := r.IntN(len(table) - 1)
		return table[i] + r.Int64N(table[i+1]-table[i]+1)
	}
	made := make([]int64, draws)
	last := draw()
	for i := range made {
		next := draw()
		made[i], last = next-last, next
	}
	made = sorted(made)
	most, j := 0.0, 0
	for i, v := range near {
		for j < len(made) && made[j] <= v {
			j++
		}
		most = max(most, math.Abs(float64(i+1)/float64(len(near))-float64(j)/draws))
	}
	return most
}
