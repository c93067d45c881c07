package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Corpora are in testdata/fuzz: go test runs them each time.

func FuzzObserve(f *testing.F) {
	f.Add(ethernet(tcp(home, cloud, 1, 443, 0x18, []byte{23, 3, 3, 0, 1, 0})))
	f.Add(ethernet(udp(home, cloud, 1, 53, make([]byte, 20))))
	p := NewParser()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, dir := range []int8{1, -1} {
			if o := p.Observe(0, dir, b); int(o.Length) != len(b) || o.PayloadLength < 0 || int(o.PayloadLength) > len(b) || o.AppProto == "" {
				t.Fatalf("%+v", o)
			}
		}
	})
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte("\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00"))
	f.Add([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		frames, _ := readAll(path)
		if len(frames) > len(b) {
			t.Fatal("more packets than bytes")
		}
	})
}

func FuzzRowJournal(f *testing.F) {
	f.Add([]byte(journalMagic + "\x05\x01\x02\x03\x04\x05"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		got, _ := readRowJournal(path, func(*Row) error { n++; return nil })
		if got != n {
			t.Fatalf("%d rows given, %d counted", n, got)
		}
	})
}

func FuzzParquet(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed.parquet")
	w, err := createParquet[packetRecord](path)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.add(packetRecord{Frame: 1, Device: "x"}), w.close()); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x.parquet")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_ = ReadRows(path, func(*Row) error { return nil })
	})
}
