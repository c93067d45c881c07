package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
)

// Encodings write counts, and the library allocates what a count says: three bytes of the run-length hybrid can claim a billion values.
// A pageCheck compares the counts of a page's streams with the number of values in its header.
type pageCheck struct {
	kind     format.Type
	optional bool
	limit    int64 // bytes that the page may decode to
}

const (
	maxText      = 1 << 12 // bytes of a text: names of classes and devices, addresses
	maxRunSlack  = 63 * 8  // values by which the last bit-packed run may exceed the page: writers end one after 63 groups of 8
	maxDeltaSize = 1 << 16 // values of a block: writers use 128
)

var errShort = errors.New("its data end early")

// dictionary checks a dictionary page of n values.
func (c *pageCheck) dictionary(b []byte, n int) error { return c.plain(b, n) }

// levels checks definition levels of n values that stand behind their length, and returns what follows them.
func (c *pageCheck) levels(b []byte, n int, encoding format.Encoding) ([]byte, error) {
	if !c.optional {
		return b, nil
	}
	if encoding != format.RLE {
		return nil, fmt.Errorf("levels encoded as %s; allowed: RLE", encoding)
	}
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, errShort
	}
	size := binary.LittleEndian.Uint32(b)
	return b[4+size:], checkHybrid(b[4:4+size], n, 1)
}

// values checks the values of a page; n of them at most.
func (c *pageCheck) values(b []byte, n int, encoding format.Encoding) error {
	if need := int64(n) * 9; need > c.limit { // 8 bytes a value, or an offset and an index, and a level
		return fmt.Errorf("%d values, which need %d bytes of memory; allowed: %d", n, need, c.limit)
	}
	switch encoding {
	case format.Plain:
		return c.plain(b, -1)
	case format.PlainDictionary, format.RLEDictionary: //nolint:staticcheck // old writers use the deprecated value
		if len(b) == 0 { // of a page of nulls
			return nil
		}
		if b[0] > 32 {
			return fmt.Errorf("indexes of %d bits", b[0])
		}
		return checkHybrid(b[1:], n, int(b[0]))
	case format.RLE: // of booleans, behind their length
		if len(b) < 4 {
			return errShort
		}
		return checkHybrid(b[4:], n, 1)
	case format.DeltaBinaryPacked:
		return checkDelta(b, n)
	case format.DeltaLengthByteArray, format.DeltaByteArray:
		return c.deltaTexts(b, n, encoding)
	case format.ByteStreamSplit:
		return nil
	default:
		return fmt.Errorf("encoding %s is not known", encoding)
	}
}

// plain checks n values as they are; where n is negative, as many as there are.
func (c *pageCheck) plain(b []byte, n int) error {
	width := map[format.Type]int{format.Int32: 4, format.Float: 4, format.Int64: 8, format.Double: 8}[c.kind]
	switch {
	case width > 0 && n > len(b)/width, c.kind == format.ByteArray && n > len(b)/4:
		return fmt.Errorf("%d values in %d bytes", n, len(b))
	case c.kind != format.ByteArray:
		return nil
	}
	for len(b) > 0 {
		if len(b) < 4 {
			return errShort
		}
		size := binary.LittleEndian.Uint32(b)
		if size > maxText {
			return fmt.Errorf("a text of %d bytes; allowed: %d", size, maxText)
		}
		if int(size) > len(b)-4 {
			return errShort
		}
		b = b[4+size:]
	}
	return nil
}

// checkHybrid checks the runs of the RLE and bit-packing hybrid (parquet-format, Encodings.md): a varint, twice the count of one repeated
// value of width bits in whole bytes, or twice the count of groups of 8 values, bit-packed, plus 1.
func checkHybrid(b []byte, n, width int) error {
	for seen := 0; len(b) > 0 && seen < n; {
		head, size := binary.Uvarint(b)
		if size <= 0 {
			return errShort
		}
		b = b[size:]
		count, body := head>>1, uint64(width+7)/8
		if head&1 == 1 {
			if count > uint64(n) {
				return fmt.Errorf("a run of %d groups of 8 among %d values", count, n)
			}
			count, body = count*8, count*uint64(width)
		}
		if count > uint64(n-seen+maxRunSlack) {
			return fmt.Errorf("a run of %d among %d values", count, n)
		}
		seen += int(count)
		b = b[min(body, uint64(len(b))):] // the last run may be cut
	}
	return nil
}

// checkDelta checks the head of DELTA_BINARY_PACKED: varints of block size, miniblocks in a block and count of values, then the first.
func checkDelta(b []byte, n int) error {
	var head [3]uint64
	for i := range head {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			return errShort
		}
		head[i], b = v, b[size:]
	}
	if head[0] > maxDeltaSize || head[1] > maxDeltaSize {
		return fmt.Errorf("blocks of %d values in %d parts; allowed: %d", head[0], head[1], maxDeltaSize)
	}
	if head[2] > uint64(n) {
		return fmt.Errorf("%d values encoded in a page of %d", head[2], n)
	}
	return nil
}

// deltaTexts checks texts behind their lengths. Those of DELTA_BYTE_ARRAY begin with the lengths of what a text shares with the one
// before it, which can make much of little.
func (c *pageCheck) deltaTexts(b []byte, n int, encoding format.Encoding) error {
	if err := checkDelta(b, n); err != nil {
		return err
	}
	lengths, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, b)
	if err != nil {
		return err
	}
	sum := int64(len(b))
	for _, l := range lengths {
		if l < 0 || l > maxText {
			return fmt.Errorf("a text of %d bytes; allowed: %d", l, maxText)
		}
		sum += int64(l)
	}
	if encoding == format.DeltaByteArray && sum > c.limit {
		return fmt.Errorf("texts of %d bytes; allowed: %d", sum, c.limit)
	}
	return nil
}
