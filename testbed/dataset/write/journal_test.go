package write

import (
	"os"
	"path/filepath"
	"testing"

	"glasshouse/testbed/dataset"
)

func FuzzRowJournal(f *testing.F) {
	f.Add([]byte(journalMagic + "\x05\x01\x02\x03\x04\x05"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		got, _ := readRowJournal(path, func(*dataset.Row) error { n++; return nil })
		if got != n {
			t.Fatalf("%d rows given, %d counted", n, got)
		}
	})
}
