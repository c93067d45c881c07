package watch

import (
	"encoding/binary"

	"glasshouse/testbed/dataset"
)

// Link types (tcpdump.org/linktypes.html).
const (
	linkNull     = 0 // BSD loopback: the address family in four bytes, in the order of the machine that captured
	linkEthernet = 1
	linkRawBSD   = 12  // raw IP, as some systems write it
	linkRaw      = 101 // raw IP
	linkSLL      = 113 // Linux cooked: the EtherType is the last two of 16 bytes
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276 // Linux cooked, version 2: the EtherType is the first two of 20 bytes
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	etherVLAN = 0x8100
	etherQinQ = 0x88a8
	etherPPP  = 0x8864 // PPPoE session, as many lines have it (RFC 2516): 6 bytes, then PPP's protocol in two
	pppIPv4   = 0x0021
	pppIPv6   = 0x0057
	leastIPv4 = 20
)

// ethernetOf gives a frame as Ethernet carries it, since observations count that header, and the length that it had: without
// VLAN tags and PPPoE's header, and without the padding of short frames. What is not IP is nothing to an observer: ok is false. buf is used where
// the header is put in front.
func ethernetOf(f dataset.Frame, buf *[]byte) (frame []byte, length int, ok bool) {
	b, had := f.Data, max(f.Length, len(f.Data))
	var ether uint16
	switch f.Link {
	case linkEthernet:
		head := dataset.EthernetHeader
		if len(b) < head {
			return nil, 0, false
		}
		ether = binary.BigEndian.Uint16(b[12:])
		for (ether == etherVLAN || ether == etherQinQ) && len(b) >= head+4 {
			ether = binary.BigEndian.Uint16(b[head+2:])
			head += 4
		}
		if ether == etherPPP && len(b) >= head+8 {
			switch binary.BigEndian.Uint16(b[head+6:]) {
			case pppIPv4:
				ether = etherIPv4
			case pppIPv6:
				ether = etherIPv6
			}
			head += 8
		}
		if head == dataset.EthernetHeader { // as nearly all are: not copied
			length = unpadded(b[head:], had-head, ether)
			return b, dataset.EthernetHeader + length, isIP(ether, b[head:])
		}
		b, had = b[head:], had-head
	case linkRaw, linkRawBSD, linkIPv4, linkIPv6:
		ether = versionOf(b)
	case linkNull:
		b, had = cut(b, 4), had-4
		ether = versionOf(b)
	case linkSLL:
		if len(b) >= 16 {
			ether = binary.BigEndian.Uint16(b[14:])
		}
		b, had = cut(b, 16), had-16
	case linkSLL2:
		if len(b) >= 20 {
			ether = binary.BigEndian.Uint16(b)
		}
		b, had = cut(b, 20), had-20
	}
	if !isIP(ether, b) {
		return nil, 0, false
	}
	*buf = append((*buf)[:0], make([]byte, 12)...)
	*buf = binary.BigEndian.AppendUint16(*buf, ether)
	*buf = append(*buf, b...)
	return *buf, dataset.EthernetHeader + unpadded(b, had, ether), true
}

// known tells whether frames of a link type can be read.
func known(link uint16) bool {
	switch link {
	case linkNull, linkEthernet, linkRawBSD, linkRaw, linkSLL, linkIPv4, linkIPv6, linkSLL2:
		return true
	}
	return false
}

func cut(b []byte, n int) []byte { return b[min(n, len(b)):] }

func versionOf(ip []byte) uint16 {
	switch {
	case len(ip) > 0 && ip[0]>>4 == 4:
		return etherIPv4
	case len(ip) > 0 && ip[0]>>4 == 6:
		return etherIPv6
	}
	return 0
}

func isIP(ether uint16, ip []byte) bool {
	return ether == etherIPv4 && len(ip) >= leastIPv4 || ether == etherIPv6 && len(ip) >= 40
}

// unpadded is the length of an IP packet in a frame that may be padded to Ethernet's 60 bytes, or end with a checksum.
func unpadded(ip []byte, had int, ether uint16) int {
	const short = 60 - dataset.EthernetHeader + 4
	if had > short || len(ip) < leastIPv4 {
		return had
	}
	total := had
	switch ether {
	case etherIPv4:
		total = int(binary.BigEndian.Uint16(ip[2:]))
	case etherIPv6:
		if len(ip) >= 6 {
			total = 40 + int(binary.BigEndian.Uint16(ip[4:]))
		}
	}
	if total >= leastIPv4 && total < had {
		return total
	}
	return had
}
