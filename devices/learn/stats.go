package learn

import (
	"slices"
	"time"
)

// quantile of a sorted sample; 0 of none.
func quantile(sorted []int64, q float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func sorted(v []int64) []int64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v
}

// Rhythm is when something happens: by a period, or else by quantiles of its gaps.
type Rhythm struct {
	N      int     // gaps that it was learned from
	Period int64   // ns; 0 = there is none
	Jitter int64   // ns each way around the beat
	Late   []int64 // ns: quantiles of how late beats are, where the period is kept and there are enough of them
	Slips  []int64 `json:",omitempty"` // ns: quantiles of how far the grid moves after a beat where it does
	Slip   float64 // share of the beats after which it does
	Share  float64
	Gaps   []int64   // ns: quantiles in equal steps, where there is no period
	Next   [][]int64 `json:",omitempty"` // weights of what follows what in Late or Gaps, where it does not come by itself
	First  []int64   `json:",omitempty"` // ns: quantiles from the line's opening, which restarts the rhythm, to the first beat
	P10    int64
	P50    int64
	P90    int64
}

// longestGap is the longest that a profile may have, ns: what is longer is a hole in the recording, or a clock that was set.
const longestGap = int64(28 * 24 * time.Hour)

// rhythmOf learns from gaps, ns. A period is one where four in five gaps lie within one part in a hundred (or 20 ms) of the
// median; else the distribution is kept.
func rhythmOf(gaps []int64) Rhythm {
	gaps = slices.DeleteFunc(slices.Clone(gaps), func(g int64) bool { return g > longestGap })
	g := sorted(gaps)
	r := Rhythm{N: len(g), P10: quantile(g, 0.1), P50: quantile(g, 0.5), P90: quantile(g, 0.9)}
	if len(g) == 0 {
		return r
	}
	tolerance := max(r.P50/100, 20e6)
	near := 0
	for _, v := range g {
		if v >= r.P50-tolerance && v <= r.P50+tolerance {
			near++
		}
	}
	r.Share = float64(near) / float64(len(g))
	if r.Share >= 0.8 {
		r.Period = r.P50
		// The difference of two beats' jitter, each uniform on both sides, has its p90 at 1.106 of it.
		r.Jitter = min(int64(float64(r.P90-r.P10)/2/1.106), r.P50/2)
	}
	grid := r.Period > 0 && onGrid(gaps, r.P50, tolerance, 2*(r.P90-r.P10))
	if near := min(tolerance, max(r.P50/2000, 20e6)); grid && len(g) >= 40 && r.Share >= 0.9 {
		if r.Late, r.Next = lateness(gaps, r.Period, near); r.Late != nil {
			r.slips(g, near)
		}
	}
	if r.Period == 0 || len(g) >= 40 && r.Late == nil && (r.Share < 0.95 || !grid) {
		r.Gaps = quantiles(g, min(max(2, len(g)/3), 100))
		r.Next = chainOf(gaps, r.Gaps, 0)
	}
	return r
}

// slips learns how often and how far the grid moves: by what the gaps beyond the tolerance differ from the period. Those that are less
// than half a period, or more than one and a half, are left out: beats that are missing or come twice are no slips.
func (r *Rhythm) slips(sorted []int64, tolerance int64) {
	var by []int64
	for _, g := range sorted {
		d := g - r.Period
		if (d < -tolerance || d > tolerance) && d > -r.Period/2 && d < r.Period/2 {
			by = append(by, d)
		}
	}
	if len(by) >= 5 {
		r.Slip, r.Slips = float64(len(by))/float64(len(sorted)), whole(by)
	}
}

// onGrid tells whether beats keep to a grid, from which each strays by itself: a long gap is then followed by a short one, their
// correlation being -0.5. Where each beat is timed from the one before, it is 0. Gaps further off than most count as that far.
func onGrid(gaps []int64, median, tolerance, most int64) bool {
	var covariance, variance float64
	last, has := 0.0, false
	for _, g := range gaps {
		d := float64(min(max(g-median, -most), most))
		if g < median-tolerance || g > median+tolerance {
			has = false
			continue
		}
		if has {
			covariance += last * d
			variance += last * last
		}
		last, has = d, true
	}
	return covariance < -0.25*variance
}

// quantiles returns n+1 of them, in equal steps. The last is where the mean of what lies beyond the one before it is kept: a
// single long silence must not make the device slow.
func quantiles(g []int64, n int) []int64 {
	var out []int64
	for i := range n {
		out = append(out, max(quantile(g, float64(i)/float64(n)), 100e6))
	}
	tail := g[int(float64(n-1)/float64(n)*float64(len(g)-1)+0.5):]
	sum := int64(0)
	for _, v := range tail {
		sum += v
	}
	last := out[len(out)-1]
	return append(out, min(max(last, 2*(sum/int64(len(tail)))-last), longestGap))
}
