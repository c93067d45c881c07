package dataset

import (
	"os"
	"sync"
	"sync/atomic"
)

// sink is a file that is written behind its caller's back, so that a slow disk does not hold packets up. Write, Barrier and
// Close are called under the caller's lock; a goroutine that close waits for does the writing.
type sink struct {
	f      *os.File
	chunk  int
	buf    []byte // being filled
	made   int    // buffers there are
	closed bool
	work   chan sinkJob
	free   chan []byte
	done   sync.WaitGroup
	err    atomic.Pointer[error] // the first failure: what comes after it is dropped
}

// sinkJob is a buffer to write. Flushed, if there is one, is told when it, and all before it, are with the system.
type sinkJob struct {
	b       []byte
	flushed chan<- error
}

const (
	sinkChunk   = 1 << 18 // bytes handed over at once
	sinkBuffers = 128     // what may wait for the disk, 32 MiB a capture; beyond it the caller waits, too
)

// createSink creates a file, which must not be there; chunk is how many bytes are handed over at once.
func createSink(path string, chunk int) (*sink, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return newSink(f, chunk), nil
}

// newSink writes to a file that is open, and closes it.
func newSink(f *os.File, chunk int) *sink {
	s := &sink{f: f, chunk: chunk, work: make(chan sinkJob, sinkBuffers), free: make(chan []byte, sinkBuffers)}
	s.renew()
	s.done.Go(s.run)
	return s
}

func (s *sink) run() {
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

func (s *sink) failure() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Reserve makes room for n bytes and returns what they are to be appended to, for Commit.
func (s *sink) Reserve(n int) ([]byte, error) {
	err := s.reserve(n)
	return s.buf, err
}

// Commit takes what Reserve returned, with at most as many bytes more as were asked for.
func (s *sink) Commit(b []byte) { s.buf = b }

func (s *sink) reserve(n int) error {
	if s.closed {
		return os.ErrClosed
	}
	if len(s.buf)+n > cap(s.buf) && len(s.buf) > 0 {
		s.work <- sinkJob{b: s.buf}
		s.renew()
	}
	return s.failure()
}

func (s *sink) renew() {
	select {
	case s.buf = <-s.free:
		return
	default:
	}
	if s.made < sinkBuffers {
		s.made++
		s.buf = make([]byte, 0, s.chunk)
		return
	}
	s.buf = <-s.free
}

// Write appends p. It returns the first error of the file, which may be of earlier bytes.
func (s *sink) Write(p []byte) (int, error) {
	if err := s.reserve(len(p)); err != nil {
		return 0, err
	}
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// Barrier hands over what is there. The channel gives one value, when all of it is with the system; the caller's lock need
// not be held meanwhile.
func (s *sink) Barrier() <-chan error {
	flushed := make(chan error, 1)
	switch {
	case s.closed:
		flushed <- s.failure()
	case len(s.buf) == 0:
		s.work <- sinkJob{flushed: flushed}
	default:
		s.work <- sinkJob{b: s.buf, flushed: flushed}
		s.renew()
	}
	return flushed
}

// Close writes what is left, ends the goroutine and closes the file. Closing again does nothing.
func (s *sink) Close() error {
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
