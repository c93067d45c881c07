package frames_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"glasshouse/testbed/frames"
)

// FuzzReader: whatever a file holds, reading it ends without a panic, and every frame is a packet or is counted.
func FuzzReader(f *testing.F) {
	for _, k := range kinds() {
		f.Add(k.file[:min(len(k.file), 600)])
	}
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := frames.Open(path)
		if err != nil {
			return
		}
		defer r.Close()
		cutter, copies, packets := frames.NewCutter(), frames.NewCopies(), int64(0)
		for {
			p, err := r.Next()
			if err != nil {
				if _, ok := errors.AsType[*frames.InputError](err); !ok && !errors.Is(err, io.EOF) {
					t.Fatalf("%T %v", err, err)
				}
				break
			}
			packets++
			if len(p.IP) > p.Length || p.Length < 20 || p.Above > p.Length {
				t.Fatalf("%+v", p)
			}
			copies.Seen(p)
			if p.Length < 1<<20 {
				cutter.Cut(p, func(q *frames.Frame) {
					if q.Length > frames.MTU || len(q.IP) > q.Length {
						t.Fatalf("%d bytes of %d", len(q.IP), q.Length)
					}
				})
			}
		}
		if n := packets + r.LeftOut().Total() - r.LeftOut()[frames.CutOff]; n != r.Frames() {
			t.Fatalf("%d packets, %v, of %d frames", packets, r.LeftOut(), r.Frames())
		}
	})
}
