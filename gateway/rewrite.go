package gateway

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Addresses and ports are rewritten in place, and each checksum is mended once for all that it covers: the same bytes as the
// header package's setters make one after the other.

// address is an IPv4 address as a number.
func address(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// rewrite sets one end of a packet, the source or the destination, and mends the checksums.
func rewrite(h header.IPv4, l4 []byte, addr uint32, port uint16, source bool) {
	change := rewriteAddress(h, addr, source)
	switch h.Protocol() {
	case protoTCP:
		rewriteTCP(l4, change, port, source)
	case protoUDP:
		rewriteUDP(l4, change, port, source)
	case protoICMP:
		header.ICMPv4(l4).SetIdentWithChecksumUpdate(port)
	}
}

// rewriteAddress sets an address, mends the header's checksum, and returns what the pseudo header's sum changes by.
func rewriteAddress(h header.IPv4, addr uint32, source bool) (change uint32) {
	at := 16
	if source {
		at = 12
	}
	change = changed32(binary.BigEndian.Uint32(h[at:]), addr)
	binary.BigEndian.PutUint32(h[at:], addr)
	binary.BigEndian.PutUint16(h[10:], mend(binary.BigEndian.Uint16(h[10:]), change))
	return change
}

// rewriteTCP sets a port, and mends the checksum for it and for a change of the pseudo header.
func rewriteTCP(t []byte, change uint32, port uint16, source bool) {
	change += rewritePort(t, port, source)
	binary.BigEndian.PutUint16(t[16:], mend(binary.BigEndian.Uint16(t[16:]), change))
}

// rewriteUDP is rewriteTCP for UDP. It leaves the checksum 0, which means none (RFC 768), and never makes one.
func rewriteUDP(u []byte, change uint32, port uint16, source bool) {
	change += rewritePort(u, port, source)
	sum := binary.BigEndian.Uint16(u[6:])
	if sum == 0 {
		return
	}
	if sum = mend(sum, change); sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(u[6:], sum)
}

func rewritePort(l4 []byte, port uint16, source bool) (change uint32) {
	at := 2
	if source {
		at = 0
	}
	change = changed16(binary.BigEndian.Uint16(l4[at:]), port)
	binary.BigEndian.PutUint16(l4[at:], port)
	return change
}

// changed16 is what a sum grows by when one of its words is exchanged (RFC 1624, equation 3).
func changed16(old, fresh uint16) uint32 {
	if old == fresh {
		return 0
	}
	return uint32(fresh) + uint32(^old)
}

func changed32(old, fresh uint32) uint32 {
	return changed16(uint16(old>>16), uint16(fresh>>16)) + changed16(uint16(old), uint16(fresh))
}

// mend returns a checksum after a change of what it sums, of less than 2^20.
func mend(sum uint16, change uint32) uint16 {
	s := uint32(^sum) + change
	s = s>>16 + s&0xffff
	return ^uint16(s>>16 + s&0xffff)
}
