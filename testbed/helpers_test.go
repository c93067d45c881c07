package testbed_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
)

// inCI tells that a skip is a failure.
func inCI() bool { return os.Getenv("GLASSHOUSE_CI") != "" }

// long tells that the long form of a proof was asked for.
func long() bool { return os.Getenv("GLASSHOUSE_LONG") != "" }

func skip(t *testing.T, why string) {
	t.Helper()
	if inCI() {
		t.Fatal(why)
	}
	t.Skip(why)
}

func load(t *testing.T, name string) *scenarios.Scenario {
	t.Helper()
	sc, err := scenarios.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func rowsOf(t *testing.T, d *dataset.Dataset) []dataset.Row {
	t.Helper()
	var rows []dataset.Row
	if err := d.Rows(func(_ int, r *dataset.Row) error {
		rows = append(rows, *r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

func eventsOf(t *testing.T, d *dataset.Dataset) []dataset.Event {
	t.Helper()
	var events []dataset.Event
	if err := d.Events(func(_ int, e *dataset.Event) error {
		events = append(events, *e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return events
}

// tshark runs tshark over a capture of the data set and returns its lines.
func tshark(t *testing.T, d *dataset.Dataset, file string, args ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		skip(t, "tshark is not installed")
	}
	cmd := exec.Command("tshark", append([]string{"-n", "-r", filepath.Join(d.HomePath(0), file)}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
