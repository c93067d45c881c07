package packet

import (
	"encoding/binary"
	"net/netip"
)

// IP protocol numbers, which are IPv6's next headers too.
const (
	ProtoHopByHop   uint8 = 0
	ProtoICMP       uint8 = 1
	ProtoIGMP       uint8 = 2
	ProtoTCP        uint8 = 6
	ProtoUDP        uint8 = 17
	ProtoRouting    uint8 = 43
	ProtoFragment   uint8 = 44
	ProtoICMPv6     uint8 = 58
	ProtoNoNext     uint8 = 59
	ProtoDestOption uint8 = 60
)

// IPv4Size is the size of an IPv4 header without options.
const IPv4Size = 20

// IPv4 is an IPv4 packet (RFC 791), or the beginning of one.
//
//	0     0.5   1     2              4    6       6.4               8     9          10         12       16            20
//	| ver | IHL | TOS | total length | ID | flags | fragment offset | TTL | protocol | checksum | source | destination | options
type IPv4 []byte

// ParseIPv4 takes a packet whose header is there, with its options. What is above may be cut short, as in a capture with a
// snapshot length or in the quotation of an ICMP error: see Complete. Trailing bytes, as padding, do no harm.
func ParseIPv4(b []byte) (h IPv4, ok bool) {
	if len(b) < IPv4Size || b[0]>>4 != 4 {
		return nil, false
	}
	h = b
	n := h.HeaderLength()
	return h, n >= IPv4Size && n <= len(b)
}

// Version is 4.
func (h IPv4) Version() uint8 { return h[0] >> 4 }

// HeaderLength is the header's size with its options, bytes: four times the field IHL.
func (h IPv4) HeaderLength() int { return int(h[0]&15) * 4 }

// TypeOfService is the octet of DSCP and ECN (RFC 2474, RFC 3168).
func (h IPv4) TypeOfService() uint8 { return h[1] }

// TotalLength is the packet's size with its header, bytes. Captures show 0 where the network card was to cut the segment.
func (h IPv4) TotalLength() int { return int(binary.BigEndian.Uint16(h[2:])) }

// ID is the identification field.
func (h IPv4) ID() uint16 { return binary.BigEndian.Uint16(h[4:]) }

// DontFragment is the flag DF.
func (h IPv4) DontFragment() bool { return h[6]&0x40 != 0 }

// MoreFragments is the flag MF.
func (h IPv4) MoreFragments() bool { return h[6]&0x20 != 0 }

// FragmentOffset is the place of the payload in the datagram, bytes.
func (h IPv4) FragmentOffset() int { return int(binary.BigEndian.Uint16(h[6:])&0x1fff) * 8 }

// Fragment tells whether the packet is part of a larger datagram.
func (h IPv4) Fragment() bool { return binary.BigEndian.Uint16(h[6:])&0x3fff != 0 }

// TTL is the time to live.
func (h IPv4) TTL() uint8 { return h[8] }

// Protocol is the payload's.
func (h IPv4) Protocol() uint8 { return h[9] }

// Checksum is the header's.
func (h IPv4) Checksum() uint16 { return binary.BigEndian.Uint16(h[10:]) }

// ChecksumValid tells whether the header's checksum is right.
func (h IPv4) ChecksumValid() bool { return Fold(Sum(0, h[:h.HeaderLength()])) == 0xffff }

// Source and Destination are the addresses; Source32 and Destination32 are the same as numbers, SourceAddr and DestinationAddr as
// package netip has them.
func (h IPv4) Source() [4]byte { return [4]byte(h[12:16]) }

// Destination is the receiver's address.
func (h IPv4) Destination() [4]byte { return [4]byte(h[16:20]) }

// Source32 is the sender's address as a number.
func (h IPv4) Source32() uint32 { return binary.BigEndian.Uint32(h[12:]) }

// Destination32 is the receiver's address as a number.
func (h IPv4) Destination32() uint32 { return binary.BigEndian.Uint32(h[16:]) }

// Number4 is an IPv4 address as a number, which Source32, SetSource and the checksums take.
func Number4(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// SourceAddr is the sender's address.
func (h IPv4) SourceAddr() netip.Addr { return netip.AddrFrom4(h.Source()) }

// DestinationAddr is the receiver's address.
func (h IPv4) DestinationAddr() netip.Addr { return netip.AddrFrom4(h.Destination()) }

// Options are the header's bytes above the fixed 20.
func (h IPv4) Options() []byte { return h[IPv4Size:h.HeaderLength()] }

// Complete tells whether all that the total length counts is there, its header included.
func (h IPv4) Complete() bool {
	n := h.TotalLength()
	return n >= h.HeaderLength() && n <= len(h)
}

// Payload is what lies above the header: without a trailer, and as far as it is there. Where the total length is less than the
// header, it is all that is there.
func (h IPv4) Payload() []byte {
	head, total := h.HeaderLength(), h.TotalLength()
	if total < head || total > len(h) {
		total = len(h)
	}
	return h[head:total]
}

// SumHeader computes the header's checksum anew.
func (h IPv4) SumHeader() {
	binary.BigEndian.PutUint16(h[10:], 0)
	binary.BigEndian.PutUint16(h[10:], ^Fold(Sum(0, h[:h.HeaderLength()])))
}

// SetSource sets the sender's address and mends the header's checksum; the transport header's setters take the change.
func (h IPv4) SetSource(addr uint32) Change { return h.setAddress(12, addr) }

// SetDestination does the same with the receiver's.
func (h IPv4) SetDestination(addr uint32) Change { return h.setAddress(16, addr) }

func (h IPv4) setAddress(at int, addr uint32) Change {
	change := Change32(binary.BigEndian.Uint32(h[at:]), addr)
	binary.BigEndian.PutUint32(h[at:], addr)
	binary.BigEndian.PutUint16(h[10:], change.Mend(h.Checksum()))
	return change
}

// SetTTL sets the time to live and mends the checksum.
func (h IPv4) SetTTL(ttl uint8) {
	old := binary.BigEndian.Uint16(h[8:])
	h[8] = ttl
	binary.BigEndian.PutUint16(h[10:], Change16(old, binary.BigEndian.Uint16(h[8:])).Mend(h.Checksum()))
}

// IPv4Fields are what the header of a new packet says; its type of service is 0 and it is no fragment.
type IPv4Fields struct {
	TotalLength         int
	ID                  uint16
	DontFragment        bool
	TTL, Protocol       uint8
	Source, Destination uint32
}

// Encode writes a header without options, with its checksum.
func (h IPv4) Encode(f *IPv4Fields) {
	flags := uint16(0)
	if f.DontFragment {
		flags = 0x4000
	}
	binary.BigEndian.PutUint32(h, 0x45000000|uint32(f.TotalLength))
	binary.BigEndian.PutUint16(h[4:], f.ID)
	binary.BigEndian.PutUint16(h[6:], flags)
	h[8], h[9] = f.TTL, f.Protocol
	sum := 0x4500 + uint64(f.ID) + uint64(flags) + uint64(f.TTL)<<8 + PseudoHeader4(f.Source, f.Destination, f.Protocol, f.TotalLength)
	binary.BigEndian.PutUint16(h[10:], ^Fold(sum))
	binary.BigEndian.PutUint32(h[12:], f.Source)
	binary.BigEndian.PutUint32(h[16:], f.Destination)
}
