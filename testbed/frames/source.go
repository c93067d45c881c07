package frames

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// source is the bytes of a capture, unpacked, and a hash of them as they are stored.
type source struct {
	io.Reader
	name   string
	stored *bufio.Reader
	hash   hash.Hash
	close  func() error
}

// Magic bytes of what a capture may be wrapped in; of these gzip alone is unpacked.
var (
	magicGzip = []byte{0x1f, 0x8b}
	magicZstd = []byte{0x28, 0xb5, 0x2f, 0xfd}
	magicXZ   = []byte{0xfd, '7', 'z', 'X'}
	magicLZ4  = []byte{0x04, 0x22, 0x4d, 0x18}
)

var errPacked = errors.New("compressed, but not by gzip: unpack it first")

func openSource(path string) (*source, error) {
	s := &source{name: path, close: func() error { return nil }}
	in := os.Stdin
	if path == Stdin {
		s.name = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, &InputError{path, errors.Unwrap(err)}
		}
		if st, err := f.Stat(); err == nil && st.IsDir() {
			_ = f.Close()
			return nil, &InputError{path, errors.New("a directory: expected a capture file")}
		}
		in, s.close = f, f.Close
	}
	if err := s.unpack(in); err != nil {
		_ = s.Close()
		return nil, &InputError{s.name, err}
	}
	return s, nil
}

// unpack looks at the first bytes of what is stored.
func (s *source) unpack(in io.Reader) error {
	s.hash = sha256.New()
	s.stored = bufio.NewReaderSize(io.TeeReader(in, s.hash), 1<<18)
	s.Reader = s.stored
	magic, _ := s.stored.Peek(4) // a short file is the container's to complain about
	switch {
	case bytes.HasPrefix(magic, magicGzip):
		z, err := gzip.NewReader(s.stored)
		if err != nil {
			return err
		}
		s.Reader = bufio.NewReaderSize(z, 1<<18)
	case bytes.HasPrefix(magic, magicZstd), bytes.HasPrefix(magic, magicXZ), bytes.HasPrefix(magic, magicLZ4):
		return errPacked
	}
	return nil
}

func (s *source) sum() ([]byte, error) {
	if _, err := io.Copy(io.Discard, s.stored); err != nil {
		return nil, &InputError{s.name, err}
	}
	return s.hash.Sum(nil), nil
}

// Close closes the file; standard input stays open.
func (s *source) Close() error { return s.close() }
