package packet

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds b to a ones' complement sum (RFC 1071) that is not folded yet. b begins at an even place of what is summed.
func Sum(s uint64, b []byte) uint64 {
	for len(b) >= 8 {
		var carry uint64
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s += carry
		b = b[8:]
	}
	for len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// Fold makes 16 bits of a sum. The checksum is their complement.
func Fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}

// PseudoHeader4 is the sum of the pseudo-header that TCP (RFC 9293, section 3.1) and UDP (RFC 768) put before their own over IPv4.
func PseudoHeader4(src, dst uint32, proto uint8, length int) uint64 {
	return uint64(src>>16) + uint64(src&0xffff) + uint64(dst>>16) + uint64(dst&0xffff) + uint64(proto) + uint64(length)
}

// PseudoHeader6 is the sum of the pseudo-header over IPv6 (RFC 8200, section 8.1).
func PseudoHeader6(src, dst [16]byte, proto uint8, length int) uint64 {
	return Sum(Sum(uint64(proto)+uint64(length), src[:]), dst[:])
}

// Change is what a ones' complement sum grows by when words of what it covers are exchanged (RFC 1624, equation 3). The setters
// of an IP header's addresses return it, and those of the transport header above take it, for the pseudo-header.
type Change uint32

// Change16 is the change when one word takes another's place.
func Change16(old, fresh uint16) Change {
	if old == fresh {
		return 0
	}
	return Change(fresh) + Change(^old)
}

// Change32 is the change when two words, at an even place, do.
func Change32(old, fresh uint32) Change {
	return Change16(uint16(old>>16), uint16(fresh>>16)) + Change16(uint16(old), uint16(fresh))
}

// Mend returns a checksum after a change, or several: less than 2^20 in all.
func (c Change) Mend(sum uint16) uint16 {
	s := uint32(^sum) + uint32(c)
	s = s>>16 + s&0xffff
	return ^uint16(s>>16 + s&0xffff)
}

// sealUDP is the UDP checksum field for a checksum: 0 would mean that there is none (RFC 768).
func sealUDP(sum uint16) uint16 {
	if sum == 0 {
		return 0xffff
	}
	return sum
}
