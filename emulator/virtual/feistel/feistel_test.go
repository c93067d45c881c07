package feistel

import (
	"math/rand/v2"
	"testing"
)

// A round can be taken back, and changes what it is given.
func TestInverse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	same := 0
	for range 1000 {
		v, key := r.Uint64(), r.Uint64()
		if got := Inverse(Round(v, key), key); got != v {
			t.Fatalf("%x with key %x comes back as %x", v, key, got)
		}
		if Round(v, key) == v {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d of 1000 numbers are not changed", same)
	}
}
