package truth_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

var (
	device = netip.MustParseAddrPort("192.168.7.20:40001")
	server = netip.MustParseAddrPort("198.18.3.4:443")
)

func ipv4(proto uint8, src, dst netip.Addr, l4 []byte) []byte {
	b := make([]byte, 20+len(l4))
	b[0], b[8], b[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	s, d := src.As4(), dst.As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	copy(b[20:], l4)
	return b
}

const (
	fin = 1
	syn = 2
	rst = 4
	ack = 16
)

func segment(dir int8, seq, ackNo uint32, flags byte, n int) []byte {
	src, dst := device, server
	if dir == packet.Down {
		src, dst = server, device
	}
	l4 := make([]byte, 20+n)
	binary.BigEndian.PutUint16(l4, src.Port())
	binary.BigEndian.PutUint16(l4[2:], dst.Port())
	binary.BigEndian.PutUint32(l4[4:], seq)
	binary.BigEndian.PutUint32(l4[8:], ackNo)
	l4[12], l4[13] = 5<<4, flags
	return ipv4(packet.ProtoTCP, src.Addr(), dst.Addr(), l4)
}

func datagram(dir int8, payload []byte) []byte {
	src, dst := device, server
	if dir == packet.Down {
		src, dst = server, device
	}
	l4 := make([]byte, 8+len(payload))
	binary.BigEndian.PutUint16(l4, src.Port())
	binary.BigEndian.PutUint16(l4[2:], dst.Port())
	binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
	copy(l4[8:], payload)
	return ipv4(packet.ProtoUDP, src.Addr(), dst.Addr(), l4)
}

func want(t interface{ Fatalf(string, ...any) }, r *truth.Registry, ip []byte, dir int8, event int64, role packet.Role) {
	l, ok := r.Attribute(ip, dir)
	if !ok || l.Unit != 3 || l.Event != event || l.Role != role {
		t.Fatalf("got %+v (%s) ok=%v, want event %d role %s", l, l.Role, ok, event, role)
	}
}

func TestTCPLife(t *testing.T) {
	r := truth.NewRegistry()
	open := packet.Tag{Event: 1, Activity: 1, Role: packet.RoleTLSHandshake}
	f := r.Open(truth.KeyOf(packet.ProtoTCP, device, server), 3, open, false)
	a, b := uint32(0xffffff00), uint32(77) // the device's sequence numbers wrap early
	want(t, r, segment(packet.Up, a, 0, syn, 0), packet.Up, 1, packet.RoleTCPHandshake)
	want(t, r, segment(packet.Down, b, a+1, syn|ack, 0), packet.Down, 1, packet.RoleTCPHandshake)
	want(t, r, segment(packet.Up, a+1, b+1, ack, 0), packet.Up, 1, packet.RoleTCPHandshake)

	f.Stream(packet.Up, 300, open)
	want(t, r, segment(packet.Up, a+1, b+1, ack, 300), packet.Up, 1, packet.RoleTLSHandshake)
	want(t, r, segment(packet.Down, b+1, a+301, ack, 0), packet.Down, 1, packet.RoleAck)
	f.Stream(packet.Up, 41, packet.Tag{Event: 5, Activity: 2, Role: packet.RoleData})
	f.Stream(packet.Up, 90, packet.Tag{Event: 6, Activity: 3, Role: packet.RoleData})
	want(t, r, segment(packet.Up, a+301, b+1, ack, 41), packet.Up, 5, packet.RoleData)
	want(t, r, segment(packet.Down, b+1, a+342, ack, 0), packet.Down, 5, packet.RoleAck)
	want(t, r, segment(packet.Up, a+342, b+1, ack, 90), packet.Up, 6, packet.RoleData)
	want(t, r, segment(packet.Up, a+342, b+1, ack, 90), packet.Up, 6, packet.RoleRetransmission)
	want(t, r, segment(packet.Up, a+431, b+1, ack, 0), packet.Up, 1, packet.RoleKeepalive)
	want(t, r, segment(packet.Down, b+1, a+432, ack, 0), packet.Down, 6, packet.RoleAck)
	want(t, r, segment(packet.Up, a+432, b+1, fin|ack, 0), packet.Up, 6, packet.RoleClose)
	want(t, r, segment(packet.Down, b+1, a+433, ack, 0), packet.Down, 6, packet.RoleClose)
	want(t, r, segment(packet.Down, b+1, a+433, rst, 0), packet.Down, 1, packet.RoleClose)
}

func TestUnannouncedBytesAreNotAttributed(t *testing.T) {
	r := truth.NewRegistry()
	f := r.Open(truth.KeyOf(packet.ProtoTCP, device, server), 3, packet.Tag{Event: 1}, false)
	r.Attribute(segment(packet.Up, 100, 0, syn, 0), packet.Up)
	f.Stream(packet.Up, 10, packet.Tag{Event: 2, Role: packet.RoleData})
	if l, ok := r.Attribute(segment(packet.Up, 101, 0, ack, 11), packet.Up); ok || l.Unit != packet.UnitUnknown {
		t.Fatalf("11 bytes sent, 10 announced: %+v", l)
	}
	other := segment(packet.Up, 1, 0, syn, 0)
	binary.BigEndian.PutUint16(other[20:], 40002)
	if _, ok := r.Attribute(other, packet.Up); ok {
		t.Fatal("an unregistered flow was attributed")
	}
	r.Open(truth.KeyOf(packet.ProtoUDP, device, server), 3, packet.Tag{Event: 1}, false)
	if _, ok := r.Attribute(datagram(packet.Up, []byte("nobody said so")), packet.Up); ok {
		t.Fatal("an unannounced datagram was attributed")
	}
}

// Whatever the segmentation, losses and retransmissions, the first byte of a segment decides its event.
func TestSegmentationProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := truth.NewRegistry()
		f := r.Open(truth.KeyOf(packet.ProtoTCP, device, server), 3, packet.Tag{Event: 0}, false)
		isn := rapid.Uint32().Draw(t, "isn")
		r.Attribute(segment(packet.Up, isn, 0, syn, 0), packet.Up)
		var owner []int64
		for e := range int64(rapid.IntRange(1, 30).Draw(t, "messages")) {
			n := rapid.IntRange(1, 4000).Draw(t, "size")
			f.Stream(packet.Up, n, packet.Tag{Event: e, Role: packet.RoleData})
			for range n {
				owner = append(owner, e)
			}
		}
		next := 0
		for next < len(owner) {
			from := next
			if next > 0 && rapid.IntRange(0, 4).Draw(t, "again") == 0 {
				from = next - rapid.IntRange(1, min(next, 3000)).Draw(t, "back")
			}
			n := min(rapid.IntRange(2, 1460).Draw(t, "mss"), len(owner)-from)
			role := packet.RoleData
			if from < next {
				role = packet.RoleRetransmission
			}
			if n == 1 && from == next-1 {
				role = packet.RoleKeepalive
			}
			want(t, r, segment(packet.Up, isn+1+uint32(from), 1, ack, n), packet.Up, owner[from], role)
			next = max(next, from+n)
		}
	})
}

func TestDatagramsByTheirBytes(t *testing.T) {
	r := truth.NewRegistry()
	f := r.Open(truth.KeyOf(packet.ProtoUDP, device, server), 3, packet.Tag{Event: 1}, false)
	for e := range int64(10) {
		f.Datagram(packet.Up, []byte{1, 2, 3, byte(e)}, packet.Tag{Event: e, Role: packet.RoleData})
	}
	for _, e := range []int64{0, 3, 9} { // some died before anyone saw them
		want(t, r, datagram(packet.Up, []byte{1, 2, 3, byte(e)}), packet.Up, e, packet.RoleData)
	}
}

func TestPlainServerAnswersTheNewestQuestion(t *testing.T) {
	r := truth.NewRegistry()
	f := r.Open(truth.KeyOf(packet.ProtoUDP, device, server), 3, packet.Tag{Event: 1}, true)
	f.Datagram(packet.Up, []byte("q"), packet.Tag{Event: 4, Role: packet.RoleData})
	want(t, r, datagram(packet.Up, []byte("q")), packet.Up, 4, packet.RoleData)
	want(t, r, datagram(packet.Down, []byte("a")), packet.Down, 4, packet.RoleData)
}

func TestICMPErrorTakesTheQuotedOwner(t *testing.T) {
	r := truth.NewRegistry()
	r.Open(truth.KeyOf(packet.ProtoUDP, device, server), 3, packet.Tag{Event: 8}, true)
	quoted := datagram(packet.Down, []byte("late answer"))
	icmp := append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, quoted[:28]...)
	want(t, r, ipv4(packet.ProtoICMP, device.Addr(), server.Addr(), icmp), packet.Up, 8, packet.RoleICMPError)
}

func TestSweepForgetsClosedFlows(t *testing.T) {
	r := truth.NewRegistry()
	k := truth.KeyOf(packet.ProtoTCP, device, server)
	r.Close(r.Open(k, 3, packet.Tag{}, false), 5e9)
	r.Sweep(65e9)
	if r.Find(k) == nil {
		t.Fatal("forgotten while late segments may still come")
	}
	r.Sweep(400e9)
	if r.Find(k) != nil {
		t.Fatal("a closed flow is kept for ever")
	}
}

func TestHopFindsPacketsAgain(t *testing.T) {
	var gone []int64
	h := truth.NewHop(func(l packet.Lineage) { gone = append(gone, l.Event) })
	mk := func(n byte) []byte { return datagram(packet.Up, []byte{n, n, n}) }
	for i := range int64(5) {
		h.Enter(mk(byte(i)), packet.Lineage{Event: i}, i)
	}
	h.Enter(mk(1), packet.Lineage{Event: 11}, 6) // equal bytes: first in, first out
	forwarded := func(n byte) []byte {
		p := mk(n)
		p[8]--                       // TTL
		p[10], p[11] = 0xab, p[11]+1 // checksum
		return append(p, 0, 0, 0)    // padding
	}
	for _, c := range []struct {
		n     byte
		event int64
	}{{3, 3}, {1, 1}, {0, 0}, {1, 11}} {
		if l, ok := h.Leave(forwarded(c.n)); !ok || l.Event != c.event {
			t.Fatalf("packet %d: %+v ok=%v, want %d", c.n, l, ok, c.event)
		}
	}
	if _, ok := h.Leave(forwarded(1)); ok {
		t.Fatal("left twice")
	}
	if n := h.Expire(10e9); n != 2 || len(gone) != 2 || gone[0] != 2 || gone[1] != 4 {
		t.Fatalf("expired %d: %v", n, gone)
	}
}

func FuzzAttribute(f *testing.F) {
	f.Add(segment(packet.Up, 1, 2, syn, 3), true)
	f.Add(datagram(packet.Down, []byte("x")), false)
	f.Add(ipv4(packet.ProtoICMP, device.Addr(), server.Addr(), append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, datagram(packet.Down, nil)[:28]...)), true)
	f.Fuzz(func(t *testing.T, ip []byte, up bool) {
		dir := packet.Down
		if up {
			dir = packet.Up
		}
		r := truth.NewRegistry()
		r.Open(truth.KeyOf(packet.ProtoTCP, device, server), 3, packet.Tag{}, false)
		r.Open(truth.KeyOf(packet.ProtoUDP, device, server), 3, packet.Tag{}, true)
		if l, ok := r.Attribute(ip, dir); !ok && l.Unit != packet.UnitUnknown {
			t.Fatalf("not attributed, yet owned: %+v", l)
		}
	})
}
