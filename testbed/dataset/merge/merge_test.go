package merge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
)

// What cannot be linked is copied, and checked.
func TestMergeCopies(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from")
	if err := os.WriteFile(from, []byte("a home's file"), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, err := dataset.HashFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(to, []byte("in the way of a link"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := merger{r: &Result{}}
	if err := g.file(from, to, sum); err != nil || g.r.Copied != 1 {
		t.Fatalf("%+v %v", g.r, err)
	}
	if got, err := dataset.HashFile(to); err != nil || got != sum {
		t.Errorf("%s %v", got, err)
	}
	if err := g.file(from, to, "another"); err == nil || !strings.Contains(err.Error(), "sha256 differs") {
		t.Errorf("a damaged file was merged: %v", err)
	}
}
