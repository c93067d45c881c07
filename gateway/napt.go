package gateway

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"
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
	return &NAPT{table: t, addr: t.c.WAN, wan: address(t.c.WAN), fragments: fragments{m: make(map[fragmentKey]fragment)}}
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
func ipv4Payload(ip []byte) (h header.IPv4, l4 []byte, ok bool) {
	h = header.IPv4(ip)
	if len(ip) < header.IPv4MinimumSize || ip[0]>>4 != 4 {
		return h, nil, false
	}
	ihl, total := int(h.HeaderLength()), int(h.TotalLength())
	if ihl < header.IPv4MinimumSize || total < ihl || total > len(ip) {
		return h, nil, false
	}
	return h, ip[ihl:total], true
}

func addrPort(a [4]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(a), port)
}

// ports returns the source and destination ports of a transport header whose lengths it has checked against what is
// there: in a first fragment the header must be whole, the payload need not be.
func ports(proto uint8, l4 []byte, fragment bool) (src, dst uint16, flags uint8, ok bool) {
	switch proto {
	case protoTCP:
		if len(l4) < header.TCPMinimumSize {
			return 0, 0, 0, false
		}
		if n := int(l4[12]>>4) * 4; n < header.TCPMinimumSize || n > len(l4) {
			return 0, 0, 0, false
		}
		return binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:]), l4[13], true
	case protoUDP:
		if len(l4) < header.UDPMinimumSize {
			return 0, 0, 0, false
		}
		if n := int(binary.BigEndian.Uint16(l4[4:])); n < header.UDPMinimumSize || n > len(l4) && !fragment {
			return 0, 0, 0, false
		}
		return binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:]), 0, true
	case protoICMP:
		if len(l4) < header.ICMPv4MinimumSize {
			return 0, 0, 0, false
		}
		id := binary.BigEndian.Uint16(l4[4:])
		return id, id, 0, true
	}
	return 0, 0, 0, false
}

// ICMP types.
const (
	icmpEchoReply = 0
	icmpEcho      = 8
)

func (n *NAPT) up(now int64, ip []byte) Result {
	h, l4, ok := ipv4Payload(ip)
	if !ok {
		return Result{Verdict: Malformed}
	}
	proto, src, dst := h.Protocol(), [4]byte(ip[12:16]), [4]byte(ip[16:20])
	if netip.AddrFrom4(dst) == n.addr {
		return Result{Verdict: Hairpin, Proto: proto}
	}
	if h.FragmentOffset() > 0 {
		return n.later(now, h, fragmentKey{src, dst, proto, h.ID()}, true)
	}
	if proto == protoICMP && len(l4) >= header.ICMPv4MinimumSize && isICMPError(l4[0]) {
		return n.errorUp(now, h, l4)
	}
	sport, dport, flags, ok := ports(proto, l4, h.More())
	switch {
	case !ok:
		return Result{Verdict: unreadable(proto), Proto: proto}
	case proto == protoICMP && l4[0] != icmpEcho:
		return Result{Verdict: Unsupported, Proto: proto}
	}
	r := Result{Proto: proto, LAN: addrPort(src, sport), Remote: addrPort(dst, dport)}
	if proto == protoICMP {
		r.Remote = addrPort(dst, 0)
	}
	wan, ok := n.table.Out(now, proto, r.LAN, r.Remote, flags)
	if !ok {
		r.Verdict = Full
		return r
	}
	if h.More() {
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
	proto, src, dst := h.Protocol(), [4]byte(ip[12:16]), [4]byte(ip[16:20])
	if netip.AddrFrom4(dst) != n.addr {
		return Result{Verdict: Unsolicited, Proto: proto}
	}
	if h.FragmentOffset() > 0 {
		return n.later(now, h, fragmentKey{src, dst, proto, h.ID()}, false)
	}
	if proto == protoICMP && len(l4) >= header.ICMPv4MinimumSize && isICMPError(l4[0]) {
		return n.errorDown(now, h, l4)
	}
	sport, dport, flags, ok := ports(proto, l4, h.More())
	switch {
	case !ok:
		return Result{Verdict: unreadable(proto), Proto: proto}
	case proto == protoICMP && l4[0] != icmpEchoReply: // an echo request to the gateway, or a type that nobody waits for
		return Result{Verdict: Unsolicited, Proto: proto}
	}
	r := Result{Proto: proto, Remote: addrPort(src, sport)}
	if proto == protoICMP {
		r.Remote = addrPort(src, 0)
	}
	lan, ok := n.table.In(now, proto, dport, r.Remote, flags)
	if !ok {
		r.Verdict = Unsolicited
		r.LAN, _ = n.table.Peer(proto, dport)
		return r
	}
	r.LAN = lan
	if h.More() {
		n.fragments.put(now, fragmentKey{src, dst, proto, h.ID()}, fragment{lan: r.LAN, remote: r.Remote})
	}
	rewrite(h, l4, address(lan.Addr()), lan.Port(), false)
	return r
}

// unreadable is the verdict on a packet without readable ports.
func unreadable(proto uint8) Verdict {
	switch proto {
	case protoTCP, protoUDP, protoICMP:
		return Malformed
	}
	return Unsupported
}

func isICMPError(t uint8) bool { return t == 3 || t == 11 || t == 12 }
