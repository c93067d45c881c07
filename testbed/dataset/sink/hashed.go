package sink

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"os"
)

// Hashed is a file whose sha256 is made as it is written.
type Hashed struct {
	f      *os.File
	h      hash.Hash
	n      int64 // bytes
	closed bool
}

// CreateHashed creates a file, over one that is there.
func CreateHashed(path string) (*Hashed, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return &Hashed{f: f, h: sha256.New()}, nil
}

func (w *Hashed) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.n += int64(n)
	w.h.Write(p[:n])
	return n, err
}

// Sum is the sha256 of what was written, in hexadecimal.
func (w *Hashed) Sum() string { return hex.EncodeToString(w.h.Sum(nil)) }

// Size is how many bytes were written.
func (w *Hashed) Size() int64 { return w.n }

// Close closes the file. Closing again does nothing.
func (w *Hashed) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return w.f.Close()
}
