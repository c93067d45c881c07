package nat_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// Packets made and checked by hand: no code is shared with what is tested.

const (
	icmp = 1
	tcp  = 6
	udp  = 17
)

const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

var wanAddr = netip.MustParseAddr("203.0.113.7")

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// sum16 is RFC 1071's sum, written the slow way.
func sum16(parts ...[]byte) uint16 {
	var s uint64
	for _, p := range parts {
		for i, b := range p {
			if i%2 == 0 {
				s += uint64(b) << 8
			} else {
				s += uint64(b)
			}
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// ipPacket wraps a transport message; options is a multiple of 4 bytes.
func ipPacket(proto byte, src, dst netip.Addr, options, l4 []byte) []byte {
	ihl := 20 + len(options)
	b := make([]byte, ihl, ihl+len(l4))
	b[0] = 0x40 | byte(ihl/4)
	binary.BigEndian.PutUint16(b[2:], uint16(ihl+len(l4)))
	binary.BigEndian.PutUint16(b[4:], 0xbeef)
	b[8], b[9] = 64, proto
	s, d := src.As4(), dst.As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	copy(b[20:], options)
	b = append(b, l4...)
	fixIP(b)
	return b
}

func fixIP(b []byte) {
	ihl := int(b[0]&15) * 4
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^sum16(b[:ihl]))
}

// pseudo is the pseudo-header of RFC 9293 and RFC 768.
func pseudo(ip []byte) []byte {
	ihl := int(ip[0]&15) * 4
	p := append([]byte(nil), ip[12:20]...)
	return append(p, 0, ip[9], byte((len(ip)-ihl)>>8), byte(len(ip)-ihl))
}

func tcpPacket(src, dst netip.AddrPort, flags byte, payload []byte) []byte {
	l4 := make([]byte, 20, 20+len(payload))
	binary.BigEndian.PutUint16(l4, src.Port())
	binary.BigEndian.PutUint16(l4[2:], dst.Port())
	binary.BigEndian.PutUint32(l4[4:], 0x01020304)
	l4[12], l4[13] = 5<<4, flags
	ip := ipPacket(tcp, src.Addr(), dst.Addr(), nil, append(l4, payload...))
	binary.BigEndian.PutUint16(ip[36:], ^sum16(pseudo(ip), ip[20:]))
	return ip
}

func udpPacket(src, dst netip.AddrPort, payload []byte) []byte {
	l4 := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(l4, src.Port())
	binary.BigEndian.PutUint16(l4[2:], dst.Port())
	binary.BigEndian.PutUint16(l4[4:], uint16(8+len(payload)))
	ip := ipPacket(udp, src.Addr(), dst.Addr(), nil, append(l4, payload...))
	c := ^sum16(pseudo(ip), ip[20:])
	if c == 0 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(ip[26:], c)
	return ip
}

func echoPacket(kind byte, src, dst netip.Addr, id uint16, payload []byte) []byte {
	l4 := append([]byte{kind, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}, payload...)
	binary.BigEndian.PutUint16(l4[2:], ^sum16(l4))
	return ipPacket(icmp, src, dst, nil, l4)
}

// errorPacket quotes the first n bytes of a packet.
func errorPacket(kind, code byte, src, dst netip.Addr, quoted []byte, n int) []byte {
	l4 := append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, quoted[:min(n, len(quoted))]...)
	binary.BigEndian.PutUint16(l4[2:], ^sum16(l4))
	return ipPacket(icmp, src, dst, nil, l4)
}

// checkSums fails unless all checksums of a whole packet are right, those of a quoted packet included as far as it reaches.
func checkSums(t interface {
	Helper()
	Errorf(string, ...any)
}, ip []byte,
) {
	t.Helper()
	ihl := int(ip[0]&15) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if got := sum16(ip[:ihl]); got != 0xffff {
		t.Errorf("IP header sums to %#x", got)
	}
	if total > len(ip) {
		return // a quotation that was cut
	}
	ip = ip[:total]
	l4 := ip[ihl:]
	switch ip[9] {
	case tcp:
		if got := sum16(pseudo(ip), l4); got != 0xffff {
			t.Errorf("TCP sums to %#x", got)
		}
	case udp:
		if binary.BigEndian.Uint16(l4[6:]) == 0 {
			return
		}
		if got := sum16(pseudo(ip), l4); got != 0xffff {
			t.Errorf("UDP sums to %#x", got)
		}
	case icmp:
		if got := sum16(l4); got != 0xffff {
			t.Errorf("ICMP sums to %#x", got)
		}
		if l4[0] == 3 || l4[0] == 11 || l4[0] == 12 {
			checkSums(t, l4[8:])
		}
	}
}

// ends returns source and destination as they stand in a packet; for echo both ports are the identifier.
func ends(ip []byte) (src, dst netip.AddrPort) {
	l4 := ip[int(ip[0]&15)*4:]
	a, b := binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:])
	if ip[9] == icmp {
		a = binary.BigEndian.Uint16(l4[4:])
		b = a
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), a), netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), b)
}

func wantEnds(t *testing.T, ip []byte, src, dst netip.AddrPort) {
	t.Helper()
	if s, d := ends(ip); s != src || d != dst {
		t.Errorf("packet goes %v to %v, want %v to %v", s, d, src, dst)
	}
	checkSums(t, ip)
}
