// Package wiretest is what the tests of wire formats share.
package wiretest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// PCG is a source of draws.
func PCG(seed uint64) *rand.PCG { return rand.NewPCG(seed, 0) }

// Must returns a function that gives the value, or ends the test where there is an error.
func Must[T any](v T, err error) func(tb testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// Recorder is a connection that keeps what is written to it.
type Recorder struct {
	net.Conn
	mu     sync.Mutex
	Writes [][]byte
}

// Write implements net.Conn.
func (r *Recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.Writes = append(r.Writes, bytes.Clone(p))
	r.mu.Unlock()
	return r.Conn.Write(p)
}

// Sizes are the sizes of its writes so far.
func (r *Recorder) Sizes() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sizes(r.Writes)
}

// Forget lets go of them.
func (r *Recorder) Forget() {
	r.mu.Lock()
	r.Writes = nil
	r.mu.Unlock()
}

func sizes(writes [][]byte) (list []int) {
	for _, w := range writes {
		list = append(list, len(w))
	}
	return list
}
