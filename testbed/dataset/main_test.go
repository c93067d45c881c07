package dataset

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

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

// need skips a test whose judge is not installed, with the reason; in CI that is a failure.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("GLASSHOUSE_CI") == "1" {
		t.Fatalf("%s is not installed", tool)
	}
	t.Skipf("%s is not installed", tool)
	return ""
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
			"label_device": {"some-device", "other-device", "gateway"}, "label_unit": {"some-device", "gateway"}, "label_class": {"some-device", "noise", "gateway"},
			"label_kind": {"iot", "phone", "infrastructure"}, "label_category": {"plug", "speaker", "infrastructure"}, "label_activity": {"none", "heartbeat"}, "label_role": RoleNames(),
		},
		Homes: []HomeInfo{{Home: 0, Seed: 3, Devices: []DeviceInfo{{Name: "some-device", Unit: "some-device", Class: "some-device", Kind: "iot", Category: "plug", MAC: "02:00:00:00:00:01"}}}},
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
		if i%10 == 9 || i == n-1 { // events are written when they end
			w.Event(Event{Event: int64(i / 10), Device: "some-device", Unit: "some-device", Activity: "heartbeat", TScript: int64(i), TStart: -1, TEnd: -1, Outcome: "ok"})
		}
	}
	if killed {
		if err := w.closeFiles(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := &set.Manifest.Counts
	c.LAN, c.WAN, c.Up, c.Down, c.Events = int64(n), int64(n), int64(n-(n+2)/3), int64((n+2)/3), int64((n+9)/10)
	set.Manifest.Homes[0].Packets = int64(n)
	if err := set.Finish(StateComplete); err != nil {
		t.Fatal(err)
	}
}

// writeRecords writes a packets.parquet with the library alone, of rows in any order.
func writeRecords(t *testing.T, path string, rows []Row) {
	t.Helper()
	w, err := createParquet[packetRecord](path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		r := &rows[i]
		rec := packetRecord{
			TsNs: r.TsNs, Frame: r.Frame, Dir: r.Dir, Length: r.Length, IPProto: r.IPProto, LocalPort: r.LocalPort,
			RemotePort: r.RemotePort, TCPFlags: r.TCPFlags, RemoteAddr: r.RemoteAddr, PayloadLength: r.PayloadLength,
			AppProto: r.AppProto, Device: r.Device, Unit: r.Unit, Class: r.Class, Kind: r.Kind, Category: r.Category,
			Activity: r.Activity, Role: r.Role, Lost: r.Lost,
		}
		if r.Event != packet.EventNone {
			rec.Event = &r.Event
		}
		if r.LANFrame != 0 {
			rec.LANFrame = &r.LANFrame
		}
		if err := w.add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
}
