package dataset

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/emulator/packet"
)

const epoch = int64(1767571200e9)

// udp makes an IPv4 UDP packet, for writers and parsers.
func udp(src, dst [4]byte, sport, dport uint16, payload []byte) []byte {
	b := make([]byte, 28+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	binary.BigEndian.PutUint16(b[20:], sport)
	binary.BigEndian.PutUint16(b[22:], dport)
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(payload)))
	copy(b[28:], payload)
	return b
}

func tcp(src, dst [4]byte, sport, dport uint16, flags byte, payload []byte) []byte {
	b := make([]byte, 40+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	binary.BigEndian.PutUint16(b[20:], sport)
	binary.BigEndian.PutUint16(b[22:], dport)
	b[32], b[33] = 5<<4, flags
	copy(b[40:], payload)
	return b
}

func ethernet(ip []byte) []byte {
	return append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, ip...)
}

var (
	home  = [4]byte{100, 64, 3, 9}
	cloud = [4]byte{198, 18, 1, 2}
)

func TestObserve(t *testing.T) {
	record := append([]byte{23, 3, 3, 0, 36}, make([]byte, 36)...)
	ntp := append([]byte{0x23}, make([]byte, 47)...)
	wg := append([]byte{4, 0, 0, 0}, make([]byte, 124)...)
	fragment := udp(home, cloud, 1, 2, make([]byte, 40))
	binary.BigEndian.PutUint16(fragment[6:], 100)
	for _, c := range []struct {
		name string
		dir  int8
		ip   []byte
		want Observation
	}{
		{"tls up", 1, tcp(home, cloud, 40000, 443, 0x18, record), Observation{IPProto: 6, LocalPort: 40000, RemotePort: 443, TCPFlags: 0x18, PayloadLength: 41, AppProto: AppTLS}},
		{"tls down", -1, tcp(cloud, home, 443, 40000, 0x18, record), Observation{IPProto: 6, LocalPort: 40000, RemotePort: 443, TCPFlags: 0x18, PayloadLength: 41, AppProto: AppTLS}},
		{"ack", 1, tcp(home, cloud, 40000, 443, 0x10, nil), Observation{IPProto: 6, LocalPort: 40000, RemotePort: 443, TCPFlags: 0x10, AppProto: AppNone}},
		{"http", 1, tcp(home, cloud, 40000, 80, 0x18, []byte("GET /x HTTP/1.1\r\n")), Observation{IPProto: 6, LocalPort: 40000, RemotePort: 80, TCPFlags: 0x18, PayloadLength: 17, AppProto: AppHTTP}},
		{"dns", 1, udp(home, cloud, 40001, 53, []byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1}), Observation{IPProto: 17, LocalPort: 40001, RemotePort: 53, PayloadLength: 13, AppProto: AppDNS}},
		{"ntp", 1, udp(home, cloud, 40001, 123, ntp), Observation{IPProto: 17, LocalPort: 40001, RemotePort: 123, PayloadLength: 48, AppProto: AppNTP}},
		{"wireguard", -1, udp(cloud, home, 51820, 40001, wg), Observation{IPProto: 17, LocalPort: 40001, RemotePort: 51820, PayloadLength: 128, AppProto: AppWireGuard}},
		{"quic", 1, udp(home, cloud, 40001, 443, []byte{0xc3, 0, 0, 0, 1, 8, 9, 9}), Observation{IPProto: 17, LocalPort: 40001, RemotePort: 443, PayloadLength: 8, AppProto: AppQUIC}},
		{"plain udp", 1, udp(home, cloud, 40001, 8053, make([]byte, 37)), Observation{IPProto: 17, LocalPort: 40001, RemotePort: 8053, PayloadLength: 37, AppProto: AppNone}},
		{"later fragment", 1, fragment, Observation{IPProto: 17, AppProto: AppNone}},
	} {
		want := c.want
		want.TsNs, want.Dir, want.Length, want.RemoteAddr = 7, c.dir, int32(14+len(c.ip)), "198.18.1.2"
		if diff := cmp.Diff(want, NewParser().Observe(7, c.dir, ethernet(c.ip))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestCaptureBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	w, err := createCapture(path, "wan", `{"seed":1}`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.write(1767571200_000000001, []byte{1, 2, 3}, []byte{4, 5}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("\x0a\x0d\x0d\x0a\x40\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff" +
		"\x01\x00\x0a\x00{\"seed\":1}\x00\x00\x04\x00\x0a\x00glasshouse\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00" +
		"\x01\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x00\x00\x04\x00\x02\x00\x03\x00wan\x00\x09\x00\x01\x00\x09\x00\x00\x00\x00\x00\x00\x00\x28\x00\x00\x00" +
		"\x06\x00\x00\x00\x28\x00\x00\x00\x00\x00\x00\x00\xea\xb1\x87\x18\x01\x00\x8b\x24\x05\x00\x00\x00\x05\x00\x00\x00\x01\x02\x03\x04\x05\x00\x00\x00\x28\x00\x00\x00")
	binary.LittleEndian.PutUint32(want[len(want)-28:], uint32(uint64(1767571200_000000001)>>32))
	ts := uint64(1767571200_000000001)
	binary.LittleEndian.PutUint32(want[len(want)-28:], uint32(ts>>32))
	binary.LittleEndian.PutUint32(want[len(want)-24:], uint32(ts))
	if !bytes.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func readAll(path string) (frames [][]byte, end error) {
	r, err := OpenCapture(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		frames = append(frames, bytes.Clone(f.Data))
	}
}

// A capture that is cut anywhere gives all packets that are whole, and says where it was cut.
func TestCaptureCutAnywhere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.pcapng")
	w, err := createCapture(path, "wan", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends []int64
	for i := range 20 {
		if _, err := w.write(int64(i), make([]byte, 14), bytes.Repeat([]byte{byte(i)}, i*7)); err != nil {
			t.Fatal(err)
		}
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
		st, err := w.f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, st.Size())
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.pcapng")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(int(ends[0])-8, len(whole)).Draw(t, "bytes")
		if err := os.WriteFile(cut, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, e := range ends {
			if e <= int64(n) {
				want++
			}
		}
		frames, err := readAll(cut)
		var ce *CutError
		if n != len(whole) && (want == 0 || ends[want-1] != int64(n)) && !errors.As(err, &ce) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if len(frames) != want {
			t.Fatalf("cut at %d: %d packets, want %d (%v)", n, len(frames), want, err)
		}
	})
}

func TestForeignClassicCaptures(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, magic := range []uint32{0xa1b2c3d4, 0xa1b23c4d} {
			b := order.AppendUint32(nil, magic)
			b = append(b, make([]byte, 12)...)
			b = order.AppendUint32(b, 65535)
			b = order.AppendUint32(b, 1)
			for _, v := range []uint32{10, 20, 3, 60} {
				b = order.AppendUint32(b, v)
			}
			b = append(b, 7, 8, 9)
			path := filepath.Join(t.TempDir(), "x.pcap")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := OpenCapture(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := r.Read()
			_ = r.Close()
			want := int64(10e9 + 20e3)
			if magic == 0xa1b23c4d {
				want = 10e9 + 20
			}
			if err != nil || f.TsNs != want || f.Length != 60 || !bytes.Equal(f.Data, []byte{7, 8, 9}) {
				t.Errorf("%v %x: %+v %v", order, magic, f, err)
			}
		}
	}
}

// Real captures of others are read to their end. They are not part of the project: the test runs where they are.
func TestRealCaptures(t *testing.T) {
	root := os.Getenv("GLASSHOUSE_REALDATA")
	if root == "" {
		root = "../../../shared/realdata"
	}
	files, packets := 0, 0
	for _, pattern := range []string{"*/*.pcap*", "*/*/*.pcap*", "*/*/*/*.pcap*", "*/*/*/*/*.pcap*"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			frames, err := readAll(p)
			var cut *CutError
			if err != nil && !errors.As(err, &cut) && !strings.Contains(err.Error(), "link type") && !strings.Contains(err.Error(), "neither pcapng nor pcap") {
				t.Errorf("%v", err)
			}
			parser := NewParser()
			for _, f := range frames {
				parser.Observe(0, 1, f)
			}
			files, packets = files+1, packets+len(frames)
		}
	}
	t.Logf("%d captures, %d packets", files, packets)
}

// write makes a data set of n packets and returns its directory; unless killed, it is complete.
func write(t interface {
	Helper()
	Fatal(...any)
}, dir string, n int, killed bool,
) {
	t.Helper()
	set, err := Create(dir, Manifest{
		Scenario: "test", Path: "napt", Seed: 3, World: "live", StartNs: epoch, TimeScale: 1, Valid: true,
		Vocabulary: map[string][]string{
			"label_device": {"some-device", "gateway"}, "label_unit": {"some-device", "gateway"}, "label_class": {"some-device", "gateway"},
			"label_kind": {"iot", "infrastructure"}, "label_category": {"plug", "infrastructure"}, "label_activity": {"none", "heartbeat"}, "label_role": RoleNames(),
		},
		Homes: []HomeInfo{{Home: 0, Seed: 3, Devices: []DeviceInfo{{Name: "some-device", Unit: "some-device", MAC: "02:00:00:00:00:01"}}}},
	}, []byte("name: test\n"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := CreateHome(set.HomePath(0), HomeOptions{EpochNs: epoch})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	device := [4]byte{192, 168, 7, 20}
	for i := range n {
		payload := make([]byte, 16+r.IntN(400))
		for k := range payload {
			payload[k] = byte(r.Uint32())
		}
		row := Row{Label: Label{Device: "some-device", Unit: "some-device", Class: "some-device", Kind: "iot", Category: "plug", Activity: "heartbeat", Role: "data", Event: int64(i / 10)}}
		dir := int8(1)
		ip, lan := udp(home, cloud, 4000, 8053, payload), udp(device, cloud, 5000, 8053, payload)
		if i%3 == 0 {
			dir = -1
			ip, lan = udp(cloud, home, 8053, 4000, payload), udp(cloud, device, 8053, 5000, payload)
		}
		frame := append([]byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0}, lan...)
		if dir < 0 {
			copy(frame, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9})
		}
		row.LANFrame = w.LAN(int64(i)*1000, frame)
		row.Observation = w.WAN(int64(i)*1000, dir, ip)
		w.Row(&row)
		if i%10 == 0 {
			w.Event(Event{Event: int64(i / 10), Device: "some-device", Unit: "some-device", Activity: "heartbeat", TScript: int64(i), TStart: -1, TEnd: -1, Outcome: "ok"})
		}
	}
	if killed {
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		_ = errors.Join(w.lan.f.Close(), w.wan.f.Close(), w.rows.f.Close(), w.events.Close())
		return
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := &set.Manifest.Counts
	c.LAN, c.WAN, c.Up, c.Down = int64(n), int64(n), int64(n-(n+2)/3), int64((n+2)/3)
	set.Manifest.Homes[0].Packets = int64(n)
	if err := set.Finish(StateComplete); err != nil {
		t.Fatal(err)
	}
}

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

// Whatever a killed run had on disk, repair makes a data set of it that verifies.
func TestRepairOfKilledRuns(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(root, "set", string(rune('a'+n%26)), filepath.Base(t.Name()))
		_ = os.RemoveAll(dir)
		write(t, dir, 120, true)
		for _, f := range []string{FileLAN, FileWAN, journalRows, journalEvent} {
			path := filepath.Join(dir, HomeDir(0), f)
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			least := int64(0)
			if strings.HasSuffix(f, "pcapng") {
				least = 120 // its header was written before the first packet
			}
			if rapid.Bool().Draw(t, "cut "+f) {
				if err := os.Truncate(path, rapid.Int64Range(least, st.Size()).Draw(t, f)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if v, err := Verify(dir, false); err != nil || v.OK {
			t.Fatalf("a killed run verifies: %+v %v", v, err)
		}
		v, err := Verify(dir, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range v.Problems { // events that were not on disk yet are lost: rows that name them are told
			if !strings.Contains(p, "there is no event") {
				t.Fatalf("%+v", v)
			}
		}
		again, err := Verify(dir, true)
		if err != nil || again.Checked != v.Checked || len(again.Repaired) != 0 {
			t.Fatalf("repair is not idempotent: %+v %v", again, err)
		}
	})
}

func TestWritersAllocateNothing(t *testing.T) {
	w, err := CreateHome(t.TempDir()+"/h", HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ip := udp(home, cloud, 4000, 443, make([]byte, 900))
	row := Row{Label: Label{Device: "x", Unit: "x", Event: packet.EventNone}}
	at := int64(0)
	if n := testing.AllocsPerRun(2000, func() {
		at++
		w.LAN(at, ip)
		row.Observation = w.WAN(at, 1, ip)
		w.Row(&row)
	}); n > 0 {
		t.Errorf("%.2f allocations a packet", n)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkHomeWriter(b *testing.B) {
	w, err := CreateHome(b.TempDir()+"/h", HomeOptions{})
	if err != nil {
		b.Fatal(err)
	}
	ip := tcp(home, cloud, 4000, 443, 0x10, make([]byte, 1400))
	row := Row{Label: Label{Device: "x", Unit: "x", Event: packet.EventNone}}
	b.ReportAllocs()
	b.SetBytes(int64(len(ip)))
	at := int64(0)
	for b.Loop() {
		at++
		w.LAN(at, ip)
		row.Observation = w.WAN(at, 1, ip)
		w.Row(&row)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

func FuzzObserve(f *testing.F) {
	f.Add(ethernet(tcp(home, cloud, 1, 443, 0x18, []byte{23, 3, 3, 0, 1, 0})))
	f.Add(ethernet(udp(home, cloud, 1, 53, make([]byte, 20))))
	p := NewParser()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, dir := range []int8{1, -1} {
			if o := p.Observe(0, dir, b); int(o.Length) != len(b) || o.PayloadLength < 0 || int(o.PayloadLength) > len(b) || o.AppProto == "" {
				t.Fatalf("%+v", o)
			}
		}
	})
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte("\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00"))
	f.Add([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		frames, _ := readAll(path)
		if len(frames) > len(b) {
			t.Fatal("more packets than bytes")
		}
	})
}

func FuzzRowJournal(f *testing.F) {
	f.Add([]byte(journalMagic + "\x05\x01\x02\x03\x04\x05"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		got, _ := readRowJournal(path, func(*Row) error { n++; return nil })
		if got != n {
			t.Fatalf("%d rows given, %d counted", n, got)
		}
	})
}

func FuzzParquet(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed.parquet")
	w, err := createParquet[packetRecord](path)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.add(packetRecord{Frame: 1, Device: "x"}), w.close()); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x.parquet")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_ = ReadRows(path, func(*Row) error { return nil })
	})
}
