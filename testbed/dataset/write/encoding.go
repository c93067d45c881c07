package write

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The encodings of Parquet pages that packets need, as far as they are not the library's:
// https://github.com/apache/parquet-format/blob/master/Encodings.md

// appendHybrid appends values of width bits (1 to 16) as runs of equal ones and groups of 8 packed ones:
//
//	run     varint(length << 1)     · the value in whole bytes
//	packed  varint(groups << 1 | 1) · 8 values in width bytes, the first in the lowest bits · …
func appendHybrid(b []byte, v []uint16, width int) []byte {
	b = slices.Grow(b, hybridBound(len(v), width))
	for i := 0; i < len(v); {
		if n := runLength(v[i:]); n >= 8 {
			b = binary.AppendUvarint(b, uint64(n)<<1)
			b = append(b, byte(v[i]))
			if width > 8 {
				b = append(b, byte(v[i]>>8))
			}
			i += n
			continue
		}
		j := i + 8
		for j < len(v) && !equal8(v[j:]) {
			j += 8
		}
		b = appendPacked(b, v[i:min(j, len(v))], width)
		i = j
	}
	return b
}

// hybridBound is the most that appendHybrid appends, and the slack that appendPacked writes into.
func hybridBound(n, width int) int { return (n/8+1)*(width+4) + 32 }

func runLength(v []uint16) int {
	n := 1
	for n < len(v) && v[n] == v[0] {
		n++
	}
	return n
}

func equal8(v []uint16) bool {
	if len(v) < 8 {
		return false
	}
	x := v[0]
	return (v[1]^x)|(v[2]^x)|(v[3]^x)|(v[4]^x)|(v[5]^x)|(v[6]^x)|(v[7]^x) == 0
}

// appendPacked appends groups of 8; the last is filled up with zeros.
func appendPacked(b []byte, v []uint16, width int) []byte {
	b = binary.AppendUvarint(b, uint64((len(v)+7)/8)<<1|1)
	w := uint(width)
	at := len(b)
	b = b[:cap(b)]
	for ; len(v) >= 8; v = v[8:] {
		lo, hi := pack8((*[8]uint16)(v), w)
		binary.LittleEndian.PutUint64(b[at:], lo)
		binary.LittleEndian.PutUint64(b[at+8:], hi)
		at += width
	}
	if len(v) > 0 {
		var last [8]uint16
		copy(last[:], v)
		lo, hi := pack8(&last, w)
		binary.LittleEndian.PutUint64(b[at:], lo)
		binary.LittleEndian.PutUint64(b[at+8:], hi)
		at += width
	}
	return b[:at]
}

func pack8(v *[8]uint16, w uint) (lo, hi uint64) {
	a := uint64(v[0]) | uint64(v[1])<<w | uint64(v[2])<<(2*w) | uint64(v[3])<<(3*w)
	b := uint64(v[4]) | uint64(v[5])<<w | uint64(v[6])<<(2*w) | uint64(v[7])<<(3*w)
	return a | b<<(4*w), b >> (64 - 4*w)
}

// appendDelta appends numbers as the differences of each from the one before (DELTA_BINARY_PACKED), in blocks of four
// miniblocks of 32:
//
//	header  varint(128) · varint(4) · varint(count) · zigzag(first)
//	block   zigzag(smallest difference) · 4 widths · differences above the smallest, packed · …
//
// A miniblock that holds no number has no bytes; the last that does is whole.
func appendDelta(b []byte, v []int64) []byte {
	b = binary.AppendUvarint(b, deltaBlock)
	b = binary.AppendUvarint(b, deltaBlock/deltaMini)
	b = binary.AppendUvarint(b, uint64(len(v)))
	if len(v) == 0 {
		return append(b, 0)
	}
	b = binary.AppendVarint(b, v[0])
	var d [deltaBlock]uint64
	for last := v[0]; len(v) > 1; {
		n := min(len(v)-1, deltaBlock)
		least := v[1] - last
		for i, x := range v[1 : n+1] {
			d[i] = uint64(x) - uint64(last)
			least = min(least, int64(d[i]))
			last = x
		}
		b = binary.AppendVarint(b, least)
		b = appendDeltaBlock(b, &d, n, uint64(least))
		v = v[n:]
	}
	return b
}

const (
	deltaBlock = 128
	deltaMini  = 32
)

// appendDeltaBlock appends the widths and the miniblocks of n differences.
func appendDeltaBlock(b []byte, d *[deltaBlock]uint64, n int, least uint64) []byte {
	clear(d[n:])
	for i := range d[:n] {
		d[i] -= least
	}
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for m := 0; m*deltaMini < n; m++ {
		mini := (*[deltaMini]uint64)(d[m*deltaMini:])
		all := uint64(0)
		for _, x := range mini {
			all |= x
		}
		width := bits.Len64(all)
		b[at+m] = byte(width)
		b = appendBits(b, mini, uint(width))
	}
	return b
}

// appendBits packs 32 numbers of width bits (0 to 64): 4 bytes for each bit.
func appendBits(b []byte, v *[deltaMini]uint64, width uint) []byte {
	if width == 0 {
		return b
	}
	acc, have := uint64(0), uint(0)
	for _, x := range v {
		acc |= x << have
		if have += width; have >= 64 {
			b = binary.LittleEndian.AppendUint64(b, acc)
			have -= 64
			acc = x >> (width - have) // 0 where nothing is left: a shift by 64
		}
	}
	if have > 0 {
		b = binary.LittleEndian.AppendUint32(b, uint32(acc)) // 32 x width bits: a whole number of 4 bytes
	}
	return b
}

// appendBools packs one bit a value, which is 0 or 1.
func appendBools(b []byte, v []uint8) []byte {
	for ; len(v) >= 8; v = v[8:] {
		b = append(b, byte(binary.LittleEndian.Uint64(v)*0x0102040810204080>>56)) // no two of its partial products share a bit
	}
	if len(v) > 0 {
		x := byte(0)
		for k, bit := range v {
			x |= bit << k
		}
		b = append(b, x)
	}
	return b
}

// Types of page in a page header.
const (
	pageData       = 0
	pageDictionary = 2
)

// appendPageHeader appends a page's header in Thrift's compact protocol: type (1), both sizes (2, 3), and the header of a data
// page (5: values, encoding, encodings of the levels) or a dictionary (7: values, encoding). Fields are the difference of
// their number from the one before in the upper four bits, and their type, 5 for an int32 and 12 for a structure, in the lower.
func appendPageHeader(b []byte, kind, size, values, encoding int) []byte {
	number := func(v int) { // of the next field
		b = append(b, 1<<4|5)
		b = binary.AppendVarint(b, int64(v))
	}
	number(kind)
	number(size)
	number(size)
	if kind == pageData {
		b = append(b, 2<<4|12)
	} else {
		b = append(b, 4<<4|12)
	}
	number(values)
	number(encoding)
	if kind == pageData {
		number(encodingRLE)
		number(encodingRLE)
	}
	return append(b, 0, 0)
}

// Encodings by their numbers in the format.
const (
	encodingPlain      = 0
	encodingRLE        = 3
	encodingDelta      = 5
	encodingDictionary = 8
)
