package dataset_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/datasettest"
	"glasshouse/testbed/dataset/export"
	"glasshouse/testbed/dataset/pcapng"
)

// A classic pcap holds the frames of wan.pcapng, by our reader and by tshark.
func TestExportPcap(t *testing.T) {
	d := newRun(2, dataset.CapturesWAN, 96).whole(t, filepath.Join(t.TempDir(), "set"), "", every)
	out := filepath.Join(t.TempDir(), "out")
	r, err := export.Pcap(d, out, nil)
	if err != nil || r.Packets != d.Manifest.Counts.WAN || len(r.Files) != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	for home := range 2 {
		want, err := allFrames(filepath.Join(d.HomePath(home), dataset.FileWAN))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(out, dataset.HomeDir(home), "wan.pcap")
		got, err := allFrames(path)
		if err != nil || len(got) != len(want) || path != r.Files[home] {
			t.Fatalf("%d frames, want %d, %v", len(got), len(want), err)
		}
		for i := range got {
			if got[i].TsNs != want[i].TsNs || got[i].Length != want[i].Length || !bytes.Equal(got[i].Data, want[i].Data) {
				t.Fatalf("frame %d is %+v, want %+v", i+1, got[i], want[i])
			}
		}
		lines := tshark(t, path, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len")
		if len(lines) != len(want) {
			t.Fatalf("tshark shows %d frames of %d", len(lines), len(want))
		}
		for i, line := range lines {
			w := fmt.Sprintf("%d.%09d\t%d\t%d", want[i].TsNs/1e9, want[i].TsNs%1e9, want[i].Length, len(want[i].Data))
			if line != w {
				t.Fatalf("tshark shows frame %d as %q, want %q", i+1, line, w)
			}
		}
	}
}

func tshark(t *testing.T, path string, args ...string) []string {
	t.Helper()
	b, err := exec.Command(datasettest.Need(t, "tshark"), append([]string{"-n", "-r", path}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// The truth in comments: Wireshark's filter finds the packets of a device, and none else.
func TestExportPcapML(t *testing.T) {
	d := newRun(1, dataset.CapturesAll, 0).whole(t, filepath.Join(t.TempDir(), "set"), "", every)
	out := filepath.Join(t.TempDir(), "labelled.pcapng")
	r, err := export.PcapML(d, out, nil)
	if err != nil || r.Packets != d.Manifest.Counts.WAN || len(r.Files) != 1 || r.Files[0] != out {
		t.Fatalf("%+v %v", r, err)
	}
	var want []string
	cameras := int64(0)
	if err := d.Rows(func(_ int, r *dataset.Row) error {
		sample := r.Event
		if sample == packet.EventNone {
			sample = 999_000_000 + map[string]int64{"plug": 0, "camera": 1}[r.Unit]
		}
		if r.Device == "camera" {
			cameras++
		}
		want = append(want, fmt.Sprintf("%d\t%d,%s,d=%s\t%d", r.Frame, sample, r.Device, map[int8]string{1: "lan2wan", -1: "wan2lan"}[r.Dir], r.Length))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := tshark(t, out, "-T", "fields", "-e", "frame.number", "-e", "frame.comment", "-e", "frame.len")
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("tshark shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if found := tshark(t, out, "-Y", `frame.comment contains "camera"`); int64(len(found)) != cameras || cameras == 0 {
		t.Errorf("the filter finds %d packets of %d", len(found), cameras)
	}
	if n := len(tshark(t, out, "-Y", "_ws.malformed || _ws.expert.severity >= 8388608")); n > 0 {
		t.Errorf("tshark finds fault with %d frames", n)
	}
}

func TestExportCSV(t *testing.T) {
	d := newRun(3, dataset.CapturesNone, 0).whole(t, filepath.Join(t.TempDir(), "set"), "", every)
	out := filepath.Join(t.TempDir(), "out")
	r, err := export.CSV(d, out, nil)
	if err != nil || r.Packets != d.Manifest.Counts.WAN || len(r.Files) != 1 || r.Files[0] != filepath.Join(out, "packets.csv") {
		t.Fatalf("%+v %v", r, err)
	}
	f, err := os.Open(r.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil || int64(len(records)) != d.Manifest.Counts.WAN+1 {
		t.Fatalf("%d lines, %v", len(records), err)
	}
	for i, c := range dataset.PacketColumns() {
		if records[0][i+1] != c.Name {
			t.Errorf("column %d is %s, want %s", i+1, records[0][i+1], c.Name)
		}
	}
	i := 0
	if err := d.Rows(func(home int, r *dataset.Row) error {
		i++
		got := records[i]
		event, lan := strconv.FormatInt(r.Event, 10), strconv.FormatInt(r.LANFrame, 10)
		if r.Event == packet.EventNone {
			event = ""
		}
		want := []string{
			strconv.Itoa(home), fmt.Sprint(r.TsNs), fmt.Sprint(r.Frame), fmt.Sprint(r.Dir), fmt.Sprint(r.Length), fmt.Sprint(r.IPProto),
			fmt.Sprint(r.LocalPort), fmt.Sprint(r.RemotePort), fmt.Sprint(r.TCPFlags), r.RemoteAddr, fmt.Sprint(r.PayloadLength), r.AppProto,
			r.Device, r.Unit, r.Class, r.Kind, r.Category, r.Activity, r.Role, event, lan, "false",
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			return fmt.Errorf("line %d is %q, want %q", i, got, want)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if got := string(export.AppendQuoted(nil, `a "b", c`)); got != `"a ""b"", c"` {
		t.Errorf("quoted %s", got)
	}
}

func TestExportRefuses(t *testing.T) {
	root := t.TempDir()
	two := newRun(2, dataset.CapturesWAN, 0).whole(t, filepath.Join(root, "two"), "", every)
	none := newRun(1, dataset.CapturesNone, 0).whole(t, filepath.Join(root, "none"), "", every)
	unfinished := &dataset.Dataset{Dir: root, Manifest: dataset.Manifest{State: dataset.StateRunning}}
	put(t, filepath.Join(root, "occupied", "mine.txt"), "precious")
	put(t, filepath.Join(root, "mine.csv"), "precious")
	type exporter = func(*dataset.Dataset, string, func(done, of int64)) (*export.Result, error)
	for _, c := range []struct {
		d    *dataset.Dataset
		f    exporter
		out  string
		want string
	}{
		{two, export.Pcap, "x.pcap", "has 2 homes"},
		{two, export.PcapML, "x.pcapng", "has 2 homes"},
		{none, export.Pcap, "x", "without captures"},
		{none, export.PcapML, "x", "without captures"},
		{two, export.CSV, "occupied", "holds something already"},
		{two, export.CSV, "mine.csv", "is there already"},
		{two, export.CSV, "nowhere/x.csv", "is not a directory"},
		{unfinished, export.CSV, "x", "is not complete"},
	} {
		_, err := c.f(c.d, filepath.Join(root, c.out), nil)
		var in *dataset.InputError
		if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q: %v", c.out, c.want, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(root, "mine.csv")); err != nil || string(b) != "precious" {
		t.Errorf("%q %v", b, err)
	}
	// A capture that is cut leaves no file that looks whole.
	path := filepath.Join(two.HomePath(1), dataset.FileWAN)
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, st.Size()-5); err != nil {
		t.Fatal(err)
	}
	for i, f := range []exporter{export.Pcap, export.PcapML} {
		out := filepath.Join(root, fmt.Sprint("cut", i))
		if _, err := f(two, out, nil); err == nil {
			t.Error("a cut capture was exported")
		}
		if entries, err := os.ReadDir(filepath.Join(out, dataset.HomeDir(1))); len(entries) != 0 {
			t.Errorf("%v %v", entries, err)
		}
	}
	// Nor are rows given on that are not those that were written.
	flip(t, filepath.Join(two.HomePath(1), dataset.FilePackets), 200)
	if _, err := export.CSV(two, filepath.Join(root, "flipped.csv"), nil); err == nil || !strings.Contains(err.Error(), dataset.HomeDir(1)+"/"+dataset.FilePackets+": sha256 differs") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "flipped.csv")); err == nil {
		t.Error("damaged rows were exported")
	}
}

// allFrames returns copies of the frames of a capture.
func allFrames(path string) ([]pcapng.Frame, error) {
	r, err := pcapng.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []pcapng.Frame
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		f.Data = bytes.Clone(f.Data)
		out = append(out, f)
	}
}
