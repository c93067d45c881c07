package wire

import (
	"encoding/binary"
	"slices"
)

// Rand is a source of uniformly distributed bits: *rand.PCG and *rand.ChaCha8 of math/rand/v2 are.
type Rand interface{ Uint64() uint64 }

// AppendRandom appends n random bytes.
func AppendRandom(b []byte, r Rand, n int) []byte {
	at := len(b)
	b = slices.Grow(b, n)[:at+n]
	FillRandom(b[at:], r)
	return b
}

// FillRandom writes random bytes.
func FillRandom(p []byte, r Rand) {
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, r.Uint64())
	}
	if len(p) > 0 {
		v := r.Uint64()
		for i := range p {
			p[i] = byte(v >> (8 * i))
		}
	}
}

// PutLength16 and put24 write the number of bytes that follow a place into the place itself.
func PutLength16(b []byte, at int) { binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2)) }

// PutLength24 does the same in three bytes.
func PutLength24(b []byte, at int) {
	n := len(b) - at - 3
	b[at], b[at+1], b[at+2] = byte(n>>16), byte(n>>8), byte(n)
}
