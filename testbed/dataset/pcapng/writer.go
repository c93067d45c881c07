// Package pcapng writes captures and reads them, pcapng and classic pcap, with times in ns. A file that is cut gives all packets that are
// whole; Truncate cuts it there. A reader or writer belongs to one goroutine. Not read: files other than captures of frames, compressed
// ones, and options of packets.
package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"glasshouse/testbed/dataset/sink"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOldPacket = 2 // obsolete, still found
	blockSimple    = 3
	blockPacket    = 6
	byteOrderMagic = 0x1a2b3c4d
)

// Of the interface of a capture.
const (
	LinkEthernet   = 1
	DefaultSnaplen = 262144 // bytes: all of any frame
)

// Writer writes one pcapng file of frames of one link type with times in ns.
//
//	section header (comment = what the run is) · interface (name, ns) · enhanced packet · enhanced packet · …
type Writer struct {
	s       *sink.Sink
	snaplen int
	n       int64
}

// maxComment is what an option's 16-bit length can say.
const maxComment = 1<<16 - 1

func checkComment(path, comment string) error {
	if len(comment) > maxComment {
		return fmt.Errorf("%s: a comment of %d bytes; a section header holds %d", path, len(comment), maxComment)
	}
	return nil
}

// Create creates a capture with its header, which the system has when it returns. snaplen bytes are kept of a frame; 0 = all.
func Create(path string, link uint16, iface, comment string, snaplen int) (*Writer, error) {
	if err := checkComment(path, comment); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return New(f, link, iface, comment, snaplen)
}

// New is Create for a file that is open and empty; it closes it.
func New(f *os.File, link uint16, iface, comment string, snaplen int) (*Writer, error) {
	if snaplen <= 0 {
		snaplen = DefaultSnaplen
	}
	c := &Writer{s: sink.New(f, sink.Chunk), snaplen: snaplen}
	_, err := c.s.Write(AppendHeader(nil, link, iface, comment, snaplen))
	if err = errors.Join(err, <-c.s.Barrier()); err != nil { // a killed run leaves a readable file, even if an empty one
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// AppendHeader appends the section header and the description of the interface.
func AppendHeader(b []byte, link uint16, iface, comment string, snaplen int) []byte {
	section := binary.LittleEndian.AppendUint32(nil, byteOrderMagic)
	section = binary.LittleEndian.AppendUint16(section, 1)
	section = binary.LittleEndian.AppendUint16(section, 0)
	section = binary.LittleEndian.AppendUint64(section, ^uint64(0)) // the section's length is not given
	section = AppendOption(section, 1, []byte(comment))
	section = AppendOption(section, 4, []byte("glasshouse"))
	section = AppendOption(section, 0, nil)
	ifblock := binary.LittleEndian.AppendUint16(nil, link)
	ifblock = binary.LittleEndian.AppendUint16(ifblock, 0)
	ifblock = binary.LittleEndian.AppendUint32(ifblock, uint32(snaplen))
	ifblock = AppendOption(ifblock, 2, []byte(iface))
	ifblock = AppendOption(ifblock, 9, []byte{9}) // if_tsresol: 10^-9 s
	ifblock = AppendOption(ifblock, 0, nil)
	return appendBlock(appendBlock(b, blockSection, section), blockInterface, ifblock)
}

// AppendOption appends an option of a block, padded to 4 bytes.
func AppendOption(b []byte, code uint16, value []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func appendBlock(b []byte, kind uint32, body []byte) []byte {
	total := uint32(12 + len(body))
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = binary.LittleEndian.AppendUint32(b, total)
	b = append(b, body...)
	return binary.LittleEndian.AppendUint32(b, total)
}

// Append appends a frame that is given in two parts, and returns its 1-based number.
func (c *Writer) Append(tsNs int64, a, b []byte) (int64, error) {
	length := len(a) + len(b)
	c.n++
	buf, err := c.s.Reserve(packetBlock + min(length, c.snaplen) + 3)
	if err != nil {
		return c.n, err
	}
	c.s.Commit(AppendPacket(buf, tsNs, a, b, length, c.snaplen, nil))
	return c.n, nil
}

// packetBlock is the size of an enhanced packet block without its packet, padding and options, bytes.
const packetBlock = 32

// AppendPacket appends an enhanced packet block of a frame of length bytes. Its beginning is given in two parts, of which
// snaplen bytes are kept; options are whole ones, with their end, or none.
func AppendPacket(o []byte, tsNs int64, a, b []byte, length, snaplen int, options []byte) []byte {
	kept := min(len(a)+len(b), snaplen)
	pad := -kept & 3
	total := uint32(packetBlock + kept + pad + len(options))
	o = binary.LittleEndian.AppendUint32(o, blockPacket)
	o = binary.LittleEndian.AppendUint32(o, total)
	o = binary.LittleEndian.AppendUint32(o, 0)
	o = binary.LittleEndian.AppendUint32(o, uint32(uint64(tsNs)>>32))
	o = binary.LittleEndian.AppendUint32(o, uint32(uint64(tsNs)))
	o = binary.LittleEndian.AppendUint32(o, uint32(kept))
	o = binary.LittleEndian.AppendUint32(o, uint32(length))
	o = append(o, a[:min(len(a), kept)]...)
	o = append(o, b[:max(kept-len(a), 0)]...)
	o = append(o, "\x00\x00\x00"[:pad]...)
	o = append(o, options...)
	return binary.LittleEndian.AppendUint32(o, total)
}

// Packets is how many frames were appended.
func (c *Writer) Packets() int64 { return c.n }

// Barrier hands what was appended to the system; the channel gives one value when it is there. See sink.Sink.
func (c *Writer) Barrier() <-chan error { return c.s.Barrier() }

// Close writes what is left and closes the file. Closing again does nothing.
func (c *Writer) Close() error { return c.s.Close() }
