package frames

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// noTime is the time of a frame that has none.
const noTime = math.MinInt64

// cutError tells that a capture ends in the middle of a frame: what was read before it is whole.
type cutError struct {
	offset  int64 // where the last whole block ends, bytes
	packets int64
}

func (e *cutError) Error() string {
	return fmt.Sprintf("the capture is cut at byte %d, within a frame: the %d before it are used", e.offset, e.packets)
}

// container splits a capture into its frames.
//
//	pcap:    header of 24 bytes: magic · version (2+2) · zone (4) · accuracy (4) · snaplen (4) · link type (4)
//	         record of 16 bytes, 24 in "modified" files of the 1990s: s · fraction · kept · length (· interface, protocol, type)
//	pcapng:  blocks: type (4) · total length (4) · body · total length (4); sections have their own byte order and interfaces
type container struct {
	r        io.Reader
	order    binary.ByteOrder
	classic  bool
	tick     int64 // ns of a classic file's fraction
	recHead  int   // bytes of a classic file's record header
	fileLink uint16
	ifaces   []iface
	buf      []byte
	offset   int64 // where the last whole block ends
	packets  int64
	begun    [4]byte // of the file
}

type iface struct {
	link    uint16
	snaplen uint32 // bytes; 0 = no limit
	divisor uint64 // ticks a second
	offset  int64  // s
}

// Blocks of pcapng (draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOldPacket = 2
	blockSimple    = 3
	blockPacket    = 6
	byteOrderMagic = 0x1a2b3c4d
)

// Magic numbers of classic pcap.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Alexey Kuznetsov's libpcap: eight more bytes in each record's header
)

// maxBlock bounds what a length field can make the reader allocate.
const maxBlock = 16 << 20

func newContainer(r io.Reader) (*container, error) {
	c := &container{r: r, tick: 1000, recHead: 16}
	if _, err := io.ReadFull(r, c.begun[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("neither pcapng nor pcap: shorter than a header")
		}
		return nil, err
	}
	little, big := binary.LittleEndian.Uint32(c.begun[:]), binary.BigEndian.Uint32(c.begun[:])
	magic := little
	switch {
	case little == blockSection:
		c.r = io.MultiReader(bytes.NewReader(c.begun[:]), r)
		return c, nil
	case isClassic(little):
		c.order = binary.LittleEndian
	case isClassic(big):
		c.order, magic = binary.BigEndian, big
	default:
		return nil, fmt.Errorf("neither pcapng nor pcap: it begins with % x", c.begun)
	}
	var head [20]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, errors.New("a pcap header that is cut")
	}
	c.classic, c.offset = true, 24
	c.fileLink = uint16(c.order.Uint32(head[16:])) // above it: how long the frame check sequences are
	switch magic {
	case magicNano:
		c.tick = 1
	case magicModified:
		c.recHead = 24
	}
	return c, nil
}

func isClassic(magic uint32) bool {
	return magic == magicMicro || magic == magicNano || magic == magicModified
}

func (c *container) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", c.offset, fmt.Sprintf(format, args...))
}

// next returns the next frame; io.EOF after the last, a *cutError where the file ends within a block.
func (c *container) next() (Record, error) {
	if c.classic {
		return c.nextClassic()
	}
	for {
		kind, body, err := c.block()
		if err != nil {
			return Record{}, err
		}
		switch kind {
		case blockSection:
			c.ifaces = c.ifaces[:0]
		case blockInterface:
			if err := c.iface(body); err != nil {
				return Record{}, err
			}
		case blockPacket:
			return c.packet(body)
		case blockOldPacket:
			if len(body) >= 20 { // the interface has 16 bits, and a count of drops the other 16
				c.order.PutUint32(body, uint32(c.order.Uint16(body)))
			}
			return c.packet(body)
		case blockSimple:
			return c.simple(body)
		}
	}
}

func (c *container) nextClassic() (Record, error) {
	head := c.grow(c.recHead)
	if _, err := io.ReadFull(c.r, head); err != nil {
		return Record{}, c.end(err, io.EOF)
	}
	sec, frac := int64(c.order.Uint32(head)), int64(c.order.Uint32(head[4:]))
	kept, length := c.order.Uint32(head[8:]), c.order.Uint32(head[12:])
	if kept > maxBlock {
		return Record{}, c.errorf("a frame of %d bytes; allowed: up to %d", kept, maxBlock)
	}
	data := c.grow(int(kept))
	if _, err := io.ReadFull(c.r, data); err != nil {
		return Record{}, c.end(err, nil)
	}
	c.offset += int64(c.recHead) + int64(kept)
	c.packets++
	return Record{Number: c.packets, TsNs: sec*1e9 + frac*c.tick, Length: wireLength(length, data), Data: data, Link: c.fileLink}, nil
}

// wireLength is a frame's length on the wire: never less than what is there of it, nor more than a block can be.
func wireLength(length uint32, data []byte) int { return max(int(min(length, maxBlock)), len(data)) }

func (c *container) grow(n int) []byte {
	if cap(c.buf) < n {
		c.buf = make([]byte, n+n/2)
	}
	return c.buf[:n]
}

// end tells what a failed read means: atEnd where the file ends before the read's first byte, unless it is nil; a *cutError where the file
// ends otherwise; or the failure.
func (c *container) end(err, atEnd error) error {
	switch {
	case err == io.EOF && atEnd != nil: //nolint:errorlint // io.ReadFull returns it unwrapped where nothing was read
		return atEnd
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &cutError{c.offset, c.packets}
	}
	return fmt.Errorf("byte %d: %w", c.offset, err)
}

// block reads one pcapng block.
func (c *container) block() (kind uint32, body []byte, err error) {
	var head [12]byte
	if _, err := io.ReadFull(c.r, head[:8]); err != nil {
		return 0, nil, c.end(err, io.EOF)
	}
	read := uint32(8)
	if binary.LittleEndian.Uint32(head[:]) == blockSection {
		if _, err := io.ReadFull(c.r, head[8:12]); err != nil {
			return 0, nil, c.end(err, nil)
		}
		read = 12
		switch {
		case binary.LittleEndian.Uint32(head[8:]) == byteOrderMagic:
			c.order = binary.LittleEndian
		case binary.BigEndian.Uint32(head[8:]) == byteOrderMagic:
			c.order = binary.BigEndian
		default:
			return 0, nil, c.errorf("a section without a byte order")
		}
	}
	if c.order == nil {
		return 0, nil, c.errorf("a block before the section header")
	}
	kind, total := c.order.Uint32(head[:]), c.order.Uint32(head[4:])
	if total < read+4 || total%4 != 0 || total > maxBlock {
		return 0, nil, c.errorf("a block of %d bytes", total)
	}
	rest := c.grow(int(total - read))
	if _, err := io.ReadFull(c.r, rest); err != nil {
		return 0, nil, c.end(err, nil)
	}
	body = rest[:len(rest)-4]
	if c.order.Uint32(rest[len(rest)-4:]) != total {
		return 0, nil, c.errorf("a block's two lengths differ")
	}
	c.offset += int64(total)
	return kind, body, nil
}

// Options of an interface block.
const (
	optResolution = 9
	optOffset     = 14
)

func (c *container) iface(b []byte) error {
	if len(b) < 8 {
		return c.errorf("an interface block of %d bytes", len(b))
	}
	i := iface{link: c.order.Uint16(b), snaplen: c.order.Uint32(b[4:]), divisor: 1e6}
	for o := b[8:]; len(o) >= 4; {
		code, n := c.order.Uint16(o), int(c.order.Uint16(o[2:]))
		if code == 0 || len(o) < 4+n {
			break
		}
		v := o[4 : 4+n]
		switch {
		case code == optResolution && n == 1:
			i.divisor = resolution(v[0])
		case code == optOffset && n == 8:
			i.offset = int64(c.order.Uint64(v))
		}
		o = o[min(4+(n+3)&^3, len(o)):]
	}
	if i.divisor == 0 {
		return c.errorf("a time resolution beyond 64 bits")
	}
	c.ifaces = append(c.ifaces, i)
	return nil
}

// resolution returns ticks a second: a power of ten, or of two where the top bit is set; 0 where it does not fit.
func resolution(v byte) uint64 {
	base, exp := uint64(10), int(v&0x7f)
	if v&0x80 != 0 {
		base = 2
	}
	d := uint64(1)
	for range exp {
		if d > (1<<62)/base {
			return 0
		}
		d *= base
	}
	return d
}

func (c *container) packet(b []byte) (Record, error) {
	if len(b) < 20 {
		return Record{}, c.errorf("a packet block of %d bytes", len(b))
	}
	id := c.order.Uint32(b)
	kept, length := c.order.Uint32(b[12:]), c.order.Uint32(b[16:])
	if int64(id) >= int64(len(c.ifaces)) || int64(kept) > int64(len(b)-20) {
		return Record{}, c.errorf("a packet that is longer than its block, or of no known interface")
	}
	i := c.ifaces[id]
	ticks := uint64(c.order.Uint32(b[4:]))<<32 | uint64(c.order.Uint32(b[8:]))
	data := b[20 : 20+kept]
	c.packets++
	at := nanoseconds(ticks, i.divisor) + i.offset*1e9
	if at == noTime { // a damaged time
		at++
	}
	return Record{Number: c.packets, TsNs: at, Length: wireLength(length, data), Data: data, Link: i.link}, nil
}

// simple reads a block that has neither time nor interface: it is of the first one.
func (c *container) simple(b []byte) (Record, error) {
	if len(b) < 4 || len(c.ifaces) == 0 {
		return Record{}, c.errorf("a simple packet block of %d bytes, with %d interfaces", len(b), len(c.ifaces))
	}
	length := c.order.Uint32(b)
	kept := min(int64(length), int64(len(b)-4))
	if snaplen := int64(c.ifaces[0].snaplen); snaplen > 0 {
		kept = min(kept, snaplen)
	}
	c.packets++
	return Record{Number: c.packets, TsNs: noTime, Length: wireLength(length, b[4:4+kept]), Data: b[4 : 4+kept], Link: c.ifaces[0].link}, nil
}

// nanoseconds converts ticks, exactly but for what is below a nanosecond; a damaged time may wrap around.
func nanoseconds(ticks, divisor uint64) int64 {
	hi, lo := bits.Mul64(ticks%divisor, 1e9)
	part, _ := bits.Div64(hi, lo, divisor)
	return int64(ticks/divisor*1e9 + part)
}
