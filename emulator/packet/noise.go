package packet

import "math/rand/v2"

// noiseSize is the size of a block of noise, bytes: it fits a core's second-level cache with its sums.
const noiseSize = 1 << 18

// Noise is a block of random bytes that stands for ciphertext. Any window of it can be had, and summed for a checksum, in
// constant time, so that a virtual packet costs no more than its headers. Read-only after NewNoise; safe for concurrent use.
type Noise struct {
	b    []byte   // noiseSize bytes, and MaxSize more that repeat the first
	sums []uint16 // sums[i] is the ones' complement sum of b[:i], bytes at even places counting high
}

// NewNoise draws a block from a seed.
func NewNoise(seed1, seed2 uint64) *Noise {
	r := rand.New(rand.NewPCG(seed1, seed2))
	n := &Noise{b: make([]byte, noiseSize+MaxSize), sums: make([]uint16, noiseSize+MaxSize+1)}
	for i := 0; i < noiseSize; i += 8 {
		v := r.Uint64()
		for k := range 8 {
			n.b[i+k] = byte(v >> (8 * k))
		}
	}
	copy(n.b[noiseSize:], n.b[:MaxSize])
	for i, c := range n.b {
		v := uint32(c)
		if i%2 == 0 {
			v <<= 8
		}
		n.sums[i+1] = fold(uint32(n.sums[i]) + v)
	}
	return n
}

// Window returns size bytes (at most MaxSize) at a place, which wraps around. They are not to be written to.
func (n *Noise) Window(place uint64, size int) []byte {
	at := int(place % noiseSize)
	return n.b[at : at+size : at+size]
}

// Sum returns the ones' complement sum (RFC 1071) of the window, its first byte counting high.
func (n *Noise) Sum(place uint64, size int) uint16 {
	at := int(place % noiseSize)
	s := fold(uint32(n.sums[at+size]) + uint32(^n.sums[at]))
	if at%2 != 0 {
		return s<<8 | s>>8
	}
	return s
}

func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}
