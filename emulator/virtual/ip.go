package virtual

import (
	"encoding/binary"
	"net/netip"

	"glasshouse/emulator/packet"
)

// Addresses are numbers in this package: they are compared and looked up for every packet.

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

func u32(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func addrOf(a uint32) netip.Addr { return netip.AddrFrom4(addr4(a)) }

func addr4(a uint32) [4]byte {
	return [4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}
}

// putUDP writes a UDP header for the payload that follows it in b, and sums it all.
func putUDP(b []byte, src, dst uint32, sport, dport uint16) {
	u := packet.UDP(b)
	u.Encode(sport, dport)
	u.SetChecksum(packet.Sum(packet.PseudoHeader4(src, dst, packet.ProtoUDP, len(b)), b))
}

// forward does what a router does to a packet's header: it takes one from the TTL.
func forward(ip []byte) {
	h := packet.IPv4(ip)
	h.SetTTL(h.TTL() - 1)
}
