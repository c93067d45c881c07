package virtual

import (
	"encoding/binary"
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/tcp"
)

// stack is the network stack of a machine.
type stack struct {
	n     *Net
	addr  uint32
	ttl   byte
	draws draws
	send  func(ip []byte, l packet.Lineage)
	tcp   *tcp.Stack // nil: the machine has no connections
}

// udp is the addresses of a datagram.
type udp struct {
	src, dst         uint32
	srcPort, dstPort uint16
}

// datagram sends a UDP payload that is spelled out; id is the IP packet's.
func (s *stack) datagram(to udp, id uint16, payload []byte, l packet.Lineage) {
	total := packet.IPv4Size + packet.UDPSize + len(payload)
	b := s.n.ip.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+total]
	copy(b[packet.IPv4Size+packet.UDPSize:], payload)
	putUDP(b[packet.IPv4Size:], to)
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: total, Protocol: packet.ProtoUDP, TTL: s.ttl, ID: id, Source: to.src, Destination: to.dst, DontFragment: true,
	})
	s.send(b, l)
}

// payload is a UDP payload of size bytes: head, then what stands from place on in the home's noise.
type payload struct {
	head  []byte
	size  int
	place uint64
}

// noisy sends a UDP payload that is noise; id is the IP packet's.
func (s *stack) noisy(to udp, id uint16, p payload, l packet.Lineage) {
	total := packet.IPv4Size + packet.UDPSize + p.size
	b := s.n.ip.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+total]
	u := packet.UDP(b[packet.IPv4Size:])
	at := packet.IPv4Size + packet.UDPSize + len(p.head)
	rest := p.size - len(p.head)
	copy(b[at:], s.n.ip.Noise.Window(p.place, min(rest, s.n.ip.Room(at))))
	copy(b[packet.IPv4Size+packet.UDPSize:], p.head)
	u.Encode(to.srcPort, to.dstPort)
	if !s.n.ip.NoChecksums {
		sum := s.n.ip.Noise.Sum(p.place, rest)
		if len(p.head)%2 != 0 { // the noise begins at an odd place
			sum = sum<<8 | sum>>8
		}
		pseudo := packet.PseudoHeader4(to.src, to.dst, packet.ProtoUDP, len(u))
		u.SetChecksum(packet.Sum(pseudo+uint64(sum), u[:packet.UDPSize+len(p.head)]))
	}
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: total, Protocol: packet.ProtoUDP, TTL: s.ttl, ID: id, Source: to.src, Destination: to.dst, DontFragment: true,
	})
	s.send(b, l)
}

// putUDP writes a UDP header for the payload that follows it in b, and sums it all.
func putUDP(b []byte, to udp) {
	u := packet.UDP(b)
	u.Encode(to.srcPort, to.dstPort)
	u.SetChecksum(packet.Sum(packet.PseudoHeader4(to.src, to.dst, packet.ProtoUDP, len(b)), b))
}

// Addresses are numbers in this package: they are compared and looked up for every packet.

// broadcastMAC is the address of every interface on the LAN.
var broadcastMAC = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

func u32(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func addrOf(a uint32) netip.Addr { return netip.AddrFrom4(addr4(a)) }

func addr4(a uint32) [4]byte {
	return [4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}
}

// forward does what a router does to a packet's header: it takes one from the TTL.
func forward(ip []byte) {
	h := packet.IPv4(ip)
	h.SetTTL(h.TTL() - 1)
}
