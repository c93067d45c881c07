package packet

import (
	"encoding/binary"
	"math/rand/v2"
)

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
		n.sums[i+1] = fold(uint32(n.sums[i]) + words(binary.BigEndian.Uint64(n.b[8*i:])))
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
	sum := fold(uint32(n.upTo(at+size)) + uint32(^n.upTo(at)))
	if at%2 != 0 {
		sum = sum<<8 | sum>>8
	}
	return sum
}

// upTo is the sum of all bytes before a place.
func (n *Noise) upTo(end int) uint16 {
	whole := end &^ 7
	if whole == end {
		return n.sums[end/8]
	}
	return fold(uint32(n.sums[end/8]) + words(binary.BigEndian.Uint64(n.b[whole:whole+8])&^(1<<(64-8*(end-whole))-1)))
}

// words adds 8 bytes as 16-bit words.
func words(x uint64) uint32 {
	return uint32(x>>48) + uint32(x>>32&0xffff) + uint32(x>>16&0xffff) + uint32(x&0xffff)
}

func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}
