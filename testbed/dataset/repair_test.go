package dataset_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/verify"
	"glasshouse/testbed/dataset/write"
)

// Whatever a killed run had on disk, repair makes a data set of it that verifies, and repairing again changes nothing.
func TestRepairOfKilledRuns(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(root, strconv.Itoa(n))
		writeSet(t, dir, 120, true)
		for _, f := range []string{dataset.FileLAN, dataset.FileWAN, "rows.journal", "events.journal"} {
			path := filepath.Join(dir, dataset.HomeDir(0), f)
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			switch rapid.IntRange(0, 9).Draw(t, f) {
			case 0:
				err = os.Remove(path)
			case 1, 2, 3, 4, 5:
				err = os.Truncate(path, rapid.Int64Range(0, st.Size()).Draw(t, "bytes of "+f))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if rapid.Bool().Draw(t, "killed while the manifest was written") {
			if err := os.WriteFile(filepath.Join(dir, dataset.FileManifest+".part"), []byte("{"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		checkRepair(t, dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	})
}

func checkRepair(t interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}, dir string,
) {
	t.Helper()
	if v, err := verify.Run(dir, false); err != nil || v.OK {
		t.Fatalf("a killed run verifies: %+v %v", v, err)
	}
	v, err := verify.Run(dir, true)
	if err != nil || !v.OK {
		t.Fatalf("after repair: %+v %v", v, err)
	}
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := d.Manifest.Counts
	drops := int64(0)
	for _, n := range c.Drops {
		drops += n
	}
	if c.LAN != c.WAN-c.WithoutLAN+c.Local+drops || d.Manifest.State != dataset.StateCut || d.Manifest.Valid || len(d.Manifest.Reasons) == 0 {
		t.Fatalf("after repair the manifest says %+v", d.Manifest)
	}
	again, err := verify.Run(dir, true)
	if err != nil || !again.OK || again.Checked != v.Checked || len(again.Repaired) != 0 {
		t.Fatalf("repair is not idempotent: %+v %v", again, err)
	}
}

// A run that is killed between its steps: before its home was made, after its Parquet files, and while its journals went.
func TestRepairBetweenSteps(t *testing.T) {
	for name, kill := range map[string]func(home string) error{
		"before the home":   os.RemoveAll,
		"after the Parquet": write.Build,
		"a journal is left": func(home string) error {
			err := write.Build(home)
			return errors.Join(err, os.WriteFile(filepath.Join(home, "events.journal"), []byte("{}\n"), 0o644))
		},
		"half a Parquet file": func(home string) error {
			return os.WriteFile(filepath.Join(home, dataset.FilePackets), []byte("PAR1"), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			writeSet(t, dir, 60, true)
			if err := kill(filepath.Join(dir, dataset.HomeDir(0))); err != nil {
				t.Fatal(err)
			}
			checkRepair(t, dir)
		})
	}
}

// Events are written when they end: those that were open when the run was killed are known by their packets.
func TestRepairKeepsOpenEvents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	writeSet(t, dir, 95, true)
	journal := filepath.Join(dir, dataset.HomeDir(0), "events.journal")
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	if err := os.WriteFile(journal, bytes.Join(lines[:7], nil), 0o644); err != nil {
		t.Fatal(err)
	}
	checkRepair(t, dir)
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	if err := d.Events(func(_ int, e *dataset.Event) error {
		want := dataset.Event{Event: n, Device: "some-device", Unit: "some-device", Activity: "heartbeat", TScript: 10*n + 9, TStart: -1, TEnd: -1, Outcome: "ok"}
		if n >= 7 {
			want.TScript, want.Outcome, want.Trigger, want.Actor = -1, "cut", "unknown", "unknown"
		}
		n++
		if diff := cmp.Diff(want, *e); diff != "" {
			t.Error(diff)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != 10 {
		t.Errorf("%d events", n)
	}
}
