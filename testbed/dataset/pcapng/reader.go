package pcapng

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
)

// CutError tells that a capture ends in the middle of a block: what was read before it is whole.
type CutError struct {
	Path    string
	Offset  int64 // where the last whole block ends, bytes
	Packets int64
}

func (e *CutError) Error() string {
	return fmt.Sprintf("%s: cut at byte %d, after %d packets", e.Path, e.Offset, e.Packets)
}

// Frame is one captured frame. Data is valid until the next Read.
type Frame struct {
	TsNs   int64
	Length int // on the wire
	Data   []byte
	Link   uint16 // link type of the interface that it was captured on; 1 = Ethernet
}

// Reader reads pcapng and classic pcap files of Ethernet frames, ours and others'.
type Reader struct {
	path     string
	link     uint16 // what is read; linkAny is everything
	f        *os.File
	r        *bufio.Reader
	order    binary.ByteOrder
	classic  bool
	nano     bool
	fileLink uint16 // of a classic file
	ifaces   []iface
	buf      []byte
	offset   int64 // where the last whole block ends
	start    int64 // where it began
	packets  int64
}

type iface struct {
	link    uint16
	snaplen uint32 // bytes; 0 = no limit
	divisor uint64 // ticks a second
	offset  int64  // s
}

// maxBlock bounds what a length field can make the reader allocate.
const maxBlock = 16 << 20

// Open opens a capture file.
func Open(path string) (*Reader, error) { return OpenLink(path, LinkEthernet) }

// OpenAny opens a capture file of any link type: its frames tell theirs.
func OpenAny(path string) (*Reader, error) { return OpenLink(path, linkAny) }

// linkAny stands for every link type; no link type has its number yet.
const linkAny = 0xffff

// reads tells whether frames of a link type are read.
func (r *Reader) reads(link uint16) bool { return r.link == linkAny || r.link == link }

// OpenLink opens a capture file of frames of one link type.
func OpenLink(path string, link uint16) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{path: path, link: link, f: f, r: bufio.NewReaderSize(f, 1<<18)}
	if err := r.begin(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.f.Close() }

func (r *Reader) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: byte %d: %s", r.path, r.offset, fmt.Sprintf(format, args...))
}

func (r *Reader) begin() error {
	magic, err := r.r.Peek(4)
	if err != nil {
		return r.errorf("neither pcapng nor pcap: shorter than a header")
	}
	switch binary.LittleEndian.Uint32(magic) {
	case blockSection:
		return nil
	case 0xa1b2c3d4, 0xa1b23c4d:
		r.order = binary.LittleEndian
	case 0xd4c3b2a1, 0x4d3cb2a1:
		r.order = binary.BigEndian
	default:
		return r.errorf("neither pcapng nor pcap: it begins with % x", magic)
	}
	r.classic = true
	head := make([]byte, 24)
	if _, err := io.ReadFull(r.r, head); err != nil {
		return r.end(err, nil)
	}
	r.nano = r.order.Uint32(head) == 0xa1b23c4d
	r.fileLink = uint16(r.order.Uint32(head[20:])) // above it: what the frames end with
	if !r.reads(r.fileLink) {
		return r.errorf("link type %d; only %d is read here (1 is Ethernet)", r.fileLink, r.link)
	}
	r.offset = 24
	return nil
}

// Read returns the next frame; io.EOF after the last, a *CutError where the file ends within a block.
func (r *Reader) Read() (Frame, error) {
	if r.classic {
		return r.readClassic()
	}
	for {
		kind, body, err := r.next()
		if err != nil {
			return Frame{}, err
		}
		switch kind {
		case blockSection:
			r.ifaces = r.ifaces[:0]
		case blockInterface:
			if err := r.iface(body); err != nil {
				return Frame{}, err
			}
		case blockPacket:
			return r.packet(body)
		case blockOldPacket:
			if len(body) >= 20 { // the interface has 16 bits, and a count of drops the other 16
				r.order.PutUint32(body, uint32(r.order.Uint16(body)))
			}
			return r.packet(body)
		case blockSimple:
			return r.simple(body)
		}
	}
}

func (r *Reader) readClassic() (Frame, error) {
	head := r.grow(16)
	if _, err := io.ReadFull(r.r, head); err != nil {
		return Frame{}, r.end(err, io.EOF)
	}
	sec, frac := int64(r.order.Uint32(head)), int64(r.order.Uint32(head[4:]))
	kept, length := r.order.Uint32(head[8:]), r.order.Uint32(head[12:])
	if kept > maxBlock {
		return Frame{}, r.errorf("a packet of %d bytes", kept)
	}
	data := r.grow(int(kept))
	if _, err := io.ReadFull(r.r, data); err != nil {
		return Frame{}, r.end(err, nil)
	}
	if !r.nano {
		frac *= 1000
	}
	r.start = r.offset
	r.offset += 16 + int64(kept)
	r.packets++
	return Frame{TsNs: sec*1e9 + frac, Length: int(length), Data: data, Link: r.fileLink}, nil
}

func (r *Reader) grow(n int) []byte {
	if cap(r.buf) < n {
		r.buf = make([]byte, n+n/2)
	}
	return r.buf[:n]
}

// end tells what a failed read means: atEnd where the file ends before the read's first byte, unless it is nil; a *CutError
// where the file ends otherwise; or the failure.
func (r *Reader) end(err, atEnd error) error {
	switch {
	case errors.Is(err, io.EOF) && atEnd != nil:
		return atEnd
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &CutError{Path: r.path, Offset: r.offset, Packets: r.packets}
	}
	return fmt.Errorf("%s: byte %d: %w", r.path, r.offset, err)
}

// next reads one pcapng block.
func (r *Reader) next() (kind uint32, body []byte, err error) {
	var head [12]byte
	if _, err := io.ReadFull(r.r, head[:8]); err != nil {
		return 0, nil, r.end(err, io.EOF)
	}
	read := uint32(8)
	if binary.LittleEndian.Uint32(head[:]) == blockSection {
		if _, err := io.ReadFull(r.r, head[8:12]); err != nil {
			return 0, nil, r.end(err, nil)
		}
		read = 12
		switch {
		case binary.LittleEndian.Uint32(head[8:]) == byteOrderMagic:
			r.order = binary.LittleEndian
		case binary.BigEndian.Uint32(head[8:]) == byteOrderMagic:
			r.order = binary.BigEndian
		default:
			return 0, nil, r.errorf("a section without a byte order")
		}
	}
	if r.order == nil {
		return 0, nil, r.errorf("a block before the section header")
	}
	kind, total := r.order.Uint32(head[:]), r.order.Uint32(head[4:])
	if total < read+4 || total%4 != 0 || total > maxBlock {
		return 0, nil, r.errorf("a block of %d bytes", total)
	}
	rest := r.grow(int(total - read))
	if _, err := io.ReadFull(r.r, rest); err != nil {
		return 0, nil, r.end(err, nil)
	}
	body = rest[:len(rest)-4]
	if r.order.Uint32(rest[len(rest)-4:]) != total {
		return 0, nil, r.errorf("a block's two lengths differ")
	}
	r.start = r.offset
	r.offset += int64(total)
	return kind, body, nil
}

func (r *Reader) iface(b []byte) error {
	if len(b) < 8 {
		return r.errorf("an interface block of %d bytes", len(b))
	}
	i := iface{link: r.order.Uint16(b), snaplen: r.order.Uint32(b[4:]), divisor: 1e6}
	for o := b[8:]; len(o) >= 4; {
		code, n := r.order.Uint16(o), int(r.order.Uint16(o[2:]))
		if code == 0 || len(o) < 4+n {
			break
		}
		v := o[4 : 4+n]
		switch {
		case code == 9 && n == 1:
			i.divisor = resolution(v[0])
		case code == 14 && n == 8:
			i.offset = int64(r.order.Uint64(v))
		}
		o = o[min(4+(n+3)&^3, len(o)):]
	}
	if i.divisor == 0 {
		return r.errorf("a time resolution beyond 64 bits")
	}
	r.ifaces = append(r.ifaces, i)
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

func (r *Reader) packet(b []byte) (Frame, error) {
	if len(b) < 20 {
		return Frame{}, r.errorf("a packet block of %d bytes", len(b))
	}
	id := r.order.Uint32(b)
	kept, length := r.order.Uint32(b[12:]), r.order.Uint32(b[16:])
	if int64(id) >= int64(len(r.ifaces)) || int64(kept) > int64(len(b)-20) {
		return Frame{}, r.errorf("a packet that is longer than its block, or of no known interface")
	}
	i := r.ifaces[id]
	if !r.reads(i.link) {
		return Frame{}, r.errorf("link type %d; only %d is read here (1 is Ethernet)", i.link, r.link)
	}
	ticks := uint64(r.order.Uint32(b[4:]))<<32 | uint64(r.order.Uint32(b[8:]))
	r.packets++
	return Frame{TsNs: nanoseconds(ticks, i.divisor) + i.offset*1e9, Length: int(length), Data: b[20 : 20+kept], Link: i.link}, nil
}

// simple reads a block that has neither time nor interface: it is of the first one.
func (r *Reader) simple(b []byte) (Frame, error) {
	if len(b) < 4 || len(r.ifaces) == 0 {
		return Frame{}, r.errorf("a simple packet block of %d bytes, with %d interfaces", len(b), len(r.ifaces))
	}
	if link := r.ifaces[0].link; !r.reads(link) {
		return Frame{}, r.errorf("link type %d; only %d is read here (1 is Ethernet)", link, r.link)
	}
	length := r.order.Uint32(b)
	kept := min(int64(length), int64(len(b)-4))
	if snaplen := int64(r.ifaces[0].snaplen); snaplen > 0 {
		kept = min(kept, snaplen)
	}
	r.packets++
	return Frame{Length: int(length), Data: b[4 : 4+kept], Link: r.ifaces[0].link}, nil
}

// nanoseconds converts ticks, exactly but for what is below a nanosecond; a damaged time may wrap around.
func nanoseconds(ticks, divisor uint64) int64 {
	hi, lo := bits.Mul64(ticks%divisor, 1e9)
	part, _ := bits.Div64(hi, lo, divisor)
	return int64(ticks/divisor*1e9 + part)
}
