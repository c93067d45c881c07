package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/live/doctor"
)

// TestReadmeSnippets runs them in a fresh directory, with shorter runs: each uses what those before it made.
func TestReadmeSnippets(t *testing.T) {
	if testing.Short() {
		t.Skip("generates several data sets")
	}
	needs(t, "bash", onPath("bash"))
	w := newWorkshop(t)
	said := w.shell(w.take("generate", "sh", "go build -o glasshouse .\n", "", "--duration 7d", "--duration 1h", "--homes 200 --duration 1d",
		"--homes 3 --duration 20m", "run noisy-napt --duration 10m", "run noisy-napt --world virtual --duration 3m"))
	if !strings.Contains(said, "digest ") || !strings.Contains(said, "echo-dot") {
		t.Errorf("generate, verify and info say\n%s", said)
	}
	t.Run("tshark", func(t *testing.T) { w.as(t).tshark() })
	t.Run("DuckDB", func(t *testing.T) { w.as(t).duckDB() })
	w.shell(w.take("export", "sh", "--homes 20 --duration 1h", "--homes 6 --duration 15m"))
	t.Run("pandas", func(t *testing.T) { w.as(t).pandas() })
	t.Run("PyTorch", func(t *testing.T) { w.as(t).pytorch() })
	t.Run("train", func(t *testing.T) { w.as(t).train() })
	w.shell(w.take("stress", "sh", "--homes 8 --duration 30m", "--homes 2 --duration 10m", "devices=2,6,12",
		"devices=2 --duration 15m --homes 3 --trees 5"))
	t.Run("predictions", func(t *testing.T) { w.as(t).predictions() })
	for name := range w.blocks {
		if !slices.Contains(w.ran, name) {
			t.Errorf("no test runs snippet %s", name)
		}
	}
}

// as is the workshop for a part of the test: what runs there counts for the whole.
func (w *workshop) as(t *testing.T) *workshop {
	t.Helper()
	part := *w
	part.t, part.ran = t, nil
	t.Cleanup(func() { w.ran = append(w.ran, part.ran...) })
	return &part
}

// tshark shows the frame of a row, and finds a device's packets by the truth in comments.
func (w *workshop) tshark() {
	script := w.take("tshark", "sh")
	needs(w.t, "tshark", onPath("tshark"))
	lines := strings.Split(strings.TrimSpace(w.shell(script)), "\n")
	var row42 dataset.Row
	want := 1 // the first command's line
	w.rows("week", func(_ int, r *dataset.Row) {
		if r.Frame == 42 {
			row42 = *r
		}
		if r.Device == "echo-dot" {
			want++
		}
	})
	if f := strings.Fields(lines[0]); f[0] != "42" || !slices.Contains(f, row42.RemoteAddr) || !slices.Contains(f, strconv.Itoa(int(row42.Length))) {
		w.t.Errorf("frame 42 is %q, and in its row %+v", lines[0], row42.Observation)
	}
	lines = slices.DeleteFunc(lines, func(s string) bool { return strings.HasSuffix(s, ".pcapng") || strings.HasSuffix(s, " packets") }) // what export says
	if len(lines) != want || want < 100 {
		w.t.Errorf("%d lines, want frame 42 and %d frames of echo-dot", len(lines), want-1)
	}
}

// duckDB counts what each event caused.
func (w *workshop) duckDB() {
	query := w.take("duckdb", "sql")
	needs(w.t, "npm", onPath("npm") && onPath("node"))
	modules := strings.TrimSpace(w.run(nil, "npm", "root", "-g"))
	_, err := os.Stat(filepath.Join(modules, "@duckdb", "node-api"))
	needs(w.t, "npm's @duckdb/node-api", err == nil)
	script, err := filepath.Abs(filepath.Join("testdata", "readme", "sql.js"))
	if err != nil {
		w.t.Fatal(err)
	}
	got := w.run([]string{"NODE_PATH=" + modules}, "node", script, w.write("query.sql", query))

	type cause struct {
		home                      int
		device, activity, trigger string
	}
	type effect struct {
		events         map[int64]bool
		packets, bytes int64
	}
	d, err := dataset.Open(filepath.Join(w.dir, "many"))
	if err != nil {
		w.t.Fatal(err)
	}
	why := make(map[[2]int64]dataset.Event)
	if err := d.Events(func(home int, e *dataset.Event) error { why[[2]int64{int64(home), e.Event}] = *e; return nil }); err != nil {
		w.t.Fatal(err)
	}
	table := make(map[cause]*effect)
	w.rows("many", func(home int, r *dataset.Row) {
		e, ok := why[[2]int64{int64(home), r.Event}]
		if !ok {
			return
		}
		c := cause{home, r.Device, e.Activity, e.Trigger}
		if table[c] == nil {
			table[c] = &effect{events: make(map[int64]bool)}
		}
		table[c].events[r.Event] = true
		table[c].packets++
		table[c].bytes += int64(r.Length)
	})
	want := make([]string, 0, len(table))
	for c, e := range table {
		want = append(want, fmt.Sprintf("%s,%s,%s,%s,%d,%d,%d", strings.TrimPrefix(dataset.HomeDir(c.home), "home="), c.device, c.activity, c.trigger, len(e.events), e.packets, e.bytes))
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if lines[0] != "home,device,activity,trigger,events,packets,bytes" {
		w.t.Errorf("columns %s", lines[0])
	}
	sameSet(w.t, lines[1:], want)
}

// sameSet wants equal lines in any order.
func sameSet(t *testing.T, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if len(want) < 5 {
		t.Errorf("only %d lines are wanted", len(want))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// pandas counts packets and bytes.
func (w *workshop) pandas() {
	snippet := w.take("pandas", "python")
	needs(w.t, "python3-pandas", debianPython("pandas"))
	got := w.python("pandas", snippet)
	type key struct {
		home   int
		device string
	}
	counts := make(map[key][2]int64)
	w.rows("some", func(home int, r *dataset.Row) {
		k := key{home, r.Device}
		counts[k] = [2]int64{counts[k][0] + 1, counts[k][1] + int64(r.Length)}
	})
	want := make([]string, 0, len(counts))
	for k := range counts {
		want = append(want, fmt.Sprintf("%d,%s,%d,%d", k.home, k.device, counts[k][0], counts[k][1]))
	}
	sameSet(w.t, strings.Split(strings.TrimSpace(got), "\n"), want)
}

// pytorch makes windows that never cross homes.
func (w *workshop) pytorch() {
	snippet := w.take("pytorch", "python")
	needs(w.t, "python3-pandas", debianPython("pandas"))
	needs(w.t, "python3-torch", debianPython("torch"))
	packets := make(map[int]int)
	w.rows("some", func(home int, _ *dataset.Row) { packets[home]++ })
	windows := 0
	for home := range packets {
		windows += packets[home] / 100
	}
	if got, want := strings.TrimSpace(w.python("pytorch", snippet)), fmt.Sprintf("%d %d", len(packets), windows); got != want {
		w.t.Errorf("homes and windows: %s, want %s", got, want)
	}
}

// train trains on some homes, scores on others, and watches a home; a virtual one, where the kernel allows no live one.
func (w *workshop) train() {
	world := "--seed 5 --world virtual --duration 1m"
	if doctor.Examine().Live {
		world = "--seed 5 --duration 5s"
	}
	said := w.shell(w.take("train", "sh", "--homes 20 --duration 2h", "--homes 4 --duration 10m", "--homes 5 --duration 2h", "--homes 2 --duration 10m",
		"--seed 5 --duration 2m", world))
	for _, want := range []string{"macro-F1", "majority", "length"} {
		if !strings.Contains(said, want) {
			w.t.Errorf("the score lacks %s:\n%s", want, said)
		}
	}
}

// predictions trains a model of another library on the same homes, and scores its predictions.
func (w *workshop) predictions() {
	script := w.take("predictions", "sh", "python3 classifier", "/usr/bin/python3 classifier")
	needs(w.t, "python3-sklearn", debianPython("sklearn") && debianPython("pandas"))
	tree, err := filepath.Abs(filepath.Join("..", "..", "classifier"))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(tree, filepath.Join(w.dir, "classifier")); err != nil {
		w.t.Fatal(err)
	}
	said := w.shell(script)
	for _, want := range []string{"macro-F1", "majority", "length"} {
		if !strings.Contains(said, want) {
			w.t.Errorf("the score of predictions lacks %s:\n%s", want, said)
		}
	}
}
