package dataset

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"glasshouse/emulator/packet"
)

// traffic is a home's traffic in the small: packets of some flows in bursts, and the truth about each.
type traffic struct {
	units   []Label
	packets []trafficPacket
}

type trafficPacket struct {
	gap     int64
	dir     int8
	ip      []byte
	lineage packet.Lineage
}

func newTraffic(units, flows, packets int) *traffic {
	r := rand.New(rand.NewPCG(7, 8))
	t := &traffic{}
	for i := range units {
		name := string(rune('a'+i)) + "-device"
		t.units = append(t.units, Label{Device: name, Unit: name, Class: name, Kind: "iot", Category: []string{"plug", "camera", "hub"}[i%3]})
	}
	for len(t.packets) < packets {
		f := r.IntN(flows)
		local, remote := uint16(40000+f*7), []uint16{443, 443, 80, 8883, 1883}[f%5]
		server := [4]byte{198, 18, byte(f % 7), byte(f)}
		x := packet.Lineage{Unit: int32(f % units), Activity: uint16(f % 9), Event: int64(len(t.packets) / 50), Role: packet.RoleData}
		for burst := range 1 + r.IntN(30) {
			payload := make([]byte, []int{0, 0, 37, 90, 1460, 1460, r.IntN(1460)}[r.IntN(7)])
			copy(payload, []byte{23, 3, 3, 0, 9})
			p := trafficPacket{gap: 1000 + r.Int64N(20_000_000), dir: 1, ip: tcp(home, server, local, remote, 0x18, payload), lineage: x}
			if r.IntN(3) > 0 {
				p.dir, p.ip = -1, tcp(server, home, remote, local, 0x10, payload)
			}
			if burst == 0 {
				p.gap = r.Int64N(2_000_000_000)
			}
			if len(payload) == 0 {
				p.lineage.Role = packet.RoleAck
			}
			t.packets = append(t.packets, p)
		}
	}
	return t
}

func (t *traffic) options() DirectOptions {
	return DirectOptions{
		HomeOptions: HomeOptions{EpochNs: epoch, GatewayMAC: [6]byte{2, 0, 0, 0, 1, 1}, ISPMAC: [6]byte{2, 0, 0, 0, 1, 2}},
		Units:       t.units, Activities: []string{"none", "heartbeat", "speak", "play", "update", "sync", "stream", "push", "dns"},
	}
}

func benchmarkDirect(b *testing.B, keep int, o func(*DirectOptions)) {
	t := newTraffic(14, 60, 1000)
	options := t.options()
	o(&options)
	d, err := CreateDirectHome(filepath.Join(b.TempDir(), "h"), options)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	at, i := int64(0), 0
	for b.Loop() {
		p := &t.packets[i]
		if i++; i == len(t.packets) {
			i = 0
		}
		at += p.gap
		obs := d.WAN(at, p.dir, p.ip[:min(len(p.ip), keep)], len(p.ip))
		x := p.lineage
		x.LANFrame = obs.Frame
		d.Row(&obs, x, false)
	}
	rows := d.wanN
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(d.dir, FilePackets))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(st.Size())/float64(rows), "B/row")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpkt/s")
}

func BenchmarkDirectRows(b *testing.B) {
	benchmarkDirect(b, 1<<16, func(*DirectOptions) {})
}

func BenchmarkDirectCapture128(b *testing.B) {
	benchmarkDirect(b, 128, func(o *DirectOptions) { o.Captures, o.Snaplen = true, 128 })
}
