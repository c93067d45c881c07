package dataset

import (
	"bufio"
	"encoding/binary"
	"os"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6
	byteOrderMagic = 0x1a2b3c4d
)

const linkEthernet = 1

// captureWriter writes one pcapng file of Ethernet frames with times in ns.
//
//	section header (comment = what the run is) · interface (name, ns) · enhanced packet · enhanced packet · …
type captureWriter struct {
	f       *os.File
	w       *bufio.Writer
	snaplen int
	n       int64
	head    [28]byte
}

// captureBuffer lets a burst pass without waiting for the disk.
const captureBuffer = 1 << 20

func createCapture(path, iface, comment string, snaplen int) (*captureWriter, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	if snaplen <= 0 {
		snaplen = 262144
	}
	c := &captureWriter{f: f, w: bufio.NewWriterSize(f, captureBuffer), snaplen: snaplen}
	section := binary.LittleEndian.AppendUint32(nil, byteOrderMagic)
	section = binary.LittleEndian.AppendUint16(section, 1)
	section = binary.LittleEndian.AppendUint16(section, 0)
	section = binary.LittleEndian.AppendUint64(section, ^uint64(0)) // the section's length is not given
	section = appendOption(section, 1, []byte(comment))
	section = appendOption(section, 4, []byte("glasshouse"))
	section = appendOption(section, 0, nil)
	ifblock := binary.LittleEndian.AppendUint16(nil, linkEthernet)
	ifblock = binary.LittleEndian.AppendUint16(ifblock, 0)
	ifblock = binary.LittleEndian.AppendUint32(ifblock, uint32(snaplen))
	ifblock = appendOption(ifblock, 2, []byte(iface))
	ifblock = appendOption(ifblock, 9, []byte{9}) // if_tsresol: 10^-9 s
	ifblock = appendOption(ifblock, 0, nil)
	err = c.block(blockSection, section)
	if err == nil {
		err = c.block(blockInterface, ifblock)
	}
	if err == nil {
		err = c.w.Flush()
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return c, nil
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (c *captureWriter) block(kind uint32, body []byte) error {
	total := uint32(12 + len(body))
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, total)
	b = append(b, body...)
	b = binary.LittleEndian.AppendUint32(b, total)
	_, err := c.w.Write(b)
	return err
}

// write appends a frame that is given in two parts, and returns its 1-based number.
func (c *captureWriter) write(tsNs int64, a, b []byte) (int64, error) {
	length := len(a) + len(b)
	kept := min(length, c.snaplen)
	pad := -kept & 3
	total := uint32(32 + kept + pad)
	h := c.head[:]
	binary.LittleEndian.PutUint32(h, blockPacket)
	binary.LittleEndian.PutUint32(h[4:], total)
	binary.LittleEndian.PutUint32(h[8:], 0)
	binary.LittleEndian.PutUint32(h[12:], uint32(uint64(tsNs)>>32))
	binary.LittleEndian.PutUint32(h[16:], uint32(uint64(tsNs)))
	binary.LittleEndian.PutUint32(h[20:], uint32(kept))
	binary.LittleEndian.PutUint32(h[24:], uint32(length))
	_, _ = c.w.Write(h)
	_, _ = c.w.Write(a[:min(len(a), kept)])
	_, _ = c.w.Write(b[:max(kept-len(a), 0)])
	_, _ = c.w.Write(zeros[:pad])
	binary.LittleEndian.PutUint32(h, total)
	_, err := c.w.Write(h[:4]) // bufio keeps its first error
	c.n++
	return c.n, err
}

var zeros [4]byte

func (c *captureWriter) flush() error { return c.w.Flush() }

func (c *captureWriter) close() error {
	err := c.w.Flush()
	if e := c.f.Close(); err == nil {
		err = e
	}
	return err
}
