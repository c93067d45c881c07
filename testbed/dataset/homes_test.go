package dataset_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/verify"
	"glasshouse/testbed/dataset/write"
)

// run of many homes, small and made again at will.
type run struct {
	m     dataset.Manifest
	homes int
}

func newRun(homes int, captures string, snaplen int) *run {
	v := map[string][]string{"label_activity": {"none", "heartbeat"}, "label_role": dataset.RoleNames()}
	for column, words := range map[string][]string{
		"label_device": {"plug", "camera"}, "label_unit": {"plug", "camera"}, "label_class": {"plug", "camera"}, "label_kind": {"iot"}, "label_category": {"plug", "camera"},
	} {
		own := []string{"gateway", "internet"}
		if column == "label_kind" || column == "label_category" {
			own = []string{"infrastructure"}
		}
		v[column] = append(words, own...)
	}
	return &run{homes: homes, m: dataset.Manifest{
		Scenario: "small", ScenarioDigest: "0123456789abcdef", Path: "napt", Seed: 5, World: "virtual", StartNs: epoch, DurationNs: 1e9,
		TimeScale: 1, Captures: captures, Snaplen: snaplen, RunHomes: homes, Vocabulary: v,
	}}
}

// make makes a home in its directory, and returns what the set is to be told of it.
func (r *run) make(tb testing.TB, dir string, home int) (dataset.HomeInfo, *write.DirectHome) {
	tb.Helper()
	units := []dataset.Label{
		{Device: "plug", Unit: "plug", Class: "plug", Kind: "iot", Category: "plug"},
		{Device: "camera", Unit: "camera", Class: "camera", Kind: "iot", Category: "camera"},
	}
	d, err := write.CreateDirectHome(dir, write.DirectOptions{
		Options: write.Options{EpochNs: epoch, Snaplen: r.m.Snaplen}, Captures: r.m.HasWAN(), LAN: r.m.HasLAN(), Units: units, Activities: []string{"none", "heartbeat"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(r.m.Seed, uint64(home)))
	macs := [][6]byte{{2, 0, 0, 0, byte(home), 1}, {2, 0, 0, 0, byte(home), 2}}
	for i := range 40 + rnd.IntN(60) {
		unit, at := rnd.IntN(2), int64(i)*1e6
		payload := make([]byte, rnd.IntN(700))
		for k := range payload {
			payload[k] = byte(rnd.Uint32())
		}
		x := packet.Lineage{Unit: int32(unit), Activity: 1, Role: packet.RoleData, Event: int64(i / 10)}
		if i%7 == 0 {
			x.Event = packet.EventNone
		}
		device := [4]byte{192, 168, 1, byte(10 + unit)}
		dir, wan, lan := int8(1), udp(home4(home), cloud, 4000, 8053, payload), udp(device, cloud, 4000, 8053, payload)
		frame := append(append(append([]byte(nil), 2, 0, 0, 0, 9, 9), macs[unit][:]...), 8, 0)
		if rnd.IntN(3) == 0 {
			dir, wan, lan = -1, udp(cloud, home4(home), 8053, 4000, payload), udp(cloud, device, 8053, 4000, payload)
			copy(frame, append(macs[unit][:], 2, 0, 0, 0, 9, 9))
		}
		frame = append(frame, lan...)
		x.LANFrame = d.LAN(at, frame, len(frame))
		var o dataset.Observation
		d.WAN(&o, at, dir, wan, len(wan))
		d.Row(&o, x, false)
		if i%10 == 9 {
			d.Event(&dataset.Event{Event: int64(i / 10), Device: "plug", Unit: "plug", Activity: "heartbeat", Outcome: "ok"})
		}
	}
	for e := d.Counts().Events; e*10 < d.Counts().WAN; e++ {
		d.Event(&dataset.Event{Event: e, Device: "plug", Unit: "plug", Activity: "heartbeat", TEnd: -1, Outcome: "cut"})
	}
	if err := d.Close(); err != nil {
		tb.Fatal(err)
	}
	return dataset.HomeInfo{Home: home, Seed: uint64(home), Varied: map[string]any{}, Devices: []dataset.DeviceInfo{
		{Name: "plug", Unit: "plug", Class: "plug", Kind: "iot", Category: "plug", MAC: macText(macs[0])}, {Name: "camera", Unit: "camera", Class: "camera", Kind: "iot", Category: "camera", MAC: macText(macs[1])},
	}}, d
}

func home4(home int) [4]byte { return [4]byte{100, 64, 0, byte(home + 1)} }

func macText(m [6]byte) string {
	b := make([]byte, 0, 17)
	for i, x := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, "0123456789abcdef"[x>>4], "0123456789abcdef"[x&15])
	}
	return string(b)
}

// writeSet makes the homes that are wanted and not done.
func (r *run) writeSet(tb testing.TB, s *dataset.Set, want func(home int) bool) {
	tb.Helper()
	for home := range r.homes {
		if !want(home) || s.Done(home) {
			continue
		}
		info, d := r.make(tb, s.PartPath(home), home)
		if err := s.HomeDone(info, d.Counts(), dataset.Fidelity{Late: 1}, d.Hashes()); err != nil {
			tb.Fatal(err)
		}
	}
}

func every(int) bool { return true }

// whole makes a complete data set.
func (r *run) whole(tb testing.TB, dir, shard string, want func(home int) bool) *dataset.Dataset {
	tb.Helper()
	m := r.m
	m.Shard = shard
	s, found, err := dataset.OpenOrCreate(dir, m, []byte("name: small\n"))
	if err != nil || found != dataset.FoundNothing {
		tb.Fatal(found, err)
	}
	r.writeSet(tb, s, want)
	if err := s.FinishHomes(true, nil); err != nil {
		tb.Fatal(err)
	}
	d, err := dataset.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func verified(tb testing.TB, dir string) *verify.Result {
	tb.Helper()
	v, err := verify.Run(dir, false)
	if err != nil || !v.OK {
		tb.Fatalf("%s: %+v %v", dir, v, err)
	}
	return v
}

// Sets of many homes verify, with and without captures, and their manifests add their homes up.
func TestHomes(t *testing.T) {
	for _, c := range []struct {
		captures string
		snaplen  int
		files    int
	}{{dataset.CapturesAll, 0, 4}, {dataset.CapturesAll, 96, 4}, {dataset.CapturesWAN, 0, 3}, {dataset.CapturesWAN, 64, 3}, {dataset.CapturesNone, 0, 2}} {
		r := newRun(3, c.captures, c.snaplen)
		dir := filepath.Join(t.TempDir(), "set")
		d := r.whole(t, dir, "", every)
		v := verified(t, dir)
		m := &d.Manifest
		if m.State != dataset.StateComplete || !m.Valid || len(m.Homes) != 3 || m.Counts.WAN != v.Checked || len(m.Files) != 3*c.files+3 || m.Fidelity.Late != 3 {
			t.Errorf("%+v: %+v", c, m)
		}
		packets, byDevice := int64(0), int64(0)
		for i, h := range m.Homes {
			packets += h.Packets
			if h.Home != i || h.Counts.WAN != h.Packets {
				t.Errorf("home %d: %+v", i, h)
			}
		}
		for _, n := range m.Counts.ByDevice {
			byDevice += n
		}
		if packets != m.Counts.WAN || byDevice != m.Counts.WAN {
			t.Errorf("%d packets of homes, %d of devices, %d in all", packets, byDevice, m.Counts.WAN)
		}
		card, err := os.ReadFile(filepath.Join(dir, dataset.FileCard))
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(card), "tshark"); has != m.HasWAN() {
			t.Errorf("%s: the card speaks of tshark: %t", c.captures, has)
		}
		for _, gone := range []string{"homes.journal", dataset.HomeDir(0) + ".part"} {
			if _, err := os.Stat(filepath.Join(dir, gone)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", gone, err)
			}
		}
	}
}

// A run goes on where it was killed, and gives the same digest; what was half made is made again.
func TestHomesResume(t *testing.T) {
	r := newRun(5, dataset.CapturesAll, 0)
	want := r.whole(t, filepath.Join(t.TempDir(), "set"), "", every).Manifest.Digest()
	for name, kill := range map[string]func(t *testing.T, dir string){
		"between homes": func(*testing.T, string) {},
		"within a home": func(t *testing.T, dir string) {
			t.Helper()
			put(t, filepath.Join(dir, dataset.HomeDir(3)+".part", dataset.FileWAN), "half")
		},
		"between a home and its line": func(t *testing.T, dir string) {
			t.Helper()
			put(t, filepath.Join(dir, dataset.HomeDir(4), dataset.FileWAN), "not in the journal")
		},
		"within a line": func(t *testing.T, dir string) {
			t.Helper()
			b, err := os.ReadFile(filepath.Join(dir, "homes.journal"))
			if err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, "homes.journal"), string(b[:len(b)-9]))
		},
		"within the manifest": func(t *testing.T, dir string) {
			t.Helper()
			put(t, filepath.Join(dir, dataset.FileManifest+".part"), "{")
		},
		"before the scenario": func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, dataset.FileScenario)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			s, _, err := dataset.OpenOrCreate(dir, r.m, []byte("name: small\n"))
			if err != nil {
				t.Fatal(err)
			}
			r.writeSet(t, s, func(home int) bool { return home < 3 })
			kill(t, dir)
			if v, err := verify.Run(dir, false); err != nil || v.OK {
				t.Errorf("an unfinished set verifies: %+v %v", v, err)
			}
			s, found, err := dataset.OpenOrCreate(dir, r.m, []byte("name: small\n"))
			if err != nil || found != dataset.FoundUnfinished {
				t.Fatal(found, err)
			}
			if done := s.Done(0) && s.Done(1); !done || s.Done(3) || s.Done(4) {
				t.Error("what is done is not known")
			}
			r.writeSet(t, s, every)
			if err := s.FinishHomes(true, nil); err != nil {
				t.Fatal(err)
			}
			verified(t, dir)
			put(t, filepath.Join(dir, "homes.journal"), "left behind")
			s, found, err = dataset.OpenOrCreate(dir, r.m, nil)
			if exists(filepath.Join(dir, "homes.journal")) {
				t.Error("the journal is left")
			}
			if err != nil || found != dataset.FoundComplete || s.Manifest.Digest() != want {
				t.Errorf("found %v, digest %s, want %s, %v", found, s.Manifest.Digest(), want, err)
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// A run that was killed within its first write begins anew; one that is of another run is left alone.
func TestOpenOrCreateRefuses(t *testing.T) {
	r := newRun(2, dataset.CapturesNone, 0)
	dir := filepath.Join(t.TempDir(), "set")
	put(t, filepath.Join(dir, dataset.FileManifest+".part"), "{")
	s, found, err := dataset.OpenOrCreate(dir, r.m, []byte("x"))
	if err != nil || found != dataset.FoundNothing {
		t.Fatal(found, err)
	}
	r.writeSet(t, s, func(home int) bool { return home == 0 })
	for want, change := range map[string]func(*dataset.Manifest){
		"scenario is small, not large":    func(m *dataset.Manifest) { m.Scenario = "large" },
		"digest is 0123456789ab, not 777": func(m *dataset.Manifest) { m.ScenarioDigest = "777" },
		"seed is 5, not 6":                func(m *dataset.Manifest) { m.Seed++ },
		"homes is 2, not 3":               func(m *dataset.Manifest) { m.RunHomes++ },
		"duration_ns is 1000000000":       func(m *dataset.Manifest) { m.DurationNs++ },
		"captures is none, not all":       func(m *dataset.Manifest) { m.Captures = "" },
		"snaplen is 0, not 128":           func(m *dataset.Manifest) { m.Snaplen = 128 },
		"shard is none, not 1/2":          func(m *dataset.Manifest) { m.Shard = "1/2" },
		"vocabulary differs":              func(m *dataset.Manifest) { m.Vocabulary = nil },
	} {
		m := r.m
		change(&m)
		if _, _, err := dataset.OpenOrCreate(dir, m, nil); !errors.Is(err, dataset.ErrOccupied) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, found, err := dataset.OpenOrCreate(dir, r.m, nil); err != nil || found != dataset.FoundUnfinished {
		t.Errorf("after the refusals: %v %v", found, err)
	}
	other := t.TempDir()
	put(t, filepath.Join(other, "mine.txt"), "precious")
	if _, _, err := dataset.OpenOrCreate(other, r.m, nil); !errors.Is(err, dataset.ErrOccupied) {
		t.Errorf("over something else: %v", err)
	}
	put(t, filepath.Join(other, dataset.FileManifest), "{}")
	if _, _, err := dataset.OpenOrCreate(other, r.m, nil); err == nil {
		t.Error("over another's manifest")
	}
}

// Workers add homes side by side, in any order: the manifest is the same.
func TestHomesConcurrently(t *testing.T) {
	r := newRun(8, dataset.CapturesWAN, 0)
	want := r.whole(t, filepath.Join(t.TempDir(), "set"), "", every)
	dir := filepath.Join(t.TempDir(), "set")
	s, _, err := dataset.OpenOrCreate(dir, r.m, []byte("name: small\n"))
	if err != nil {
		t.Fatal(err)
	}
	var g sync.WaitGroup
	for k := range 4 {
		g.Go(func() {
			r.writeSet(t, s, func(home int) bool { return (7-home)%4 == k })
		})
	}
	g.Wait()
	if err := s.FinishHomes(true, nil); err != nil {
		t.Fatal(err)
	}
	verified(t, dir)
	if diff := cmp.Diff(want.Manifest, s.Manifest); diff != "" {
		t.Error(diff)
	}
}

// Repair keeps the homes that are whole.
func TestRepairHomes(t *testing.T) {
	r := newRun(4, dataset.CapturesAll, 0)
	dir := filepath.Join(t.TempDir(), "set")
	s, _, err := dataset.OpenOrCreate(dir, r.m, []byte("name: small\n"))
	if err != nil {
		t.Fatal(err)
	}
	r.writeSet(t, s, func(home int) bool { return home < 2 })
	put(t, filepath.Join(dir, dataset.HomeDir(2)+".part", dataset.FileWAN), "half")
	v, err := verify.Run(dir, true)
	if err != nil || !v.OK {
		t.Fatalf("%+v %v", v, err)
	}
	d, err := dataset.Open(dir)
	if err != nil || d.Manifest.State != dataset.StateCut || len(d.Manifest.Homes) != 2 || d.Manifest.Valid {
		t.Errorf("%+v %v", d, err)
	}
	if _, _, err := dataset.OpenOrCreate(dir, r.m, nil); !errors.Is(err, dataset.ErrOccupied) {
		t.Errorf("what was cut goes on: %v", err)
	}
}

// Without captures, too, what was changed is found, even where every hash is right.
func TestVerifyFindsWrongRowsWithoutCaptures(t *testing.T) {
	for _, captures := range []string{dataset.CapturesWAN, dataset.CapturesNone} {
		snaplen := map[string]int{dataset.CapturesWAN: 64}[captures]
		for name, spoil := range map[string]func(*dataset.Row){
			"port":         func(r *dataset.Row) { r.RemotePort++ },
			"time":         func(r *dataset.Row) { r.TsNs -= 1e9 },
			"frame":        func(r *dataset.Row) { r.Frame++ },
			"dir":          func(r *dataset.Row) { r.Dir = 0 },
			"another dir":  func(r *dataset.Row) { r.Dir = -r.Dir },
			"payload":      func(r *dataset.Row) { r.PayloadLength = r.Length },
			"device":       func(r *dataset.Row) { r.Device = map[string]string{"plug": "camera", "camera": "plug"}[r.Device] },
			"word":         func(r *dataset.Row) { r.Role = "chatter" },
			"event":        func(r *dataset.Row) { r.Event = 1 << 30 },
			"frame beyond": func(r *dataset.Row) { r.LANFrame = 1 << 30 },
			"frame twice":  func(r *dataset.Row) { r.LANFrame-- },
			"no LAN frame": func(r *dataset.Row) { r.LANFrame = 0 },
		} {
			dir := filepath.Join(t.TempDir(), "set")
			d := newRun(1, captures, snaplen).whole(t, dir, "", every)
			path := filepath.Join(d.HomePath(0), dataset.FilePackets)
			var rows []dataset.Row
			if err := dataset.ReadRows(path, func(r *dataset.Row) error { rows = append(rows, *r); return nil }); err != nil {
				t.Fatal(err)
			}
			spoil(&rows[19])
			if captures == dataset.CapturesNone && name == "port" { // nothing tells of it
				continue
			}
			writeRecords(t, path, rows)
			edit(t, dir, func(m *dataset.Manifest) {
				var err error
				if m.Files, err = dataset.HashAll(dir, every2); err != nil {
					t.Fatal(err)
				}
			})
			v, err := verify.Run(dir, false)
			if err != nil || v.OK {
				t.Errorf("%s, %s: not found: %+v %v", captures, name, v, err)
			}
		}
	}
}

func every2(string) bool { return true }

func TestManifestJSON(t *testing.T) {
	d := newRun(1, dataset.CapturesNone, 0).whole(t, filepath.Join(t.TempDir(), "set"), "", every)
	var m map[string]any
	b, err := os.ReadFile(filepath.Join(d.Dir, dataset.FileManifest))
	if err != nil || json.Unmarshal(b, &m) != nil {
		t.Fatal(err)
	}
	if m["captures"] != "none" || m["snaplen"] != 0.0 || m["run_homes"] != 1.0 || m["reasons"] == nil {
		t.Errorf("%s", b)
	}
}
