package sink

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

// A disk that stands still does not hold packets up: what is written meanwhile waits in memory.
func TestSlowDisk(t *testing.T) {
	r, f, err := os.Pipe() // takes 64 KiB, then stands still
	if err != nil {
		t.Fatal(err)
	}
	s := New(f, 1<<16)
	const pieces = 20 << 6 // of 1 KiB: 20 buffers
	for i := range pieces {
		if _, err := s.Write(bytes.Repeat([]byte{byte(i)}, 1<<10)); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(r)
		got <- b
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b := <-got
	if len(b) != pieces<<10 {
		t.Fatalf("%d bytes came, %d were written", len(b), pieces<<10)
	}
	for i := range pieces {
		if b[i<<10] != byte(i) {
			t.Fatalf("piece %d is not in its place", i)
		}
	}
	if _, err := s.Write([]byte{1}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file takes bytes: %v", err)
	}
}
