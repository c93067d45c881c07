package gateway

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// dice draws what rand.Rand draws from the same source, without its calls through an interface.
type dice struct{ pcg *rand.PCG }

func newDice(seed1, seed2 uint64) dice { return dice{rand.NewPCG(seed1, seed2)} }

// UpTo returns a number from 0 to most, as rand.Rand.Int64N(most+1) does (Lemire 2019, "Fast random integer generation in an
// interval").
func (d dice) UpTo(most int64) int64 {
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

// odds is a probability in steps of 2^-53.
type odds uint64

func oddsOf(p float64) odds { return odds(math.Ceil(min(max(p, 0), 1) * (1 << 53))) }

// Happens tells whether something of these odds happens, as rand.Rand.Float64() < p does.
func (d dice) Happens(o odds) bool { return odds(d.pcg.Uint64()&(1<<53-1)) < o }
