package nat

import (
	"glasshouse/emulator/packet"
)

// Addresses and ports are rewritten in place, and each checksum is mended once for all that it covers.

// rewrite sets one end of a packet, the source or the destination, and mends the checksums.
func rewrite(h packet.IPv4, l4 []byte, addr uint32, port uint16, source bool) {
	rewritePort(h.Protocol(), l4, rewriteAddress(h, addr, source), port, source)
}

// rewriteAddress sets an address, mends the header's checksum, and returns what the pseudo-header's sum changes by.
func rewriteAddress(h packet.IPv4, addr uint32, source bool) packet.Change {
	if source {
		return h.SetSource(addr)
	}
	return h.SetDestination(addr)
}

// rewritePort sets a port, or an echo's identifier, and mends the checksum for it and for a change of the pseudo-header.
func rewritePort(proto uint8, l4 []byte, change packet.Change, port uint16, source bool) {
	switch {
	case proto == packet.ProtoTCP && source:
		packet.TCP(l4).SetSourcePort(port, change)
	case proto == packet.ProtoTCP:
		packet.TCP(l4).SetDestinationPort(port, change)
	case proto == packet.ProtoUDP && source:
		packet.UDP(l4).SetSourcePort(port, change)
	case proto == packet.ProtoUDP:
		packet.UDP(l4).SetDestinationPort(port, change)
	case proto == packet.ProtoICMP:
		packet.ICMP(l4).SetIdentifier(port)
	}
}
