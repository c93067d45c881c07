package gateway

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// An ICMP error quotes the packet that it is about, which went the other way: the quotation is translated, too, with the
// checksums in it (RFC 5508 REQ-4, REQ-5). An error neither makes, nor refreshes, nor ends a mapping (RFC 4787 REQ-12,
// RFC 5382 REQ-9).
//
//	| IP | type, code, checksum, 4 bytes | quoted IP | quoted transport header, 8 bytes or more |

// errorDown translates an error from the WAN about a packet that left. LAN is set even where it is dropped.
func (n *NAPT) errorDown(now int64, h header.IPv4, l4 []byte) Result {
	q, v := quoted(h, l4)
	if v != Translated {
		return Result{Verdict: v, Proto: protoICMP}
	}
	r := Result{Verdict: Unsolicited, Proto: q.proto, Remote: q.dst}
	if q.src.Addr() != n.addr {
		return r
	}
	r.LAN, _ = n.table.Peer(q.proto, q.src.Port())
	m := n.table.live(now, q.proto, q.src.Port())
	if m == nil || !m.spoke(now, q.dst) {
		return r
	}
	a := address(m.lan.Addr())
	q.set(a, m.lan.Port(), true)
	rewriteAddress(h, a, false)
	sumICMP(l4)
	r.Verdict = Translated
	return r
}

// errorUp translates an error from the LAN about a packet that came in.
func (n *NAPT) errorUp(now int64, h header.IPv4, l4 []byte) Result {
	q, v := quoted(h, l4)
	if v != Translated {
		return Result{Verdict: v, Proto: protoICMP}
	}
	r := Result{Verdict: Unsolicited, Proto: q.proto, LAN: q.dst, Remote: q.src}
	m := n.table.byLAN[lanKey{q.proto, q.dst}]
	if m == nil || m.expires <= now || !m.spoke(now, q.src) {
		return r
	}
	q.set(n.wan, m.port, false)
	rewriteAddress(h, n.wan, true)
	sumICMP(l4)
	r.Verdict = Translated
	return r
}

// quotation is the packet inside an ICMP error. For echo messages, the identifier is the port of the end that asked.
type quotation struct {
	ip       header.IPv4
	l4       []byte // at least 8 bytes
	proto    uint8
	src, dst netip.AddrPort
}

// quoted reads the quotation; what fails its checksum or that of the quoted IP header is malformed (RFC 5508 REQ-3).
func quoted(h header.IPv4, icmp []byte) (quotation, Verdict) {
	if h.More() { // cannot be summed; nobody fragments errors
		return quotation{}, Unsupported
	}
	if len(icmp) < header.ICMPv4MinimumSize+header.IPv4MinimumSize+8 || checksum.Checksum(icmp, 0) != 0xffff {
		return quotation{}, Malformed
	}
	ip := header.IPv4(icmp[header.ICMPv4MinimumSize:])
	ihl := int(ip.HeaderLength())
	if ip[0]>>4 != 4 || ihl < header.IPv4MinimumSize || len(ip) < ihl+8 || checksum.Checksum(ip[:ihl], 0) != 0xffff {
		return quotation{}, Malformed
	}
	q := quotation{ip: ip, l4: ip[ihl:], proto: ip.Protocol()}
	a, b := binary.BigEndian.Uint16(q.l4), binary.BigEndian.Uint16(q.l4[2:])
	switch {
	case ip.FragmentOffset() > 0: // no ports
		return quotation{}, Unsupported
	case q.proto == protoTCP || q.proto == protoUDP:
	case q.proto == protoICMP && q.l4[0] == icmpEcho:
		a, b = binary.BigEndian.Uint16(q.l4[4:]), 0
	case q.proto == protoICMP && q.l4[0] == icmpEchoReply:
		a, b = 0, binary.BigEndian.Uint16(q.l4[4:])
	default:
		return quotation{}, Unsupported
	}
	q.src, q.dst = addrPort([4]byte(ip[12:16]), a), addrPort([4]byte(ip[16:20]), b)
	return q, Translated
}

// set rewrites one end of the quotation, and the transport checksum where the quotation reaches as far.
func (q *quotation) set(addr uint32, port uint16, source bool) {
	change := rewriteAddress(q.ip, addr, source)
	switch q.proto {
	case protoICMP:
		header.ICMPv4(q.l4).SetIdentWithChecksumUpdate(port)
	case protoUDP:
		rewriteUDP(q.l4, change, port, source)
	case protoTCP:
		if len(q.l4) >= header.TCPMinimumSize {
			rewriteTCP(q.l4, change, port, source)
		} else {
			rewritePort(q.l4, port, source)
		}
	}
}

// sumICMP computes an ICMP message's checksum anew; quoted has checked the old one.
func sumICMP(l4 []byte) {
	h := header.ICMPv4(l4)
	h.SetChecksum(0)
	h.SetChecksum(^checksum.Checksum(h, 0))
}
