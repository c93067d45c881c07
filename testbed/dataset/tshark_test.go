package dataset_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/datasettest"
)

// Wireshark reads what is written: the same packets and times, the comment, the interface, and nothing malformed.
func TestTsharkReads(t *testing.T) {
	tshark := datasettest.Need(t, "tshark")
	dir := filepath.Join(t.TempDir(), "set")
	writeSet(t, dir, 50, false)
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.HomePath(0), dataset.FileWAN)
	out, err := exec.Command(tshark, "-r", path, "-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.len",
		"-e", "frame.interface_name", "-e", "udp.dstport", "-e", "_ws.malformed").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err := d.Rows(func(_ int, r *dataset.Row) error {
		to := r.RemotePort
		if r.Dir < 0 {
			to = r.LocalPort
		}
		want := fmt.Sprintf("%d\t%d.%09d\t%d\twan\t%d\t", r.Frame, r.TsNs/1e9, r.TsNs%1e9, r.Length, to)
		if got := lines[r.Frame-1]; got != want {
			t.Errorf("row %d: tshark says %q, want %q", r.Frame, got, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 50 {
		t.Errorf("%d packets", len(lines))
	}
}
