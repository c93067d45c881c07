// Package feistel is a round of a Feistel network over 64 bits: numbers that must look random on the wire and be read again are hidden
// by it. It is no cipher.
package feistel

// Round mixes one half into the other and swaps them.
func Round(v, key uint64) uint64 {
	l, r := uint32(v>>32), uint32(v)
	return uint64(r)<<32 | uint64(l^mix(r, key))
}

// Inverse takes a round back.
func Inverse(v, key uint64) uint64 {
	r, l := uint32(v>>32), uint32(v)
	return uint64(l^mix(r, key))<<32 | uint64(r)
}

// mix is the round's function: murmur's finalizer.
func mix(r uint32, key uint64) uint32 {
	x := (uint64(r) ^ key) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return uint32(x >> 32)
}
