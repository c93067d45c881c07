// Package draw draws numbers for scripts and homes from seeded streams, by integer arithmetic alone: every machine draws the same.
// A stream is used from one goroutine at a time.
package draw

import (
	"hash/fnv"
	"math"
	"math/bits"
	"math/rand/v2"
)

// Stream is one stream of random numbers. All draws are integers, so that every machine draws the same: no function of
// package math that rounds is used.
type Stream struct{ pcg *rand.PCG }

// New returns the stream of a seed that serves one purpose. Streams of different purposes are independent: a new
// purpose does not disturb the draws of another.
func New(seed uint64, purpose string) *Stream {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose)) // a hash never fails
	return &Stream{pcg: rand.NewPCG(seed, h.Sum64())}
}

// Uint64 returns 64 random bits.
func (d *Stream) Uint64() uint64 { return d.pcg.Uint64() }

// N returns a number from 0 to n-1; 0 where n < 1. Its bias is below n / 2^64.
func (d *Stream) N(n int64) int64 {
	if n < 1 {
		return 0
	}
	hi, _ := bits.Mul64(d.pcg.Uint64(), uint64(n))
	return int64(hi)
}

// In returns a number of the range. A range of one value draws nothing.
func (d *Stream) In(r Range) int64 {
	if r.Max <= r.Min {
		return r.Min
	}
	return r.Min + d.N(r.Max-r.Min+1)
}

// Quantile draws from a distribution that is given by its quantiles, in equal steps; 0 where there are none.
func (d *Stream) Quantile(q []int64) int64 {
	if len(q) < 2 {
		return 0
	}
	i := d.N(int64(len(q) - 1))
	return d.In(Range{Min: q[i], Max: q[i+1]})
}

// Chain says how each value of a distribution depends on the one before it. Its n states share the steps between the
// distribution's quantiles evenly, in their order; row i holds the weights of the next value's state where the last value's was i.
type Chain [][]int64

// Follow draws from a distribution that is given by its quantiles as Quantile does, but for the state, which depends on the last
// one and is kept in state: -1 before the first draw. Without a chain it is Quantile.
func (d *Stream) Follow(q []int64, next Chain, state *int) int64 {
	n := int64(len(next))
	if n < 1 || int64(len(q)) <= n {
		return d.Quantile(q)
	}
	if *state < 0 || *state >= len(next) {
		*state = int(d.N(n))
	} else {
		total := int64(0)
		for _, w := range next[*state] {
			total += w
		}
		at := d.N(total)
		for k, w := range next[*state] {
			if at -= w; at < 0 {
				*state = k
				break
			}
		}
	}
	steps := int64(len(q) - 1)
	lo, hi := int64(*state)*steps/n, (int64(*state)+1)*steps/n
	i := lo + d.N(hi-lo)
	return d.In(Range{Min: q[i], Max: q[i+1]})
}

// Chance is true with a probability of ppm parts per million. 0 and a million draw nothing.
func (d *Stream) Chance(ppm int64) bool {
	if ppm <= 0 || ppm >= 1e6 {
		return ppm > 0
	}
	return d.N(1e6) < ppm
}

// Exponential returns a waiting time with this mean: between the acts of a person who acts at random. It is von
// Neumann's method, which compares uniform numbers and computes no logarithm.
func (d *Stream) Exponential(mean int64) int64 {
	if mean < 1 {
		return 0
	}
	for whole := int64(0); ; whole++ {
		first := d.pcg.Uint64()
		last, odd := first, true
		for {
			next := d.pcg.Uint64()
			if next >= last {
				break
			}
			last, odd = next, !odd
		}
		if !odd {
			continue // this unit of time passes
		}
		fraction, _ := bits.Mul64(first, uint64(mean))
		hi, lo := bits.Mul64(uint64(whole), uint64(mean))
		if hi > 0 || lo > math.MaxInt64-fraction {
			return math.MaxInt64
		}
		return int64(lo + fraction)
	}
}

// Range is drawn from uniformly, both ends included.
type Range struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}
