package dataset_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/verify"
)

func TestRoundTripAndVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	writeSet(t, dir, 500, false)
	v, err := verify.Run(dir, false)
	if err != nil || !v.OK || v.Checked != 500 {
		t.Fatalf("%+v %v", v, err)
	}
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	if err := d.Rows(func(_ int, r *dataset.Row) error {
		n++
		if r.Frame != n || r.Event != (n-1)/10 || r.LANFrame != n || r.RemoteAddr != "198.18.1.2" || r.RemotePort != 8053 {
			t.Fatalf("row %d: %+v", n, r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(d.Manifest.Digest()) != 64 {
		t.Error("no digest")
	}
	var doc map[string]any
	b, err := os.ReadFile(filepath.Join(dir, dataset.FileCroissant))
	if err != nil || json.Unmarshal(b, &doc) != nil {
		t.Errorf("croissant.json: %v", err)
	}
	if err := dataset.CheckEmpty(dir); !errors.Is(err, dataset.ErrOccupied) {
		t.Errorf("a data set is no empty directory: %v", err)
	}
}

// Verify finds what was changed.
func TestVerifyFindsTampering(t *testing.T) {
	for name, tamper := range map[string]func(t *testing.T, dir string){
		"a byte of the capture": func(t *testing.T, dir string) {
			t.Helper()
			flip(t, filepath.Join(dir, dataset.HomeDir(0), dataset.FileWAN), 5000)
		},
		"the events": func(t *testing.T, dir string) {
			t.Helper()
			flip(t, filepath.Join(dir, dataset.HomeDir(0), dataset.FileEvents), 60)
		},
		"a file more": func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "extra"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"a file less": func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, dataset.FileScenario)); err != nil {
				t.Fatal(err)
			}
		},
		"the manifest's count": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *dataset.Manifest) { m.Counts.WAN++ })
		},
		"the device's address": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *dataset.Manifest) { m.Homes[0].Devices[0].MAC = "02:00:00:00:00:02" })
		},
		"the count of events": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *dataset.Manifest) { m.Counts.Events++ })
		},
		"a LAN frame more": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *dataset.Manifest) { m.Counts.LAN-- })
		},
		"the vocabulary": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *dataset.Manifest) { m.Vocabulary["label_activity"] = []string{"none"} })
		},
		"a name on the WAN": func(t *testing.T, dir string) {
			t.Helper()
			b, err := os.ReadFile(filepath.Join(dir, dataset.HomeDir(0), dataset.FileWAN))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, dir, func(m *dataset.Manifest) { m.Homes[0].Devices[0].Unit = string(b[1010:1016]) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			writeSet(t, dir, 200, false)
			tamper(t, dir)
			if v, err := verify.Run(dir, false); err != nil || v.OK {
				t.Errorf("not found: %+v %v", v, err)
			}
		})
	}
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, dir string, f func(*dataset.Manifest)) {
	t.Helper()
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	f(&d.Manifest)
	b, err := json.MarshalIndent(&d.Manifest, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, dataset.FileManifest), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each column of a row is held against the frame, the vocabulary, the events or the LAN, even where every hash is right.
func TestVerifyFindsWrongRows(t *testing.T) {
	for name, spoil := range map[string]func(*dataset.Row){
		"ts_ns":                  func(r *dataset.Row) { r.TsNs++ },
		"frame":                  func(r *dataset.Row) { r.Frame++ },
		"dir":                    func(r *dataset.Row) { r.Dir = -r.Dir },
		"no dir":                 func(r *dataset.Row) { r.Dir = 0 },
		"length":                 func(r *dataset.Row) { r.Length++ },
		"ip_proto":               func(r *dataset.Row) { r.IPProto = 6 },
		"local_port":             func(r *dataset.Row) { r.LocalPort++ },
		"remote_port":            func(r *dataset.Row) { r.RemotePort++ },
		"tcp_flags":              func(r *dataset.Row) { r.TCPFlags = 2 },
		"remote_addr":            func(r *dataset.Row) { r.RemoteAddr = "198.18.1.3" },
		"payload_length":         func(r *dataset.Row) { r.PayloadLength-- },
		"app_proto":              func(r *dataset.Row) { r.AppProto = dataset.AppQUIC },
		"label_device":           func(r *dataset.Row) { r.Device = "another" },
		"another device's name":  func(r *dataset.Row) { r.Device = "other-device" },
		"label_class":            func(r *dataset.Row) { r.Class = "noise" },
		"label_kind":             func(r *dataset.Row) { r.Kind = "phone" },
		"label_category":         func(r *dataset.Row) { r.Category = "speaker" },
		"label_unit":             func(r *dataset.Row) { r.Unit = "gateway" },
		"label_role":             func(r *dataset.Row) { r.Role = "chatter" },
		"label_event":            func(r *dataset.Row) { r.Event = 1 << 40 },
		"label_lan_frame's end":  func(r *dataset.Row) { r.LANFrame = 1 << 40 },
		"label_lan_frame's sign": func(r *dataset.Row) { r.LANFrame = -1 },
		"label_lan_frame twice":  func(r *dataset.Row) { r.LANFrame-- },
		"no label_lan_frame":     func(r *dataset.Row) { r.LANFrame = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			writeSet(t, dir, 100, false)
			path := filepath.Join(dir, dataset.HomeDir(0), dataset.FilePackets)
			var rows []dataset.Row
			if err := dataset.ReadRows(path, func(r *dataset.Row) error { rows = append(rows, *r); return nil }); err != nil {
				t.Fatal(err)
			}
			spoil(&rows[49])
			writeRecords(t, path, rows)
			edit(t, dir, func(m *dataset.Manifest) {
				var err error
				if m.Files, err = dataset.HashAll(dir, func(string) bool { return true }); err != nil {
					t.Fatal(err)
				}
			})
			v, err := verify.Run(dir, false)
			if err != nil || v.OK {
				t.Fatalf("not found: %+v %v", v, err)
			}
			for _, p := range v.Problems {
				if strings.Contains(p, "sha256") {
					t.Errorf("the test is wrong: %s", p)
				}
			}
		})
	}
}
