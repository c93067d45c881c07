package gateway

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// remember keeps where a fragmented packet's later fragments go. A first fragment that comes after them is too late for
// them: they are dropped, as RFC 4787 REQ-14 allows when they come out of order.
func (n *NAPT) remember(now int64, k fragmentKey, f fragment) {
	for old, g := range n.fragments {
		if g.expires <= now {
			delete(n.fragments, old)
		}
	}
	f.expires = now + fragmentLife
	n.fragments[k] = f
}

func (n *NAPT) later(now int64, h header.IPv4, k fragmentKey, up bool) Result {
	f, ok := n.fragments[k]
	if !ok || f.expires <= now {
		return Result{Verdict: Unsupported, Proto: k.proto}
	}
	if up {
		h.SetSourceAddressWithChecksumUpdate(n.wan)
	} else {
		h.SetDestinationAddressWithChecksumUpdate(tcpip.AddrFrom4(f.lan.Addr().As4()))
	}
	return Result{Proto: k.proto, LAN: f.lan, Remote: f.remote}
}

// An ICMP error quotes the packet that it is about, which went the other way: the quotation is translated, too (RFC 5508
// REQ-4, REQ-5). Only the ports of a quoted transport header are touched, and its checksum where it is there.

// errorDown translates an error from the WAN about a packet that left.
func (n *NAPT) errorDown(now int64, h header.IPv4, l4 []byte) Result {
	inner, ok := quoted(l4)
	if !ok {
		return Result{Verdict: Malformed, Proto: protoICMP}
	}
	r := Result{Verdict: Unsolicited, Proto: inner.proto, Remote: inner.dst}
	if inner.src.Addr() != n.addr {
		return r
	}
	lan, ok := n.table.Peer(inner.proto, inner.src.Port())
	r.LAN = lan
	if !ok || n.table.live(now, inner.proto, inner.src.Port()) == nil { // RFC 5508 REQ-4: an error never makes nor refreshes a mapping
		return r
	}
	a := tcpip.AddrFrom4(lan.Addr().As4())
	inner.set(a, lan.Port(), true)
	h.SetDestinationAddressWithChecksumUpdate(a)
	fixICMP(l4)
	r.Verdict = Translated
	return r
}

// errorUp translates an error from the LAN about a packet that came in.
func (n *NAPT) errorUp(h header.IPv4, l4 []byte) Result {
	inner, ok := quoted(l4)
	if !ok {
		return Result{Verdict: Malformed, Proto: protoICMP}
	}
	r := Result{Verdict: Unsolicited, Proto: inner.proto, LAN: inner.dst, Remote: inner.src}
	m := n.table.byLAN[lanKey{inner.proto, inner.dst}]
	if m == nil {
		return r
	}
	inner.set(n.wan, m.port, false)
	h.SetSourceAddressWithChecksumUpdate(n.wan)
	fixICMP(l4)
	r.Verdict = Translated
	return r
}

// quotation is the packet inside an ICMP error: an IP header and at least eight bytes above it.
type quotation struct {
	ip       header.IPv4
	l4       []byte
	proto    uint8
	src, dst netip.AddrPort
}

func quoted(icmp []byte) (quotation, bool) {
	if len(icmp) < header.ICMPv4MinimumSize+header.IPv4MinimumSize+8 {
		return quotation{}, false
	}
	ip := header.IPv4(icmp[header.ICMPv4MinimumSize:])
	ihl := int(ip.HeaderLength())
	if ip[0]>>4 != 4 || ihl < header.IPv4MinimumSize || len(ip) < ihl+8 || ip.FragmentOffset() > 0 {
		return quotation{}, false
	}
	q := quotation{ip: ip, l4: ip[ihl:], proto: ip.Protocol()}
	a, b := binary.BigEndian.Uint16(q.l4), binary.BigEndian.Uint16(q.l4[2:])
	if q.proto == protoICMP {
		id := binary.BigEndian.Uint16(q.l4[4:])
		a, b = id, 0
		if q.l4[0] == 0 { // an answer: the identifier is its receiver's
			a, b = 0, id
		}
	}
	if q.proto != protoTCP && q.proto != protoUDP && q.proto != protoICMP {
		return quotation{}, false
	}
	q.src, q.dst = addrPort([4]byte(ip[12:16]), a), addrPort([4]byte(ip[16:20]), b)
	return q, true
}

// set rewrites one end of the quotation.
func (q *quotation) set(addr tcpip.Address, port uint16, source bool) {
	if source {
		q.ip.SetSourceAddressWithChecksumUpdate(addr)
	} else {
		q.ip.SetDestinationAddressWithChecksumUpdate(addr)
	}
	at := 2
	switch {
	case q.proto == protoICMP:
		at = 4
	case source:
		at = 0
	}
	binary.BigEndian.PutUint16(q.l4[at:], port)
}

// fixICMP computes an ICMP message's checksum anew.
func fixICMP(l4 []byte) {
	h := header.ICMPv4(l4)
	h.SetChecksum(0)
	h.SetChecksum(^checksum.Checksum(h, 0))
}
