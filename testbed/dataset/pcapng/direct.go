package pcapng

import (
	"errors"

	"glasshouse/testbed/dataset/sink"
)

// directChunk is what a capture hands over at once, bytes: it is still in the core's cache when it is hashed and copied.
const directChunk = 1 << 16

// DirectWriter writes a pcapng file from one goroutine.
type DirectWriter struct {
	f       *sink.Hashed
	snaplen int
	buf     []byte
}

// CreateDirect creates a capture, over a file that is there. snaplen bytes are kept of a frame; 0 = all.
func CreateDirect(path string, link uint16, iface, comment string, snaplen int) (*DirectWriter, error) {
	if err := checkComment(path, comment); err != nil {
		return nil, err
	}
	if snaplen <= 0 {
		snaplen = DefaultSnaplen
	}
	f, err := sink.CreateHashed(path)
	if err != nil {
		return nil, err
	}
	c := &DirectWriter{f: f, snaplen: snaplen, buf: make([]byte, 0, directChunk)}
	c.buf = AppendHeader(c.buf, link, iface, comment, snaplen)
	return c, nil
}

// Append appends a frame of length bytes whose beginning is given in two parts.
func (c *DirectWriter) Append(tsNs int64, a, b []byte, length int) error {
	if need := packetBlock + min(len(a)+len(b), c.snaplen) + 3; len(c.buf)+need > cap(c.buf) {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.buf = AppendPacket(c.buf, tsNs, a, b, length, c.snaplen, nil)
	return nil
}

func (c *DirectWriter) flush() error {
	_, err := c.f.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}

// Sum is the sha256 of the file, once it is closed.
func (c *DirectWriter) Sum() string { return c.f.Sum() }

// Close writes what is left and closes the file.
func (c *DirectWriter) Close() error { return errors.Join(c.flush(), c.f.Close()) }
