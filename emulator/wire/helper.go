package wire

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

func pcg(seed uint64) *rand.PCG { return rand.NewPCG(seed, 0) }

func must[T any](v T, err error) func(tb testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// recorder is a connection that keeps what is written to it.
type recorder struct {
	net.Conn
	mu     sync.Mutex
	writes [][]byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.writes = append(r.writes, bytes.Clone(p))
	r.mu.Unlock()
	return r.Conn.Write(p)
}

func (r *recorder) sizes() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sizes(r.writes)
}

func (r *recorder) forget() {
	r.mu.Lock()
	r.writes = nil
	r.mu.Unlock()
}

func sizes(writes [][]byte) (list []int) {
	for _, w := range writes {
		list = append(list, len(w))
	}
	return list
}
