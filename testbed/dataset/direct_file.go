package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"os"
)

// hashedFile is a file whose sha256 is made as it is written.
type hashedFile struct {
	f      *os.File
	h      hash.Hash
	n      int64 // bytes
	closed bool
}

func createHashed(path string) (*hashedFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return &hashedFile{f: f, h: sha256.New()}, nil
}

func (w *hashedFile) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.n += int64(n)
	w.h.Write(p[:n])
	return n, err
}

func (w *hashedFile) sum() string { return hex.EncodeToString(w.h.Sum(nil)) }

func (w *hashedFile) close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return w.f.Close()
}

// directChunk is what a capture hands over at once, bytes: it is still in the core's cache when it is hashed and copied.
const directChunk = 1 << 16

// directCapture writes a pcapng file from one goroutine.
type directCapture struct {
	f       *hashedFile
	snaplen int
	buf     []byte
}

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

// write appends a frame of length bytes whose beginning is given in two parts.
func (c *directCapture) write(tsNs int64, a, b []byte, length int) error {
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

func (c *directCapture) close() error { return errors.Join(c.flush(), c.f.close()) }
