package datagram

import (
	"encoding/binary"

	"glasshouse/emulator/virtual/feistel"
)

// headSize is how many bytes at the head of a datagram name what it belongs to.
const headSize = 8

// head writes the name of a message as bytes that look random, but never like the first bytes of RTP or of an ISO 8602 unit of
// data: analysers would find them malformed. It is a keyed permutation of 64 bits: (try, index, handle).
func (t *Table) head(b []byte, handle uint32, index int) {
	for try := uint64(0); ; try++ {
		v := try<<56 | uint64(index)<<32 | uint64(handle)
		for round := range 4 {
			v = feistel.Round(v, t.key[round&1]+uint64(round))
		}
		if v>>62 == 0 && v>>48&0xf0 != 0x40 || try == 255 {
			binary.BigEndian.PutUint64(b, v)
			return
		}
	}
}

// Find reads a datagram's head and returns the exchange and the message that it names; nil where nothing of the kind is under way.
func (t *Table) Find(p []byte) (*Exchange, int) {
	if len(p) < headSize {
		return nil, 0
	}
	v := binary.BigEndian.Uint64(p)
	for round := 3; round >= 0; round-- {
		v = feistel.Inverse(v, t.key[round&1]+uint64(round))
	}
	d, index := t.under[uint32(v)], int(v>>32&0xffffff)
	if d == nil || index >= len(d.messages) {
		return nil, 0
	}
	return d, index
}
