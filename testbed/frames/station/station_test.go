package station

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"glasshouse/testbed/frames"
)

// frameOf makes a frame with a UDP datagram, with a VLAN tag if asked, and padding.
func frameOf(up bool, vlan bool, sport, dport uint16, payload []byte) []byte {
	a, b := []byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 2}
	x, y := [4]byte{192, 168, 1, 9}, [4]byte{198, 51, 100, 1}
	if !up {
		a, b, x, y = b, a, y, x
	}
	f := append(append([]byte{}, b...), a...)
	if vlan {
		f = append(f, 0x81, 0, 0, 7)
	}
	f = append(f, 8, 0)
	ip := make([]byte, 28)
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	copy(ip[12:], x[:])
	copy(ip[16:], y[:])
	binary.BigEndian.PutUint16(ip[20:], sport)
	binary.BigEndian.PutUint16(ip[22:], dport)
	binary.BigEndian.PutUint16(ip[24:], uint16(8+len(payload)))
	f = append(append(f, ip...), payload...)
	for len(f) < 60 {
		f = append(f, 0)
	}
	return f
}

// VLAN tags and padding are not counted; names come from DNS answers; MAC and address find the same packets.
func TestTracerReadsFrames(t *testing.T) {
	m := new(dns.Msg)
	m.SetQuestion("Cloud.Example.NET.", dns.TypeA)
	rr, err := dns.NewRR("Cloud.Example.NET. 60 IN A 203.0.113.9")
	if err != nil {
		t.Fatal(err)
	}
	question, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	m.Response, m.Answer = true, []dns.RR{rr}
	answer, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []frames.Station{{MAC: [6]byte{2, 0, 0, 0, 0, 1}}, {Addr: netip.MustParseAddr("192.168.1.9")}} {
		tr := newTracer(o)
		for i, f := range [][]byte{
			frameOf(true, false, 5000, 53, question), frameOf(false, true, 53, 5000, answer), frameOf(true, true, 6000, 9999, []byte("abc")),
		} {
			tr.Frame(decoded(t, int64(i), f, len(f)))
		}
		got := tr.end()
		if len(got.Packets) != 3 || len(got.Lookups) != 1 || got.Lookups[0].Host != "cloud.example.net" {
			t.Fatalf("%+v", got)
		}
		if n := got.Names[netip.MustParseAddr("203.0.113.9")]; n != "cloud.example.net" {
			t.Errorf("name %q", n)
		}
		p := got.Packets[2]
		if !p.Up || p.Length != 45 || p.Payload != 3 || p.LocalPort != 6000 || p.RemotePort != 9999 || p.TTL != 64 {
			t.Errorf("%+v", p)
		}
		if q := got.Packets[1]; q.Up || q.LocalPort != 5000 {
			t.Errorf("%+v", q)
		}
		if got.MAC != [6]byte{2, 0, 0, 0, 0, 1} {
			t.Errorf("MAC %x", got.MAC)
		}
	}
}

func decoded(tb testing.TB, at int64, b []byte, length int) *frames.Frame {
	tb.Helper()
	d := frames.NewDecoder()
	f, ok := d.Decode(frames.Record{TsNs: at, Link: frames.LinkEthernet, Data: b, Length: length})
	if !ok {
		tb.Fatal(d.LeftOut())
	}
	return f
}

// Nothing in a frame makes the reader panic, or count more than the frame had on the wire.
func FuzzTracer(f *testing.F) {
	f.Add(frameOf(true, false, 5000, 53, []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1}), uint16(0))
	tcp := frameOf(true, true, 5000, 443, []byte("\x16\x03\x01\x00\x20\x01\x00\x00\x1c\x03\x03"))
	tcp[18+9] = 6
	f.Add(tcp, uint16(40))
	f.Fuzz(func(t *testing.T, b []byte, more uint16) {
		tr := newTracer(frames.Station{Addr: netip.MustParseAddr("192.168.1.9")})
		length := len(b) + int(more)
		d := frames.NewDecoder()
		p, ok := d.Decode(frames.Record{TsNs: 1, Link: frames.LinkEthernet, Data: b, Length: length})
		if !ok {
			return
		}
		fragment := p.Fragment()
		tr.Frame(p)
		for _, p := range tr.end().Packets {
			if fragment { // UDP's header tells the whole datagram's length
				continue
			}
			if p.Payload < 0 || p.Length > length || p.Payload > p.Length {
				t.Fatalf("%+v of a frame of %d bytes", p, length)
			}
		}
	})
}
