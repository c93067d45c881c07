// Package devicestest has what tests of the devices' packages share. No program uses it.
package devicestest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
)

// All returns the profiles of the catalogue.
func All(tb testing.TB) []*profile.Profile {
	tb.Helper()
	var all []*profile.Profile
	for _, name := range catalogue.Names() {
		p, err := catalogue.Load(name)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

var update = flag.Bool("update", false, "write the golden files anew")

// Golden compares got with testdata/name, or writes it.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got; -update writes it anew):\n%s", file, diff)
	}
}
