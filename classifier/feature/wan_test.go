package feature

import (
	"crypto/tls"
	"encoding/binary"
	"math"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// clientHello returns the first record that crypto/tls sends.
func clientHello(tb testing.TB, host string, version uint16) []byte {
	tb.Helper()
	ours, theirs := net.Pipe()
	go func() {
		_ = tls.Client(ours, &tls.Config{ServerName: host, MinVersion: version, MaxVersion: version}).Handshake()
	}()
	b := make([]byte, 4096)
	n, err := theirs.Read(b)
	if err != nil {
		tb.Fatal(err)
	}
	theirs.Close()
	ours.Close()
	return b[:n]
}

func dnsMessage(tb testing.TB, host string, addrs ...string) []byte {
	tb.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(host), dns.TypeA)
	m.Response = len(addrs) > 0
	for _, a := range addrs {
		rr, err := dns.NewRR("other.example. 60 IN A " + a) // after a CNAME the owner name differs
		if err != nil {
			tb.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	m.Compress = true
	b, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// tapped is a packet with an observer's view of it.
type tapped struct {
	o  dataset.Observation
	ip []byte
}

func packetOf(proto uint8, dir int8, at int64, local, remote uint16, addr string, flags uint8, payload []byte) tapped {
	head := 20
	if proto == 17 {
		head = 8
	}
	ip := make([]byte, 20+head, 20+head+len(payload))
	ip[0], ip[8], ip[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(ip[2:], uint16(20+head+len(payload)))
	home, server := net.IPv4(100, 64, 0, 2).To4(), net.ParseIP(addr).To4()
	src, dst, from, to := home, server, local, remote
	if dir < 0 {
		src, dst, from, to = server, home, remote, local
	}
	copy(ip[12:], src)
	copy(ip[16:], dst)
	binary.BigEndian.PutUint16(ip[20:], from)
	binary.BigEndian.PutUint16(ip[22:], to)
	if proto == 6 {
		ip[32], ip[33] = 5<<4, flags
	} else {
		binary.BigEndian.PutUint16(ip[24:], uint16(8+len(payload)))
	}
	ip = append(ip, payload...)
	frame := append([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 8, 0}, ip...)
	return tapped{dataset.NewParser().Observe(at, dir, frame), ip}
}

func TestRemoteEndpointsAreNamedFromDNSAndTLS(t *testing.T) {
	const server, resolver = "198.51.100.7", "198.51.100.53"
	hello := clientHello(t, "Avs.Example.com", tls.VersionTLS13)
	steps := []struct {
		p     tapped
		name  string
		named float32
	}{
		{packetOf(6, 1, 1e9, 4000, 443, server, packet.FlagSYN, nil), server, 0},
		{packetOf(17, 1, 2e9, 5000, 53, resolver, 0, dnsMessage(t, "cloud.example.com")), "dns cloud.example.com", 0},
		{packetOf(17, -1, 3e9, 5000, 53, resolver, 0, dnsMessage(t, "cloud.example.com", "198.51.100.99", server)), "dns cloud.example.com", 0},
		{packetOf(6, -1, 4e9, 4000, 443, server, packet.FlagSYN|packet.FlagACK, nil), server, 0}, // the flow began before the DNS answer
		{packetOf(6, 1, 5e9, 4001, 443, server, packet.FlagSYN, nil), "cloud.example.com", 1},
		{packetOf(6, 1, 6e9, 4001, 443, server, packet.FlagACK, hello), "avs.example.com", 2},
		{packetOf(6, -1, 7e9, 4001, 443, server, packet.FlagACK, []byte("ciphertext")), "avs.example.com", 2},
		{packetOf(6, 1, 8e9, 4000, 443, server, packet.FlagSYN, nil), "cloud.example.com", 1}, // port reused: a new flow
		{packetOf(17, 1, 9e9, 4001, 443, server, 0, []byte("quic?")), "cloud.example.com", 1},
	}
	var r WANReader
	out := make([]float32, NumWANFeatures)
	names := wanFeatureNames()
	if len(names) != NumWANFeatures {
		t.Fatalf("%d names for %d features", len(names), NumWANFeatures)
	}
	for i, s := range steps {
		if got := r.Step(&s.p.o, s.p.ip, out); got != s.name {
			t.Errorf("step %d: name %q, want %q", i, got, s.name)
		}
		if got := out[slices.Index(names, "named")]; got != s.named {
			t.Errorf("step %d: named %g, want %g", i, got, s.named)
		}
		if i == 6 {
			for name, want := range map[string]float32{
				"flow_packet": 3, "flow_interval": 1, "flow_age": 2, "flow_up": 2.0 / 3, "flow_previous_1": float32(54 + len(hello)), "flow_previous_2": 54,
				"flow_first": 0, "remote_flows": 2, "remote_interval": 1, "dir": -1, "remote_port": 443, "previous_1": float32(54 + len(hello)),
			} {
				if name == "flow_first" {
					want = float32(len(hello))
				}
				if got := out[slices.Index(names, name)]; math.Abs(float64(got-want)) > 1e-6 {
					t.Errorf("%s is %g, want %g", name, got, want)
				}
			}
		}
	}
}

func TestServerNameOfGoClientHello(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		b := clientHello(t, "device-metrics.example.net", version)
		if got := readClientHello(b); got != "device-metrics.example.net" {
			t.Errorf("%x: %q", version, got)
		}
		for n := range b { // truncated anywhere it gives the name or none
			if got := readClientHello(b[:n]); got != "" && got != "device-metrics.example.net" {
				t.Fatalf("%d bytes of %d: %q", n, len(b), got)
			}
		}
	}
	if got := readClientHello(clientHello(t, "192.0.2.1", tls.VersionTLS13)); got != "" { // an address is not sent as a server name
		t.Errorf("%q", got)
	}
}

// For any payload the reader does not panic, and a name is no longer than the payload allows.
func FuzzWANReader(f *testing.F) {
	f.Add([]byte{22, 3, 1, 0, 5, 1, 0, 0, 1, 3, 3}, uint8(6), uint16(443))
	f.Add(clientHello(f, "a.example", tls.VersionTLS13), uint8(6), uint16(443))
	f.Add(dnsMessage(f, "a.example", "192.0.2.1"), uint8(17), uint16(53))
	f.Add(dnsMessage(f, "a.example"), uint8(17), uint16(53))
	f.Fuzz(func(t *testing.T, payload []byte, proto uint8, port uint16) {
		if len(payload) > 1400 {
			return
		}
		if proto != 6 {
			proto = 17
		}
		var r WANReader
		out := make([]float32, NumWANFeatures)
		for _, dir := range []int8{1, -1} {
			p := packetOf(proto, dir, 1e9, 4000, port, "198.51.100.7", packet.FlagACK, payload)
			for _, ip := range [][]byte{p.ip, p.ip[:min(len(p.ip), 30)], nil} {
				name := strings.TrimPrefix(r.Step(&p.o, ip, out), "dns ")
				if len(name) > 4*len(payload)+16 {
					t.Fatalf("name of %d bytes from a payload of %d", len(name), len(payload))
				}
			}
		}
		for i, v := range out {
			if v != v {
				t.Fatalf("%s is NaN", wanFeatureNames()[i])
			}
		}
	})
}

// wanFeatureNames names the features of a WANReader in order.
func wanFeatureNames() []string {
	return append(AllNames(), "named")
}
