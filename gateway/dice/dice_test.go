package dice

import (
	"math/rand/v2"
	"testing"
)

func TestDiceAreRandsOwn(t *testing.T) {
	d, r := New(1, 2), rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		most := int64(i % 1000)
		if i%3 == 0 {
			most = 1<<62 + int64(i) // often drawn again
		}
		if got, want := d.UpTo(most), r.Int64N(most+1); got != want {
			t.Fatalf("to %d: %d, want %d", most, got, want)
		}
		p := []float64{0, 1e-18, 1e-4, 0.1, 0.5, 1 - 1e-16, 1}[i%7]
		if got, want := d.Happens(OddsOf(p)), r.Float64() < p; got != want {
			t.Fatalf("odds of %g: %v, want %v", p, got, want)
		}
	}
}
