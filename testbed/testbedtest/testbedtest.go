// Package testbedtest runs homes for tests, checks what holds for every run, and reads what came of it. Only tests import it; what they
// need of the machine is in testbed/need.
package testbedtest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/need"
)

// Load loads a scenario.
func Load(t *testing.T, name string) *scenarios.Scenario {
	t.Helper()
	sc, err := scenarios.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// Rows reads the rows of all homes of a dataset.
func Rows(t *testing.T, d *dataset.Dataset) []dataset.Row {
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

// Events reads the events of all homes of a dataset.
func Events(t *testing.T, d *dataset.Dataset) []dataset.Event {
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

// Tshark runs tshark over a capture of the data set and returns its lines.
func Tshark(t *testing.T, d *dataset.Dataset, file string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(need.Tool(t, "tshark"), append([]string{"-n", "-r", filepath.Join(d.HomePath(0), file)}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// Strictly are tshark's options under which it looks at every checksum, puts segments in order before it reads them, and does not
// guess protocols from random bytes.
func Strictly() []string {
	return []string{
		"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.reassemble_out_of_order:TRUE",
		"--disable-protocol", "thrift", // it takes random bytes for its own
		"--disable-protocol", "ecatf", // and this one any datagram at port 34980
		"--disable-protocol", "xmpp", // the port's usual protocol, where a phone speaks TLS from the first byte
	}
}
