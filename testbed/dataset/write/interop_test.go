package write

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/datasettest"
	"glasshouse/testbed/dataset/export"
	"glasshouse/testbed/dataset/parquetfile"
)

// What others read of our files is what we read of them, to the last cell.

// interopSet makes a set of two homes, one of several row groups, and exports its packets.
func interopSet(t *testing.T) (d *dataset.Dataset, csv string) {
	t.Helper()
	dir := t.TempDir()
	tr := newTraffic(5, 50, 4000)
	d = &dataset.Dataset{Dir: dir, Manifest: dataset.Manifest{State: dataset.StateComplete, Homes: []dataset.HomeInfo{{Home: 0}, {Home: 12}}}}
	for home, n := range map[int]int{0: parquetfile.GroupRows + 2*pageRows + 77, 12: pageRows + 1234} {
		h, err := CreateDirectHome(d.HomePath(home), tr.options())
		if err != nil {
			t.Fatal(err)
		}
		tr.run(h, n, 2000)
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if d.Manifest.Files, err = dataset.HashAll(dir, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	csv = filepath.Join(t.TempDir(), "packets.csv")
	if _, err := export.CSV(d, csv, nil); err != nil {
		t.Fatal(err)
	}
	return d, csv
}

// node runs a script with the globally installed packages.
func node(t *testing.T, pkg, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(datasettest.Need(t, "node"), append([]string{filepath.Join("testdata", "interop", script)}, args...)...)
	root, err := exec.Command(datasettest.Need(t, "npm"), "root", "-g").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.TrimSpace(string(root))
	if _, err := os.Stat(filepath.Join(modules, filepath.FromSlash(pkg))); err != nil {
		if os.Getenv("GLASSHOUSE_CI") == "1" {
			t.Fatalf("npm's %s is not installed", pkg)
		}
		t.Skipf("npm's %s is not installed", pkg)
	}
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	return out
}

func sameLines(t *testing.T, got, want []byte) {
	t.Helper()
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	if len(g) != len(w) {
		t.Errorf("%d lines, want %d", len(g), len(w))
	}
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			t.Fatalf("line %d is\n%s\nwant\n%s", i+1, g[i], w[i])
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOthersRead(t *testing.T) {
	d, csv := interopSet(t)
	t.Run("DuckDB", func(t *testing.T) { duckDBReads(t, d, csv) })
	t.Run("hyparquet", func(t *testing.T) { hyparquetReads(t, d, csv) })
	t.Run("pandas", func(t *testing.T) { pandasReads(t, d, csv) })
}

func duckDBReads(t *testing.T, d *dataset.Dataset, csv string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "duckdb.csv")
	events := node(t, "@duckdb/node-api", "duckdb.js", d.Dir, out)
	sameLines(t, read(t, out), read(t, csv))
	n := 0
	if err := d.Events(func(int, *dataset.Event) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("a-device,sync,%d,0\n", n); string(events) != want {
		t.Errorf("events: %q, want %q", events, want)
	}
}

func hyparquetReads(t *testing.T, d *dataset.Dataset, csv string) {
	t.Helper()
	got := node(t, "hyparquet", "hyparquet.js", filepath.Join(d.HomePath(12), dataset.FilePackets)) // it is slow: the small home
	var want []byte
	for line := range bytes.Lines(read(t, csv)) { // our export has the home in front
		if home, rest, _ := bytes.Cut(line, []byte(",")); string(home) == "home" || string(home) == "12" {
			want = append(want, rest...)
		}
	}
	sameLines(t, got, want)
}

// Debian's pandas has no engine for Parquet: it reads the export.
func pandasReads(t *testing.T, d *dataset.Dataset, csv string) {
	t.Helper()
	python := "/usr/bin/python3" // Debian's own: another one on the path has packages of its own
	if _, err := os.Stat("/usr/lib/python3/dist-packages/pandas"); err != nil {
		if os.Getenv("GLASSHOUSE_CI") == "1" {
			t.Fatal("python3-pandas is not installed")
		}
		t.Skip("python3-pandas is not installed")
	}
	out, err := exec.Command(python, filepath.Join("testdata", "interop", "pandas.py"), csv).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	devices, last, none := map[string]int{}, int64(0), 0
	if err := d.Rows(func(_ int, r *dataset.Row) error {
		devices[r.Device]++
		last = r.TsNs
		if r.Event < 0 {
			none++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		want = append(want, fmt.Sprintf("%s,%d", name, devices[name]))
	}
	want = append(want, fmt.Sprintf("int64 Int64 bool %d %d", last, none), "")
	sameLines(t, out, []byte(strings.Join(want, "\n")))
}
