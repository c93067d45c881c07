package virtual

import (
	"encoding/binary"
	"math/bits"

	"glasshouse/emulator/packet"
)

// Sizes of headers, bytes.
const (
	ethernetSize = packet.EthernetHeader
	ipv4Size     = 20
	udpSize      = 8
	tcpSize      = 20
)

// IP protocols and Ethernet types.
const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
	typeIPv4  = 0x0800
	typeARP   = 0x0806
)

// sum32 adds b to a ones' complement sum that is not folded yet. b begins at an even place of what is summed.
func sum32(s uint64, b []byte) uint64 {
	for len(b) >= 8 {
		var carry uint64
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s += carry
		b = b[8:]
	}
	for len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// fold makes 16 bits of a sum.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}

// putIPv4 writes an IPv4 header (RFC 791) without options, with its checksum. total is the packet's length.
func putIPv4(b []byte, total int, proto, ttl byte, id uint16, src, dst uint32, df bool) {
	flags := uint16(0)
	if df {
		flags = 0x4000
	}
	binary.BigEndian.PutUint32(b, 0x45000000|uint32(total))
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], flags)
	b[8], b[9] = ttl, proto
	binary.BigEndian.PutUint16(b[10:], ^fold(0x4500+uint64(id)+uint64(flags)+uint64(ttl)<<8+pseudo(src, dst, proto, total)))
	binary.BigEndian.PutUint32(b[12:], src)
	binary.BigEndian.PutUint32(b[16:], dst)
}

// pseudo is the sum of the header that TCP and UDP checksums begin with.
func pseudo(src, dst uint32, proto byte, length int) uint64 {
	return uint64(src>>16) + uint64(src&0xffff) + uint64(dst>>16) + uint64(dst&0xffff) + uint64(proto) + uint64(length)
}

// putUDP writes a UDP header for the payload that follows it in b, and sums it all.
func putUDP(b []byte, src, dst uint32, sport, dport uint16) {
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[6:], 0)
	sealUDP(b, fold(pseudo(src, dst, protoUDP, len(b))+sum32(0, b)))
}

func sealUDP(b []byte, sum uint16) {
	if sum = ^sum; sum == 0 { // 0 would mean that there is none
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b[6:], sum)
}

// forward does what a router does to a packet's header: it takes one from the TTL and mends the checksum (RFC 1624).
func forward(ip []byte) {
	old := binary.BigEndian.Uint16(ip[8:])
	ip[8]--
	now := binary.BigEndian.Uint16(ip[8:])
	sum := ^binary.BigEndian.Uint16(ip[10:])
	binary.BigEndian.PutUint16(ip[10:], ^fold(uint64(sum)+uint64(^old)+uint64(now)))
}

// putEthernet writes the header of a frame.
func putEthernet(b []byte, dst, src [6]byte, kind uint16) {
	*(*[6]byte)(b) = dst
	*(*[6]byte)(b[6:]) = src
	binary.BigEndian.PutUint16(b[12:], kind)
}

func addr4(a uint32) [4]byte {
	return [4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}
}
