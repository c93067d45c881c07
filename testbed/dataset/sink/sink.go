// Package sink writes files: behind its caller's back, so that a slow disk holds nothing up, or with their hash made as they are written.
// Neither takes a lock: the caller serialises its calls.
package sink

import (
	"os"
	"sync"
	"sync/atomic"
)

// Sink is a file that is written behind its caller's back, so that a slow disk does not hold packets up. Write, Barrier and
// Close are called under the caller's lock; a goroutine that close waits for does the writing.
type Sink struct {
	f      *os.File
	chunk  int
	buf    []byte // being filled
	made   int    // buffers there are
	closed bool
	work   chan job
	free   chan []byte
	done   sync.WaitGroup
	err    atomic.Pointer[error] // the first failure: what comes after it is dropped
}

// job is a buffer to write. Flushed, if there is one, is told when it, and all before it, are with the system.
type job struct {
	b       []byte
	flushed chan<- error
}

// Sizes of buffers.
const (
	Chunk   = 1 << 18 // bytes handed over at once
	buffers = 128     // what may wait for the disk, 32 MiB a capture; beyond it the caller waits, too
)

// Create creates a file, which must not be there; chunk is how many bytes are handed over at once.
func Create(path string, chunk int) (*Sink, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return New(f, chunk), nil
}

// New writes to a file that is open, and closes it.
func New(f *os.File, chunk int) *Sink {
	s := &Sink{f: f, chunk: chunk, work: make(chan job, buffers), free: make(chan []byte, buffers)}
	s.renew()
	s.done.Go(s.run)
	return s
}

func (s *Sink) run() {
	for j := range s.work {
		if len(j.b) > 0 && s.err.Load() == nil {
			if _, err := s.f.Write(j.b); err != nil {
				s.err.Store(&err)
			}
		}
		if j.b != nil {
			s.free <- j.b[:0]
		}
		if j.flushed != nil {
			j.flushed <- s.failure()
		}
	}
}

func (s *Sink) failure() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Reserve makes room for n bytes and returns what they are to be appended to, for Commit.
func (s *Sink) Reserve(n int) ([]byte, error) {
	err := s.reserve(n)
	return s.buf, err
}

// Commit takes what Reserve returned, with at most as many bytes more as were asked for.
func (s *Sink) Commit(b []byte) { s.buf = b }

func (s *Sink) reserve(n int) error {
	if s.closed {
		return os.ErrClosed
	}
	if len(s.buf)+n > cap(s.buf) && len(s.buf) > 0 {
		s.work <- job{b: s.buf}
		s.renew()
	}
	return s.failure()
}

func (s *Sink) renew() {
	select {
	case s.buf = <-s.free:
		return
	default:
	}
	if s.made < buffers {
		s.made++
		s.buf = make([]byte, 0, s.chunk)
		return
	}
	s.buf = <-s.free
}

// Write appends p. It returns the first error of the file, which may be of earlier bytes.
func (s *Sink) Write(p []byte) (int, error) {
	if err := s.reserve(len(p)); err != nil {
		return 0, err
	}
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// Barrier hands over what is there. The channel gives one value, when all of it is with the system; the caller's lock need
// not be held meanwhile.
func (s *Sink) Barrier() <-chan error {
	flushed := make(chan error, 1)
	switch {
	case s.closed:
		flushed <- s.failure()
	case len(s.buf) == 0:
		s.work <- job{flushed: flushed}
	default:
		s.work <- job{b: s.buf, flushed: flushed}
		s.renew()
	}
	return flushed
}

// Close writes what is left, ends the goroutine and closes the file. Closing again does nothing.
func (s *Sink) Close() error {
	if s.closed {
		return nil
	}
	err := <-s.Barrier()
	s.closed = true
	close(s.work)
	s.done.Wait()
	if e := s.f.Close(); err == nil {
		err = e
	}
	return err
}
