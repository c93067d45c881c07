package shell

import (
	"os"
	"path/filepath"
	"testing"
)

func TestResolvedPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	link("../run/resolve/stub.conf", "etc/resolv.conf") // as systemd-resolved's, where /run is another
	link("etc", "alias")
	link("loop", "loop")
	for path, want := range map[string]string{
		"etc/hosts": "etc/hosts", "etc/resolv.conf": "run/resolve/stub.conf", "alias/resolv.conf": "run/resolve/stub.conf",
	} {
		if got, err := resolvedPath(filepath.Join(dir, path)); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s leads to %s (%v), want %s", path, got, err, want)
		}
	}
	if got, err := resolvedPath(filepath.Join(dir, "loop")); err == nil {
		t.Errorf("a loop leads to %s", got)
	}
}
