package frames

import "encoding/binary"

// Link types that are read (tcpdump.org/linktypes.html).
const (
	linkNull     = 0 // BSD loopback: the address family in four bytes, in the order of the machine that captured
	LinkEthernet = 1
	linkPPP      = 9
	linkRawBSD   = 12 // raw IP, as some systems write it
	linkRawOpen  = 14 // and OpenBSD
	linkPPPHDLC  = 50
	LinkRaw      = 101 // raw IP
	linkLoop     = 108 // OpenBSD loopback: the address family in network order
	linkSLL      = 113 // Linux cooked: the EtherType is the last two of 16 bytes
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276 // Linux cooked, version 2: the EtherType is the first two of 20 bytes
)

// EtherTypes, and what takes their place.
const (
	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	etherQinQ1 = 0x9100 // Cisco's and others' before 802.1ad
	etherQinQ2 = 0x9200
	etherPPPoE = 0x8864 // session (RFC 2516): 6 bytes, then PPP's protocol
	etherLLC   = 0x05dc // up to it the field is a length (IEEE 802.3), and LLC follows
	etherNone  = 0xffff
	pppIPv4    = 0x0021
	pppIPv6    = 0x0057
)

// hops is what a link's header tells of its stations.
type stations struct {
	src, dst       [6]byte
	hasSrc, hasDst bool
}

// network strips a link's header: what is above it, how many bytes that had, and its EtherType. known is false for a link type that is not
// read. Nothing that is in the frame makes it panic.
func network(link uint16, b []byte, had int) (s stations, ether uint16, rest []byte, length int, known bool) {
	strip := func(n int) {
		n = min(n, len(b))
		b, had = b[n:], had-n
	}
	switch link {
	case LinkEthernet:
		if len(b) < 14 {
			return s, etherNone, nil, 0, true
		}
		s = stations{[6]byte(b[6:]), [6]byte(b), true, true}
		ether = binary.BigEndian.Uint16(b[12:])
		strip(14)
	case LinkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		ether = versionOf(b)
	case linkNull, linkLoop: // the families of IPv6 differ between systems: the packet tells
		strip(4)
		ether = versionOf(b)
	case linkSLL:
		if len(b) < 16 {
			return s, etherNone, nil, 0, true
		}
		ether = binary.BigEndian.Uint16(b[14:])
		s.cooked(binary.BigEndian.Uint16(b[4:]), b[6:12])
		strip(16)
	case linkSLL2:
		if len(b) < 20 {
			return s, etherNone, nil, 0, true
		}
		ether = binary.BigEndian.Uint16(b)
		s.cooked(uint16(b[11]), b[12:18])
		strip(20)
	case linkPPP, linkPPPHDLC:
		if len(b) >= 2 && b[0] == 0xff && b[1] == 3 { // address and control, unless they were agreed away (RFC 1661)
			strip(2)
		}
		ether = ppp(b, strip)
	default:
		return s, etherNone, nil, 0, false
	}
	ether, b, had = above(ether, b, had)
	return s, ether, b, had, true
}

// cooked takes the sender's address of a cooked header.
func (s *stations) cooked(length uint16, addr []byte) {
	if length == 6 {
		s.src, s.hasSrc = [6]byte(addr), true
	}
}

// ppp reads PPP's protocol field, of one byte where it was compressed, and tells the EtherType of what follows.
func ppp(b []byte, strip func(int)) uint16 {
	switch {
	case len(b) >= 1 && b[0]&1 != 0:
		ether := map[byte]uint16{pppIPv4: etherIPv4, pppIPv6: etherIPv6}[b[0]]
		strip(1)
		return ether
	case len(b) >= 2:
		ether := map[uint16]uint16{pppIPv4: etherIPv4, pppIPv6: etherIPv6}[binary.BigEndian.Uint16(b)]
		strip(2)
		return ether
	}
	return etherNone
}

// above looks through tags, PPPoE and LLC.
func above(ether uint16, b []byte, had int) (uint16, []byte, int) {
	for {
		var n int
		var next uint16
		switch {
		case (ether == etherVLAN || ether == etherQinQ || ether == etherQinQ1 || ether == etherQinQ2) && len(b) >= 4:
			n, next = 4, binary.BigEndian.Uint16(b[2:])
		case ether == etherPPPoE && len(b) >= 8:
			n, next = 8, map[uint16]uint16{pppIPv4: etherIPv4, pppIPv6: etherIPv6}[binary.BigEndian.Uint16(b[6:])]
			if next == 0 {
				next = etherNone
			}
		case ether <= etherLLC && len(b) >= 8 && b[0] == 0xaa && b[1] == 0xaa && b[2] == 3: // SNAP (RFC 1042)
			n, next = 8, binary.BigEndian.Uint16(b[6:])
			if next <= etherLLC {
				next = etherNone
			}
		case ether <= etherLLC && len(b) >= 3 && b[0] == 6 && b[1] == 6 && b[2] == 3: // LLC's own number of IP
			n, next = 3, etherIPv4
		default:
			return ether, b, had
		}
		ether, b, had = next, b[n:], had-n
	}
}

func versionOf(ip []byte) uint16 {
	switch {
	case len(ip) > 0 && ip[0]>>4 == 4:
		return etherIPv4
	case len(ip) > 0 && ip[0]>>4 == 6:
		return etherIPv6
	}
	return etherNone
}

// Decoder turns captured frames into IP packets, and counts those that are none.
type Decoder struct {
	left  LeftOut
	f     Frame
	links map[uint16]bool // that were met: whether they are read
}

// NewDecoder returns a decoder.
func NewDecoder() Decoder { return Decoder{left: make(LeftOut), links: make(map[uint16]bool)} }

// LeftOut counts what was left out so far.
func (d *Decoder) LeftOut() LeftOut { return d.left }

// Unread tells whether there were frames, and none of a link type that is read.
func (d *Decoder) Unread() bool {
	for _, known := range d.links {
		if known {
			return false
		}
	}
	return len(d.links) > 0
}

// Decode finds the IP packet of a frame; ok is false where there is none, which is counted. The result is valid until the next call.
func (d *Decoder) Decode(rec Record) (f *Frame, ok bool) {
	s, ether, b, had, known := network(rec.Link, rec.Data, max(rec.Length, len(rec.Data)))
	if !d.links[rec.Link] {
		d.links[rec.Link] = known
	}
	switch {
	case !known:
		d.left[LinkType]++
		return nil, false
	case ether != etherIPv4 && ether != etherIPv6:
		d.left[NotIP]++
		return nil, false
	}
	d.f = Frame{Number: rec.Number, At: rec.TsNs, SrcMAC: s.src, DstMAC: s.dst, HasSrc: s.hasSrc, HasDst: s.hasDst}
	if reason := d.f.parse(b, had); reason != "" {
		d.left[reason]++
		return nil, false
	}
	return &d.f, true
}
