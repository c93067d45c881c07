package packet

import "math/rand/v2"

// noiseSize is the size of a block of noise, bytes: it fits a core's second-level cache with its sums.
const noiseSize = 1 << 18

// Noise is a block of random bytes that stands for ciphertext. Any window of it can be had, and summed for a checksum, in
// constant time, so that a virtual packet costs no more than its headers. Read-only after NewNoise; safe for concurrent use.
type Noise struct {
	b    []byte   // noiseSize bytes, and MaxSize more that repeat the first
	sums []uint16 // sums[i] is the ones' complement sum of b[:8*i], bytes at even places counting high
}

// NewNoise draws a block from a seed.
func NewNoise(seed1, seed2 uint64) *Noise {
	r := rand.New(rand.NewPCG(seed1, seed2))
	n := &Noise{b: make([]byte, noiseSize+MaxSize), sums: make([]uint16, (noiseSize+MaxSize)/8+1)}
	for i := 0; i < noiseSize; i += 8 {
		v := r.Uint64()
		for k := range 8 {
			n.b[i+k] = byte(v >> (8 * k))
		}
	}
	copy(n.b[noiseSize:], n.b[:MaxSize])
	for i := range len(n.b) / 8 {
		n.sums[i+1] = fold(uint32(n.sums[i]) + words(n.b[8*i:8*i+8]))
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
	end := at + size
	s := uint32(n.sums[end/8]) + words(n.b[end&^7:end]) // up to the end
	s += uint32(^fold(uint32(n.sums[at/8]) + words(n.b[at&^7:at])))
	sum := fold(s)
	if at%2 != 0 {
		sum = sum<<8 | sum>>8
	}
	return sum
}

// words adds up to 8 bytes as 16-bit words, the last one padded.
func words(b []byte) uint32 {
	s := uint32(0)
	for i, c := range b {
		if i%2 == 0 {
			s += uint32(c) << 8
		} else {
			s += uint32(c)
		}
	}
	return s
}

func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}
