package dataset

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoundTripAndVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	write(t, dir, 500, false)
	v, err := Verify(dir, false)
	if err != nil || !v.OK || v.Checked != 500 {
		t.Fatalf("%+v %v", v, err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	if err := d.Rows(func(_ int, r *Row) error {
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
	b, err := os.ReadFile(filepath.Join(dir, FileCroissant))
	if err != nil || json.Unmarshal(b, &doc) != nil {
		t.Errorf("croissant.json: %v", err)
	}
	if err := CheckEmpty(dir); !errors.Is(err, ErrOccupied) {
		t.Errorf("a data set is no empty directory: %v", err)
	}
}

// Verify finds what was changed.
func TestVerifyFindsTampering(t *testing.T) {
	for name, tamper := range map[string]func(t *testing.T, dir string){
		"a byte of the capture": func(t *testing.T, dir string) {
			t.Helper()
			flip(t, filepath.Join(dir, HomeDir(0), FileWAN), 5000)
		},
		"the events": func(t *testing.T, dir string) {
			t.Helper()
			flip(t, filepath.Join(dir, HomeDir(0), FileEvents), 60)
		},
		"a file more": func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "extra"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"a file less": func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, FileScenario)); err != nil {
				t.Fatal(err)
			}
		},
		"the manifest's count": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *Manifest) { m.Counts.WAN++ })
		},
		"the device's address": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *Manifest) { m.Homes[0].Devices[0].MAC = "02:00:00:00:00:02" })
		},
		"the count of events": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *Manifest) { m.Counts.Events++ })
		},
		"a LAN frame more": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *Manifest) { m.Counts.LAN-- })
		},
		"the vocabulary": func(t *testing.T, dir string) {
			t.Helper()
			edit(t, dir, func(m *Manifest) { m.Vocabulary["label_activity"] = []string{"none"} })
		},
		"a name on the WAN": func(t *testing.T, dir string) {
			t.Helper()
			b, err := os.ReadFile(filepath.Join(dir, HomeDir(0), FileWAN))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, dir, func(m *Manifest) { m.Homes[0].Devices[0].Unit = string(b[1010:1016]) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			write(t, dir, 200, false)
			tamper(t, dir)
			if v, err := Verify(dir, false); err != nil || v.OK {
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

func edit(t *testing.T, dir string, f func(*Manifest)) {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	f(&d.Manifest)
	if err := (&Set{dir: dir, Manifest: d.Manifest}).write(); err != nil {
		t.Fatal(err)
	}
}

// Each column of a row is held against the frame, the vocabulary, the events or the LAN, even where every hash is right.
func TestVerifyFindsWrongRows(t *testing.T) {
	for name, spoil := range map[string]func(*Row){
		"ts_ns":                  func(r *Row) { r.TsNs++ },
		"frame":                  func(r *Row) { r.Frame++ },
		"dir":                    func(r *Row) { r.Dir = -r.Dir },
		"no dir":                 func(r *Row) { r.Dir = 0 },
		"length":                 func(r *Row) { r.Length++ },
		"ip_proto":               func(r *Row) { r.IPProto = 6 },
		"local_port":             func(r *Row) { r.LocalPort++ },
		"remote_port":            func(r *Row) { r.RemotePort++ },
		"tcp_flags":              func(r *Row) { r.TCPFlags = 2 },
		"remote_addr":            func(r *Row) { r.RemoteAddr = "198.18.1.3" },
		"payload_length":         func(r *Row) { r.PayloadLength-- },
		"app_proto":              func(r *Row) { r.AppProto = AppQUIC },
		"label_device":           func(r *Row) { r.Device = "another" },
		"another device's name":  func(r *Row) { r.Device = "other-device" },
		"label_class":            func(r *Row) { r.Class = "noise" },
		"label_kind":             func(r *Row) { r.Kind = "phone" },
		"label_category":         func(r *Row) { r.Category = "speaker" },
		"label_unit":             func(r *Row) { r.Unit = "gateway" },
		"label_role":             func(r *Row) { r.Role = "chatter" },
		"label_event":            func(r *Row) { r.Event = 1 << 40 },
		"label_lan_frame's end":  func(r *Row) { r.LANFrame = 1 << 40 },
		"label_lan_frame's sign": func(r *Row) { r.LANFrame = -1 },
		"label_lan_frame twice":  func(r *Row) { r.LANFrame-- },
		"no label_lan_frame":     func(r *Row) { r.LANFrame = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			write(t, dir, 100, false)
			path := filepath.Join(dir, HomeDir(0), FilePackets)
			var rows []Row
			if err := ReadRows(path, func(r *Row) error { rows = append(rows, *r); return nil }); err != nil {
				t.Fatal(err)
			}
			spoil(&rows[49])
			writeRecords(t, path, rows)
			edit(t, dir, func(m *Manifest) {
				var err error
				if m.Files, err = hashAll(dir, func(string) bool { return true }); err != nil {
					t.Fatal(err)
				}
			})
			v, err := Verify(dir, false)
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
