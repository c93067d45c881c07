package dataset_test

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glasshouse/testbed/dataset"
)

func TestObserve(t *testing.T) {
	record := append([]byte{23, 3, 3, 0, 36}, make([]byte, 36)...)
	ntp := append([]byte{0x23}, make([]byte, 47)...)
	wg := append([]byte{4, 0, 0, 0}, make([]byte, 124)...)
	fragment := udp(home, cloud, 1, 2, make([]byte, 40))
	binary.BigEndian.PutUint16(fragment[6:], 100)
	first := udp(home, cloud, 40001, 8053, make([]byte, 40))
	binary.BigEndian.PutUint16(first[6:], 0x2000)
	binary.BigEndian.PutUint16(first[24:], 8+1600)
	options := tcp(home, cloud, 40000, 443, 0x10, append([]byte{2, 99, 0, 0}, 1, 2, 3)) // an option that is longer than the header
	options[32] = 6 << 4
	for _, c := range []struct {
		name string
		dir  int8
		ip   []byte
		want dataset.Observation
	}{
		{"tls up", 1, tcp(home, cloud, 40000, 443, 0x18, record), dataset.Observation{IPProto: 6, LocalPort: 40000, RemotePort: 443, TCPFlags: 0x18, PayloadLength: 41, AppProto: dataset.AppTLS}},
		{"tls down", -1, tcp(cloud, home, 443, 40000, 0x18, record), dataset.Observation{IPProto: 6, LocalPort: 40000, RemotePort: 443, TCPFlags: 0x18, PayloadLength: 41, AppProto: dataset.AppTLS}},
		{"ack", 1, tcp(home, cloud, 40000, 443, 0x10, nil), dataset.Observation{IPProto: 6, LocalPort: 40000, RemotePort: 443, TCPFlags: 0x10, AppProto: dataset.AppNone}},
		{"http", 1, tcp(home, cloud, 40000, 80, 0x18, []byte("GET /x HTTP/1.1\r\n")), dataset.Observation{IPProto: 6, LocalPort: 40000, RemotePort: 80, TCPFlags: 0x18, PayloadLength: 17, AppProto: dataset.AppHTTP}},
		{"dns", 1, udp(home, cloud, 40001, 53, []byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1}), dataset.Observation{IPProto: 17, LocalPort: 40001, RemotePort: 53, PayloadLength: 13, AppProto: dataset.AppDNS}},
		{"ntp", 1, udp(home, cloud, 40001, 123, ntp), dataset.Observation{IPProto: 17, LocalPort: 40001, RemotePort: 123, PayloadLength: 48, AppProto: dataset.AppNTP}},
		{"wireguard", -1, udp(cloud, home, 51820, 40001, wg), dataset.Observation{IPProto: 17, LocalPort: 40001, RemotePort: 51820, PayloadLength: 128, AppProto: dataset.AppWireGuard}},
		{"quic", 1, udp(home, cloud, 40001, 443, []byte{0xc3, 0, 0, 0, 1, 8, 9, 9}), dataset.Observation{IPProto: 17, LocalPort: 40001, RemotePort: 443, PayloadLength: 8, AppProto: dataset.AppQUIC}},
		{"plain udp", 1, udp(home, cloud, 40001, 8053, make([]byte, 37)), dataset.Observation{IPProto: 17, LocalPort: 40001, RemotePort: 8053, PayloadLength: 37, AppProto: dataset.AppNone}},
		{"first fragment", 1, first, dataset.Observation{IPProto: 17, LocalPort: 40001, RemotePort: 8053, PayloadLength: 40, AppProto: dataset.AppNone}},
		{"damaged options", 1, options, dataset.Observation{IPProto: 6, LocalPort: 40000, RemotePort: 443, TCPFlags: 0x10, PayloadLength: 3, AppProto: dataset.AppNone}},
		{"mqtt down", -1, tcp(cloud, home, 1883, 40000, 0x18, []byte{0xd0, 0}), dataset.Observation{IPProto: 6, LocalPort: 40000, RemotePort: 1883, TCPFlags: 0x18, PayloadLength: 2, AppProto: dataset.AppMQTT}},
		{"middle of an mqtt message", 1, tcp(home, cloud, 40000, 1883, 0x18, []byte{0xd7, 1}), dataset.Observation{IPProto: 6, LocalPort: 40000, RemotePort: 1883, TCPFlags: 0x18, PayloadLength: 2, AppProto: dataset.AppNone}},
		{"no tls", 1, tcp(home, cloud, 40000, 443, 0x18, []byte{23, 3, 9, 0, 1, 0}), dataset.Observation{IPProto: 6, LocalPort: 40000, RemotePort: 443, TCPFlags: 0x18, PayloadLength: 6, AppProto: dataset.AppNone}},
		{"icmp", 1, append(udp(home, cloud, 0, 0, nil)[:9], append([]byte{1}, udp(home, cloud, 0x0800, 0, nil)[10:]...)...), dataset.Observation{IPProto: 1, AppProto: dataset.AppNone}},
		{"later fragment", 1, fragment, dataset.Observation{IPProto: 17, AppProto: dataset.AppNone}},
	} {
		want := c.want
		want.TsNs, want.Dir, want.Length, want.RemoteAddr = 7, c.dir, int32(14+len(c.ip)), "198.18.1.2"
		if diff := cmp.Diff(want, dataset.NewParser().Observe(7, c.dir, ethernet(c.ip))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestObserveIPv6(t *testing.T) {
	b := make([]byte, 40+8+4)
	b[0], b[6], b[7] = 0x60, 17, 64
	b[5] = 12
	b[8], b[23] = 0xfd, 1
	b[24], b[39] = 0xfd, 2
	binary.BigEndian.PutUint16(b[40:], 5000)
	binary.BigEndian.PutUint16(b[42:], 6000)
	binary.BigEndian.PutUint16(b[44:], 12)
	frame := ethernet(b)
	frame[12], frame[13] = 0x86, 0xdd
	p := dataset.NewParser()
	want := dataset.Observation{TsNs: 7, Dir: -1, Length: 66, IPProto: 17, LocalPort: 6000, RemotePort: 5000, RemoteAddr: "fd00::1", PayloadLength: 4, AppProto: dataset.AppNone}
	if diff := cmp.Diff(want, p.Observe(7, -1, frame)); diff != "" {
		t.Error(diff)
	}
	if n := testing.AllocsPerRun(100, func() { p.Observe(7, -1, frame) }); n > 0 {
		t.Errorf("%.1f allocations for an address that is known", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	p := dataset.NewParser()
	frame := ethernet(tcp(home, cloud, 4000, 443, 0x18, append([]byte{23, 3, 3, 4, 0}, make([]byte, 1024)...)))
	b.ReportAllocs()
	for b.Loop() {
		p.Observe(1, 1, frame)
	}
}
