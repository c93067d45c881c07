package packet

import (
	"encoding/binary"
	"net/netip"
)

// IPv6Size is the size of an IPv6 header without extension headers.
const IPv6Size = 40

// IPv6 is an IPv6 packet (RFC 8200, section 3), or the beginning of one.
//
//	0     0.5             1.5          4                6             7           8        24            40
//	| ver | traffic class | flow label | payload length | next header | hop limit | source | destination |
type IPv6 []byte

// ParseIPv6 takes a packet whose fixed header is there. What is above may be cut short.
func ParseIPv6(b []byte) (h IPv6, ok bool) { return b, len(b) >= IPv6Size && b[0]>>4 == 6 }

// Version is 6.
func (h IPv6) Version() uint8 { return h[0] >> 4 }

// TrafficClass is the octet of DSCP and ECN.
func (h IPv6) TrafficClass() uint8 { return h[0]<<4 | h[1]>>4 }

// FlowLabel has 20 bits.
func (h IPv6) FlowLabel() uint32 { return binary.BigEndian.Uint32(h) & 0xfffff }

// PayloadLength is the size of what follows the fixed header, bytes: 0 in a jumbogram, and where a network card was to cut it.
func (h IPv6) PayloadLength() int { return int(binary.BigEndian.Uint16(h[4:])) }

// NextHeader is the protocol of what follows the fixed header, which may be an extension header: see Upper.
func (h IPv6) NextHeader() uint8 { return h[6] }

// HopLimit is what IPv4 calls time to live.
func (h IPv6) HopLimit() uint8 { return h[7] }

// Source is the sender's address.
func (h IPv6) Source() [16]byte { return [16]byte(h[8:24]) }

// Destination is the receiver's address.
func (h IPv6) Destination() [16]byte { return [16]byte(h[24:40]) }

// SourceAddr is the sender's address.
func (h IPv6) SourceAddr() netip.Addr { return netip.AddrFrom16(h.Source()) }

// DestinationAddr is the receiver's address.
func (h IPv6) DestinationAddr() netip.Addr { return netip.AddrFrom16(h.Destination()) }

// Payload is what follows the fixed header, without a trailer, as far as it is there; all that is there where the length is 0.
func (h IPv6) Payload() []byte {
	end := IPv6Size + h.PayloadLength()
	if end == IPv6Size || end > len(h) {
		end = len(h)
	}
	return h[IPv6Size:end]
}

// IPv6Upper is what an IPv6 packet carries above its extension headers (RFC 8200, section 4).
type IPv6Upper struct {
	Protocol uint8
	Payload  []byte // as far as it is there
	// Of a fragment header, if there was one (section 4.5).
	Fragment       bool
	FragmentOffset int // bytes
	MoreFragments  bool
	ID             uint32
}

// Upper walks over the extension headers. ok is false where they are cut short or say that nothing follows. In a later fragment
// Protocol is as the fragment header says, and the payload has no transport header.
func (h IPv6) Upper() (u IPv6Upper, ok bool) {
	u.Protocol, u.Payload = h.NextHeader(), h.Payload()
	for {
		switch u.Protocol {
		case ProtoHopByHop, ProtoRouting, ProtoDestOption:
			if len(u.Payload) < 8 {
				return u, false
			}
			n := 8 + 8*int(u.Payload[1])
			if n > len(u.Payload) {
				return u, false
			}
			u.Protocol, u.Payload = u.Payload[0], u.Payload[n:]
		case ProtoFragment:
			if len(u.Payload) < 8 {
				return u, false
			}
			place := binary.BigEndian.Uint16(u.Payload[2:])
			u.Fragment, u.FragmentOffset, u.MoreFragments = true, int(place&^7), place&1 != 0
			u.ID = binary.BigEndian.Uint32(u.Payload[4:])
			u.Protocol, u.Payload = u.Payload[0], u.Payload[8:]
			if u.FragmentOffset > 0 {
				return u, true
			}
		case ProtoNoNext:
			return u, false
		default:
			return u, true
		}
	}
}

// IPv6Fields are what the fixed header of a new packet says; traffic class and flow label are 0.
type IPv6Fields struct {
	PayloadLength        int
	NextHeader, HopLimit uint8
	Source, Destination  [16]byte
}

// Encode writes the fixed header.
func (h IPv6) Encode(f *IPv6Fields) {
	binary.BigEndian.PutUint64(h, 0x60000000_00000000|uint64(uint16(f.PayloadLength))<<16|uint64(f.NextHeader)<<8|uint64(f.HopLimit))
	*(*[16]byte)(h[8:]) = f.Source
	*(*[16]byte)(h[24:]) = f.Destination
}
