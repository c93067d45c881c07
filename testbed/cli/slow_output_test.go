package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"glasshouse/testbed/cli"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/live/doctor"
)

// frozen is a terminal that its user stops (Ctrl-S) when a home has begun, until the run's manifest says that it is over.
type frozen struct {
	manifest string
	limit    time.Time

	mu   sync.Mutex
	over bool // the home ended while the terminal was frozen
	text bytes.Buffer
}

func (f *frozen) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ; !f.over && time.Now().Before(f.limit); time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(f.manifest)
		if err != nil {
			break // not begun
		}
		f.over = bytes.Contains(b, []byte(`"state": "complete"`))
	}
	return f.text.Write(p)
}

// A terminal or a pipe that nobody reads holds no live home up: it ends in time, is valid, and is shown when it is read again.
func TestFrozenTerminalDoesNotHoldAHomeUp(t *testing.T) {
	if testing.Short() {
		t.Skip("a live home takes its time: not with -short")
	}
	if r := doctor.Examine(); !r.Live {
		if os.Getenv("GLASSHOUSE_CI") != "" {
			t.Fatal(r.FirstFix())
		}
		t.Skip("no live home here: " + r.FirstFix())
	}
	dir := t.TempDir()
	set, taught, model := filepath.Join(dir, "set"), filepath.Join(dir, "taught"), filepath.Join(dir, "a.model")
	var out, log bytes.Buffer
	for _, args := range [][]string{
		{"generate", "iot-napt", "--homes", "1", "--duration", "20m", "--seed", "5", "--no-pcap", "-o", taught},
		{"train", taught, "-m", "forest", "--seed", "1", "-o", model},
	} {
		if code := cli.Main(t.Context(), args, strings.NewReader(""), &out, &log); code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, log.String())
		}
	}
	terminal := &frozen{manifest: filepath.Join(set, dataset.FileManifest), limit: time.Now().Add(time.Minute)}
	code := cli.Main(t.Context(), []string{
		"run", "iot-napt", "--world", "live", "--model", model, "--duration", "8s", "--time-scale", "300", "--seed", "2", "-o", set,
	}, strings.NewReader(""), terminal, terminal)
	text := terminal.text.String()
	if !terminal.over || code != 0 {
		t.Fatalf("exit %d; the home ended while the terminal was frozen: %v\n%.2000s", code, terminal.over, text)
	}
	b, err := os.ReadFile(terminal.manifest)
	if err != nil {
		t.Fatal(err)
	}
	var m dataset.Manifest
	if err := json.Unmarshal(b, &m); err != nil || !m.Valid {
		t.Errorf("the run is not valid: %v %v", m.Reasons, err)
	}
	if shown := strings.Count(text, "✓") + strings.Count(text, "✗") + strings.Count(text, "·"); int64(shown) != m.Counts.WAN || m.Counts.WAN == 0 {
		t.Errorf("%d lines for %d packets", shown, m.Counts.WAN)
	}
}
