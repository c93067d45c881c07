package dataset_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/parquetfile"
)

// Corpora are in testdata/fuzz: go test runs them each time.

func FuzzObserve(f *testing.F) {
	f.Add(ethernet(tcp(home, cloud, 1, 443, 0x18, []byte{23, 3, 3, 0, 1, 0})))
	f.Add(ethernet(udp(home, cloud, 1, 53, make([]byte, 20))))
	p := dataset.NewParser()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, dir := range []int8{1, -1} {
			if o := p.Observe(0, dir, b); int(o.Length) != len(b) || o.PayloadLength < 0 || int(o.PayloadLength) > len(b) || o.AppProto == "" {
				t.Fatalf("%+v", o)
			}
		}
	})
}

func FuzzParquet(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed.parquet")
	w, err := parquetfile.Create[dataset.PacketRecord](path)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.Add(dataset.PacketRecord{Frame: 1, Device: "x"}), w.Close()); err != nil {
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
		_ = dataset.ReadRows(path, func(*dataset.Row) error { return nil })
	})
}
