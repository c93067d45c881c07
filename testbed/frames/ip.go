package frames

import (
	"encoding/binary"
	"net/netip"
)

// Protocols above IP.
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
)

// Header is what an IP header tells, of either version.
//
//	RFC 791:  version, IHL · service · total length (2) · identification (4) · flags, offset (6) · TTL (8) · protocol (9) · checksum · source (12) · destination (16)
//	RFC 8200: version, class, label · payload length (4) · next header (6) · hop limit (7) · source (8) · destination (24) · extension headers
type Header struct {
	Src, Dst netip.Addr
	Proto    uint8 // behind the extension headers
	TTL      uint8
	Above    int    // bytes of the headers, with options and extension headers
	ID       uint32 // of the datagram that a fragment is of
	Offset   int    // of a fragment, bytes
	More     bool   // fragments follow
	lead     int    // bytes before the part of an IPv6 packet that fragments share, the fragment header with them
}

// Is6 tells whether the packet is IPv6.
func (h *Header) Is6() bool { return h.Src.Is6() }

// Fragment tells whether the packet is a fragment.
func (h *Header) Fragment() bool { return h.Offset > 0 || h.More }

const (
	leastIPv4 = 20
	leastIPv6 = 40
)

// Parse reads the header of an IP packet that has length bytes, of which b are there. Its reason is "" where it is one.
func Parse(b []byte, length int) (h Header, reason string) {
	var f Frame
	reason = f.parse(b, length)
	return f.Header, reason
}

// parse fills in the packet that stands at the beginning of b; had bytes were there on the wire.
func (f *Frame) parse(b []byte, had int) (reason string) {
	if len(b) < 1 {
		return HeaderCut
	}
	switch b[0] >> 4 {
	case 4:
		return f.parse4(b, had)
	case 6:
		return f.parse6(b, had)
	}
	return Malformed
}

func (f *Frame) parse4(b []byte, had int) string {
	if len(b) < leastIPv4 {
		return tooShort(b, had, leastIPv4)
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 { // left to the network card to fill in
		total = had
		if total <= 0xffff {
			binary.BigEndian.PutUint16(b[2:], uint16(total))
		}
	}
	switch {
	case head < leastIPv4 || total < head || total > had:
		return Malformed
	case len(b) < head:
		return HeaderCut
	}
	word := binary.BigEndian.Uint16(b[6:])
	f.Header = Header{
		Src: netip.AddrFrom4([4]byte(b[12:16])), Dst: netip.AddrFrom4([4]byte(b[16:20])), Proto: b[9], TTL: b[8], Above: head,
		ID: uint32(binary.BigEndian.Uint16(b[4:])), Offset: int(word&0x1fff) * 8, More: word&0x2000 != 0,
	}
	f.IP, f.Length = b[:min(len(b), total)], total
	return ""
}

func tooShort(b []byte, had, least int) string {
	if had >= least && len(b) < had {
		return HeaderCut
	}
	return Malformed
}

// longestChain is the most that IPv6's headers may have: they must fit the first fragment of the least MTU (RFC 7112).
const longestChain = 1280

// Extension headers (RFC 8200, section 4; RFC 4302).
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extAuth        = 51
	extNone        = 59
	extDestination = 60
)

func (f *Frame) parse6(b []byte, had int) string {
	if len(b) < leastIPv6 {
		return tooShort(b, had, leastIPv6)
	}
	total := leastIPv6 + int(binary.BigEndian.Uint16(b[4:]))
	if total == leastIPv6 && b[6] != extNone { // a jumbogram's (RFC 2675), or left to the network card
		total = had
		if total-leastIPv6 <= 0xffff {
			binary.BigEndian.PutUint16(b[4:], uint16(total-leastIPv6))
		}
	}
	if total > had {
		return Malformed
	}
	f.Header = Header{Src: netip.AddrFrom16([16]byte(b[8:24])), Dst: netip.AddrFrom16([16]byte(b[24:40])), Proto: b[6], TTL: b[7], Above: leastIPv6}
	f.IP, f.Length = b[:min(len(b), total)], total
	return f.extensions()
}

// extensions walks the extension headers.
func (f *Frame) extensions() string {
	for {
		size := 8
		at := f.IP[min(f.Above, len(f.IP)):]
		switch f.Proto {
		case extHopByHop, extRouting, extDestination:
			if len(at) >= 2 {
				size = 8 + int(at[1])*8
			}
		case extAuth:
			if len(at) >= 2 {
				size = 8 + int(at[1])*4
			}
		case extFragment:
		default:
			return ""
		}
		switch {
		case f.Above+size > f.Length, f.Above+size > longestChain:
			return Malformed
		case len(at) < 8:
			return HeaderCut
		}
		next := at[0]
		if f.Proto == extFragment {
			word := binary.BigEndian.Uint16(at[2:])
			f.Offset, f.More, f.ID, f.lead = int(word&^7), word&1 != 0, binary.BigEndian.Uint32(at[4:]), f.Above+size
		}
		f.Proto, f.Above = next, f.Above+size
		if f.Offset > 0 { // what follows is the middle of a payload
			return ""
		}
	}
}

// Public tells whether an address is on the internet: neither private nor for many, nor nobody's.
func Public(a netip.Addr) bool {
	if a.Is6() {
		return a.IsGlobalUnicast() && !a.IsPrivate()
	}
	b := a.As4()
	return a.IsGlobalUnicast() && !a.IsPrivate() && b[0] != 0 && b[0] < 240
}

// Crosses tells whether a packet between a device and another address leaves the home, or comes from outside. IPv6 addresses of one /64 are
// on one link (RFC 4291, section 2.5.4).
func Crosses(near, far netip.Addr) bool {
	if !Public(far) {
		return false
	}
	if near.Is6() && far.Is6() && near != far {
		p, err := near.Prefix(64)
		return err != nil || !p.Contains(far)
	}
	return true
}
