// Package dice draws whole numbers and chances from a seeded generator by integer arithmetic alone, so that every build draws the same.
// A Dice is its user's own: it has no lock.
package dice

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// Dice draws what rand.Rand draws from the same source, without its calls through an interface.
type Dice struct{ pcg *rand.PCG }

// New returns the dice of a stream, which two seeds name.
func New(seed1, seed2 uint64) Dice { return Dice{rand.NewPCG(seed1, seed2)} }

// UpTo returns a number from 0 to most, as rand.Rand.Int64N(most+1) does (Lemire 2019, "Fast random integer generation in an
// interval").
func (d Dice) UpTo(most int64) int64 {
	n := uint64(most) + 1
	if n&(n-1) == 0 {
		return int64(d.pcg.Uint64() & (n - 1))
	}
	hi, lo := bits.Mul64(d.pcg.Uint64(), n)
	if lo < n {
		for least := -n % n; lo < least; {
			hi, lo = bits.Mul64(d.pcg.Uint64(), n)
		}
	}
	return int64(hi)
}

// Odds is a probability in steps of 2^-53.
type Odds uint64

// OddsOf rounds a probability up to a step; it is clamped to [0, 1].
func OddsOf(p float64) Odds { return Odds(math.Ceil(min(max(p, 0), 1) * (1 << 53))) }

// Happens tells whether something of these odds happens, as rand.Rand.Float64() < p does.
func (d Dice) Happens(o Odds) bool { return Odds(d.pcg.Uint64()&(1<<53-1)) < o }
