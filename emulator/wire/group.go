package wire

import (
	"encoding/binary"
	"net/netip"
)

// What kernels say on the LAN by themselves about the groups that they listen to, and when they look for IPv6 routers.

// Types of IGMP (RFC 2236, RFC 3376) and ICMPv6 (RFC 4861, RFC 3810) messages.
const (
	igmpQuery          = 0x11
	igmpReport3        = 0x22
	icmp6RouterAsk     = 133
	icmp6NeighbourAsk  = 135
	icmp6Report2       = 143
	groupChangeExclude = 4 // "from now on all sources": the host joins (RFC 3376, section 4.2.12)
	groupModeExclude   = 2 // it is joined, in answer to a query
)

// IGMPQueryInterval is how often a router asks who listens to what, s, and how long hosts may take to answer, tenths of a
// second (RFC 3376, sections 8.2 and 8.3).
const (
	IGMPQueryInterval = 125
	IGMPQueryResponse = 100
)

// AppendIGMPQuery appends a router's question to all hosts, without the IP header (RFC 3376, section 4.1).
func AppendIGMPQuery(b []byte) []byte {
	start := len(b)
	b = append(b, igmpQuery, IGMPQueryResponse, 0, 0, 0, 0, 0, 0, 2, IGMPQueryInterval, 0, 0)
	binary.BigEndian.PutUint16(b[start+2:], Checksum(0, b[start:]))
	return b
}

// AppendIGMPReport appends a host's list of groups (RFC 3376, section 4.2): of those that it joins, or is in.
func AppendIGMPReport(b []byte, joins bool, groups []netip.Addr) []byte {
	start := len(b)
	b = append(b, igmpReport3, 0, 0, 0, 0, 0, 0, byte(len(groups)))
	for _, g := range groups {
		b = append(b, groupRecord(joins), 0, 0, 0)
		b = append(b, g.AsSlice()...)
	}
	binary.BigEndian.PutUint16(b[start+2:], Checksum(0, b[start:]))
	return b
}

func groupRecord(joins bool) byte {
	if joins {
		return groupChangeExclude
	}
	return groupModeExclude
}

// AppendMLDReport appends the same for IPv6 (RFC 3810, section 5.2). The checksum is that of ICMPv6, from src to dst.
func AppendMLDReport(b []byte, src, dst netip.Addr, joins bool, groups []netip.Addr) []byte {
	start := len(b)
	b = append(b, icmp6Report2, 0, 0, 0, 0, 0, 0, byte(len(groups)))
	for _, g := range groups {
		b = append(b, groupRecord(joins), 0, 0, 0)
		b = append(b, g.AsSlice()...)
	}
	return sealICMP6(b, start, src, dst)
}

// AppendRouterSolicitation appends a host's question for routers (RFC 4861, section 4.1), with its MAC address.
func AppendRouterSolicitation(b []byte, src, dst netip.Addr, mac [6]byte) []byte {
	start := len(b)
	b = append(b, icmp6RouterAsk, 0, 0, 0, 0, 0, 0, 0, 1, 1)
	return sealICMP6(append(b, mac[:]...), start, src, dst)
}

// AppendAddressProbe appends a host's question whether somebody has its address already (RFC 4862, section 5.4.2), with the
// nonce by which it knows its own again (RFC 7527).
func AppendAddressProbe(b []byte, src, dst, target netip.Addr, nonce [6]byte) []byte {
	start := len(b)
	b = append(b, icmp6NeighbourAsk, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, target.AsSlice()...)
	b = append(b, 14, 1)
	return sealICMP6(append(b, nonce[:]...), start, src, dst)
}

func sealICMP6(b []byte, start int, src, dst netip.Addr) []byte {
	m := b[start:]
	binary.BigEndian.PutUint16(m[2:], 0)
	binary.BigEndian.PutUint16(m[2:], Checksum(PseudoHeader6(src, dst, ProtoICMP6, len(m)), m))
	return b
}

// IP protocols of this file.
const (
	ProtoIGMP  = 2
	ProtoICMP6 = 58
)

// PseudoHeader6 returns the sum that checksums over IPv6 begin with (RFC 8200, section 8.1).
func PseudoHeader6(src, dst netip.Addr, proto uint8, length int) uint32 {
	s := uint32(proto) + uint32(length)
	for _, a := range [2]netip.Addr{src, dst} {
		b := a.As16()
		for i := 0; i < len(b); i += 2 {
			s += uint32(b[i])<<8 | uint32(b[i+1])
		}
	}
	return s
}

// Checksum returns the internet checksum of b on top of a sum (RFC 1071).
func Checksum(s uint32, b []byte) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s>>16 != 0 {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// IPv6 is a header for a payload of Length bytes.
type IPv6 struct {
	Src, Dst    netip.Addr
	Proto, Hops uint8
	Length      int
	Alert       bool
}

// AppendIPv6 appends an IPv6 header (RFC 8200, section 3); with Alert, the hop-by-hop option by which routers
// look at a multicast report (RFC 2711) comes before it.
func AppendIPv6(b []byte, h *IPv6) []byte {
	next, length := h.Proto, h.Length
	if h.Alert {
		length += 8
		next = 0
	}
	b = append(b, 0x60, 0, 0, 0, byte(length>>8), byte(length), next, h.Hops)
	b = append(b, h.Src.AsSlice()...)
	b = append(b, h.Dst.AsSlice()...)
	if h.Alert {
		b = append(b, h.Proto, 0, 5, 2, 0, 0, 1, 0)
	}
	return b
}

// LinkLocal returns the address that a kernel makes of a MAC address (RFC 4291, appendix A).
func LinkLocal(mac [6]byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]})
}

// SolicitedNode returns the group on which questions for an address come (RFC 4291, section 2.7.1).
func SolicitedNode(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
}

// GroupMAC returns the MAC address of an IP group (RFC 1112, section 6.4; RFC 2464, section 7).
func GroupMAC(a netip.Addr) [6]byte {
	if a.Is4() {
		b := a.As4()
		return [6]byte{1, 0, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	b := a.As16()
	return [6]byte{0x33, 0x33, b[12], b[13], b[14], b[15]}
}
