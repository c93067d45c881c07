package dataset_test

import (
	"math/rand/v2"
	"testing"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/datasettest"
	"glasshouse/testbed/dataset/parquetfile"
	"glasshouse/testbed/dataset/write"
)

const epoch = datasettest.Epoch

var (
	home, cloud = datasettest.Home, datasettest.Cloud
	udp, tcp    = datasettest.UDP, datasettest.TCP
	ethernet    = datasettest.Ethernet
)

// writeSet makes a data set of n packets and returns its directory; unless killed, it is complete.
func writeSet(t interface {
	Helper()
	Fatal(...any)
}, dir string, n int, killed bool,
) {
	t.Helper()
	set, err := dataset.Create(dir, dataset.Manifest{
		Scenario: "test", Path: "napt", Seed: 3, World: "live", StartNs: epoch, TimeScale: 1, Valid: true,
		Vocabulary: map[string][]string{
			"label_device": {"some-device", "other-device", "gateway"}, "label_unit": {"some-device", "gateway"}, "label_class": {"some-device", "noise", "gateway"},
			"label_kind": {"iot", "phone", "infrastructure"}, "label_category": {"plug", "speaker", "infrastructure"}, "label_activity": {"none", "heartbeat"}, "label_role": dataset.RoleNames(),
		},
		Homes: []dataset.HomeInfo{{Home: 0, Seed: 3, Devices: []dataset.DeviceInfo{{Name: "some-device", Unit: "some-device", Class: "some-device", Kind: "iot", Category: "plug", MAC: "02:00:00:00:00:01"}}}},
	}, []byte("name: test\n"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := write.CreateHome(set.HomePath(0), write.Options{EpochNs: epoch})
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
		row := dataset.Row{Label: dataset.Label{Device: "some-device", Unit: "some-device", Class: "some-device", Kind: "iot", Category: "plug", Activity: "heartbeat", Role: "data", Event: int64(i / 10)}}
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
			w.Event(dataset.Event{Event: int64(i / 10), Device: "some-device", Unit: "some-device", Activity: "heartbeat", TScript: int64(i), TStart: -1, TEnd: -1, Outcome: "ok"})
		}
	}
	if killed {
		if err := w.CloseFiles(); err != nil {
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
	if err := set.Finish(dataset.StateComplete); err != nil {
		t.Fatal(err)
	}
}

// writeRecords writes a packets.parquet with the library alone, of rows in any order.
func writeRecords(t *testing.T, path string, rows []dataset.Row) {
	t.Helper()
	w, err := parquetfile.Create[dataset.PacketRecord](path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		r := &rows[i]
		rec := dataset.PacketRecord{
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
		if err := w.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
