package nat

import (
	"encoding/binary"
	"net/netip"

	"glasshouse/emulator/packet"
)

// An ICMP error quotes the packet that it is about, which went the other way: the quotation is translated, too, with the
// checksums in it (RFC 5508 REQ-4, REQ-5). An error neither makes, nor refreshes, nor ends a mapping (RFC 4787 REQ-12,
// RFC 5382 REQ-9).
//
//	| IP | type, code, checksum, 4 bytes | quoted IP | quoted transport header, 8 bytes or more |

// errorDown translates an error from the WAN about a packet that left. LAN is set even where it is dropped.
func (n *NAPT) errorDown(now int64, h packet.IPv4, l4 []byte) Result {
	q, v := quoted(h, l4)
	if v != Translated {
		return Result{Verdict: v, Proto: packet.ProtoICMP}
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
	a := packet.Number4(m.lan.Addr())
	q.set(a, m.lan.Port(), true)
	rewriteAddress(h, a, false)
	packet.ICMP(l4).SumAll() // quoted has checked the old one
	r.Verdict = Translated
	return r
}

// errorUp translates an error from the LAN about a packet that came in.
func (n *NAPT) errorUp(now int64, h packet.IPv4, l4 []byte) Result {
	q, v := quoted(h, l4)
	if v != Translated {
		return Result{Verdict: v, Proto: packet.ProtoICMP}
	}
	r := Result{Verdict: Unsolicited, Proto: q.proto, LAN: q.dst, Remote: q.src}
	m := n.table.byLAN[lanKey{q.proto, q.dst}]
	if m == nil || m.expires <= now || !m.spoke(now, q.src) {
		return r
	}
	q.set(n.wan, m.port, false)
	rewriteAddress(h, n.wan, true)
	packet.ICMP(l4).SumAll() // quoted has checked the old one
	r.Verdict = Translated
	return r
}

// quotation is the packet inside an ICMP error. For echo messages, the identifier is the port of the end that asked.
type quotation struct {
	ip       packet.IPv4
	l4       []byte // at least 8 bytes
	proto    uint8
	src, dst netip.AddrPort
}

// quoted reads the quotation; what fails its checksum or that of the quoted IP header is malformed (RFC 5508 REQ-3).
func quoted(h packet.IPv4, icmp []byte) (quotation, Verdict) {
	if h.MoreFragments() { // cannot be summed; nobody fragments errors
		return quotation{}, Unsupported
	}
	m, ok := packet.ParseICMP(icmp)
	if !ok || !m.ChecksumValid() {
		return quotation{}, Malformed
	}
	ip, ok := packet.ParseIPv4(m.Payload())
	if !ok || len(ip) < ip.HeaderLength()+8 || !ip.ChecksumValid() {
		return quotation{}, Malformed
	}
	q := quotation{ip: ip, l4: ip[ip.HeaderLength():], proto: ip.Protocol()}
	a, b := packet.UDP(q.l4).SourcePort(), packet.UDP(q.l4).DestinationPort() // TCP's lie in the same places
	switch {
	case ip.FragmentOffset() > 0: // no ports
		return quotation{}, Unsupported
	case q.proto == packet.ProtoTCP || q.proto == packet.ProtoUDP:
	case q.proto == packet.ProtoICMP && packet.ICMP(q.l4).Type() == packet.ICMPEcho:
		a, b = packet.ICMP(q.l4).Identifier(), 0
	case q.proto == packet.ProtoICMP && packet.ICMP(q.l4).Type() == packet.ICMPEchoReply:
		a, b = 0, packet.ICMP(q.l4).Identifier()
	default:
		return quotation{}, Unsupported
	}
	q.src, q.dst = addrPort(ip.Source(), a), addrPort(ip.Destination(), b)
	return q, Translated
}

// set rewrites one end of the quotation, and the transport checksum where the quotation reaches as far.
func (q *quotation) set(addr uint32, port uint16, source bool) {
	change := rewriteAddress(q.ip, addr, source)
	if q.proto != packet.ProtoTCP || len(q.l4) >= packet.TCPSize {
		rewritePort(q.proto, q.l4, change, port, source)
		return
	}
	at := 2
	if source {
		at = 0
	}
	binary.BigEndian.PutUint16(q.l4[at:], port)
}
