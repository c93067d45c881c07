package dataset

import (
	"errors"
)

// directChunk is what a capture hands over at once, bytes: it is still in the core's cache when it is hashed and copied.
const directChunk = 1 << 16

// directCapture writes a pcapng file from one goroutine.
type directCapture struct {
	f       *hashedFile
	snaplen int
	buf     []byte
}

// createDirectCapture creates a capture, over a file that is there. snaplen bytes are kept of a frame; 0 = all.
func createDirectCapture(path string, link uint16, iface, comment string, snaplen int) (*directCapture, error) {
	if err := checkComment(path, comment); err != nil {
		return nil, err
	}
	if snaplen <= 0 {
		snaplen = defaultSnaplen
	}
	f, err := createHashed(path)
	if err != nil {
		return nil, err
	}
	c := &directCapture{f: f, snaplen: snaplen, buf: make([]byte, 0, directChunk)}
	c.buf = appendCaptureHeader(c.buf, link, iface, comment, snaplen)
	return c, nil
}

// Append appends a frame of length bytes whose beginning is given in two parts.
func (c *directCapture) Append(tsNs int64, a, b []byte, length int) error {
	if need := packetBlock + min(len(a)+len(b), c.snaplen) + 3; len(c.buf)+need > cap(c.buf) {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.buf = appendPacket(c.buf, tsNs, a, b, length, c.snaplen, nil)
	return nil
}

func (c *directCapture) flush() error {
	_, err := c.f.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}

// Sum is the sha256 of the file, once it is closed.
func (c *directCapture) Sum() string { return c.f.Sum() }

// Close writes what is left and closes the file.
func (c *directCapture) Close() error { return errors.Join(c.flush(), c.f.Close()) }
