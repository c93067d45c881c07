package nat

import (
	"net/netip"

	"glasshouse/emulator/packet"
)

// Verdict is what a NAPT did with a packet.
type Verdict uint8

// Verdicts.
const (
	Translated  Verdict = iota
	Unsolicited         // no mapping admits it
	Full                // no port is free
	Malformed           // cut short, or a header that lies
	Unsupported         // a protocol, a message, or a fragment, that it cannot translate
	Hairpin             // from the LAN to the WAN address: refused
	numVerdicts
)

// String names a verdict in the field's words.
func (v Verdict) String() string {
	switch v {
	case Translated:
		return "translated"
	case Unsolicited:
		return "unsolicited"
	case Full:
		return "table full"
	case Malformed:
		return "malformed"
	case Unsupported:
		return "unsupported"
	case Hairpin:
		return "hairpin"
	case numVerdicts:
	}
	return "unknown"
}

// Result is the verdict on a packet and the ends that it travels between, as the LAN sees them. LAN is set, too, for a
// packet that came too late for its mapping.
type Result struct {
	Verdict Verdict
	Proto   uint8
	LAN     netip.AddrPort
	Remote  netip.AddrPort
}

// NAPT translates IPv4 packets in place between the LAN and the WAN address, with all checksums. It never touches the
// TTL: the kernel forwards. Not safe for concurrent use.
type NAPT struct {
	table     *Table
	wan       uint32
	addr      netip.Addr
	fragments fragments
	counts    [numVerdicts]int64
}

// NewNAPT returns a NAPT on a table.
func NewNAPT(t *Table) *NAPT {
	return &NAPT{table: t, addr: t.c.WAN, wan: packet.Number4(t.c.WAN), fragments: fragments{m: make(map[fragmentKey]fragment)}}
}

// Table returns the mapping table.
func (n *NAPT) Table() *Table { return n.table }

// Count returns how often a verdict was given.
func (n *NAPT) Count(v Verdict) int64 { return n.counts[v] }

// Up translates a packet from the LAN, or from the gateway itself.
func (n *NAPT) Up(now int64, ip []byte) Result {
	r := n.up(now, ip)
	n.counts[r.Verdict]++
	return r
}

// Down translates a packet from the WAN.
func (n *NAPT) Down(now int64, ip []byte) Result {
	r := n.down(now, ip)
	n.counts[r.Verdict]++
	return r
}

// ipv4Payload checks a packet and returns what lies above its header, at most its total length.
func ipv4Payload(ip []byte) (h packet.IPv4, l4 []byte, ok bool) {
	if h, ok = packet.ParseIPv4(ip); !ok || !h.Complete() {
		return h, nil, false
	}
	return h, h.Payload(), true
}

func addrPort(a [4]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(a), port)
}

// ports returns the source and destination ports of a transport header whose lengths it has checked against what is
// there: in a first fragment the header must be whole, the payload need not be.
func ports(proto uint8, l4 []byte, fragment bool) (src, dst uint16, flags uint8, ok bool) {
	switch proto {
	case packet.ProtoTCP:
		if t, ok := packet.ParseTCP(l4); ok {
			return t.SourcePort(), t.DestinationPort(), t.Flags(), true
		}
	case packet.ProtoUDP:
		if u, ok := packet.ParseUDP(l4); ok && (u.Complete() || fragment && u.Length() >= packet.UDPSize) {
			return u.SourcePort(), u.DestinationPort(), 0, true
		}
	case packet.ProtoICMP:
		if m, ok := packet.ParseICMP(l4); ok {
			return m.Identifier(), m.Identifier(), 0, true
		}
	}
	return 0, 0, 0, false
}

func (n *NAPT) up(now int64, ip []byte) Result {
	h, l4, ok := ipv4Payload(ip)
	if !ok {
		return Result{Verdict: Malformed}
	}
	proto, src, dst := h.Protocol(), h.Source(), h.Destination()
	if netip.AddrFrom4(dst) == n.addr {
		return Result{Verdict: Hairpin, Proto: proto}
	}
	if h.FragmentOffset() > 0 {
		return n.later(now, h, fragmentKey{src, dst, proto, h.ID()}, true)
	}
	if proto == packet.ProtoICMP && isICMPError(l4) {
		return n.errorUp(now, h, l4)
	}
	sport, dport, flags, ok := ports(proto, l4, h.MoreFragments())
	switch {
	case !ok:
		return Result{Verdict: unreadable(proto), Proto: proto}
	case proto == packet.ProtoICMP && packet.ICMP(l4).Type() != packet.ICMPEcho:
		return Result{Verdict: Unsupported, Proto: proto}
	}
	r := Result{Proto: proto, LAN: addrPort(src, sport), Remote: addrPort(dst, dport)}
	if proto == packet.ProtoICMP {
		r.Remote = addrPort(dst, 0)
	}
	wan, ok := n.table.Out(now, proto, r.LAN, r.Remote, flags)
	if !ok {
		r.Verdict = Full
		return r
	}
	if h.MoreFragments() {
		n.fragments.put(now, fragmentKey{src, dst, proto, h.ID()}, fragment{lan: r.LAN, remote: r.Remote})
	}
	rewrite(h, l4, n.wan, wan.Port(), true)
	return r
}

func (n *NAPT) down(now int64, ip []byte) Result {
	h, l4, ok := ipv4Payload(ip)
	if !ok {
		return Result{Verdict: Malformed}
	}
	proto, src, dst := h.Protocol(), h.Source(), h.Destination()
	if netip.AddrFrom4(dst) != n.addr {
		return Result{Verdict: Unsolicited, Proto: proto}
	}
	if h.FragmentOffset() > 0 {
		return n.later(now, h, fragmentKey{src, dst, proto, h.ID()}, false)
	}
	if proto == packet.ProtoICMP && isICMPError(l4) {
		return n.errorDown(now, h, l4)
	}
	sport, dport, flags, ok := ports(proto, l4, h.MoreFragments())
	switch {
	case !ok:
		return Result{Verdict: unreadable(proto), Proto: proto}
	case proto == packet.ProtoICMP && packet.ICMP(l4).Type() != packet.ICMPEchoReply: // an echo request to the gateway, or a type that nobody waits for
		return Result{Verdict: Unsolicited, Proto: proto}
	}
	r := Result{Proto: proto, Remote: addrPort(src, sport)}
	if proto == packet.ProtoICMP {
		r.Remote = addrPort(src, 0)
	}
	lan, ok := n.table.In(now, proto, dport, r.Remote, flags)
	if !ok {
		r.Verdict = Unsolicited
		r.LAN, _ = n.table.Peer(proto, dport)
		return r
	}
	r.LAN = lan
	if h.MoreFragments() {
		n.fragments.put(now, fragmentKey{src, dst, proto, h.ID()}, fragment{lan: r.LAN, remote: r.Remote})
	}
	rewrite(h, l4, packet.Number4(lan.Addr()), lan.Port(), false)
	return r
}

// unreadable is the verdict on a packet without readable ports.
func unreadable(proto uint8) Verdict {
	switch proto {
	case packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP:
		return Malformed
	}
	return Unsupported
}

func isICMPError(l4 []byte) bool {
	m, ok := packet.ParseICMP(l4)
	return ok && m.Error()
}
