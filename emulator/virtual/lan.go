package virtual

import (
	"encoding/binary"
	"net/netip"

	"glasshouse/devices/profile"
	"glasshouse/emulator/discovery"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/wire"
)

// What a device says on the LAN and to nobody beyond it: discovery that its profile asks for, and what its kernel does by
// itself, as Linux 6: IGMP and MLD reports, a look whether its IPv6 address is free, and for routers.

const (
	alertSize    = 4    // the router alert option (RFC 2113)
	internetwork = 0xc0 // type of service of kernels' own messages
)

// Linux's settings: net.ipv6.conf.*.router_solicitation_delay, _interval and _max_interval, ns; the most that passes before a
// report is repeated (RFC 3376, section 8.11; RFC 3810, section 9.11); how long an address is probed (RFC 4862).
const (
	routerDelay    = int64(1e9)
	routerInterval = int64(4e9)
	routerLongest  = int64(3600e9)
	reportAgain    = int64(1e9)
	addressProbe   = int64(1e9)
)

// discoverLAN sends what a device asks or announces to everybody.
func (h *Host) discoverLAN(s *profile.Service, op profile.Op, t packet.Tag, done func(error)) {
	h.sayLAN(discovery.New(op, s, h.spec, h.addrOf(s.Transport)), t.Lineage(h.unit))
	done(nil)
}

// sayLAN sends a message of discovery: to a group, or as an answer to one that asked.
func (h *Host) sayLAN(d discovery.Message, l packet.Lineage) {
	from := d.Own
	if from == 0 {
		from = h.port()
	}
	if d.To.Addr().Is6() {
		addr := h.linkLocal()
		u := packet.UDP(append(make([]byte, packet.UDPSize, packet.UDPSize+len(d.Payload)), d.Payload...))
		u.Encode(from, d.To.Port())
		u.SetChecksum(packet.Sum(packet.PseudoHeader6(addr.As16(), d.To.Addr().As16(), packet.ProtoUDP, len(u)), u))
		h.send6(ipv6{src: addr, dst: d.To.Addr(), proto: packet.ProtoUDP, hops: byte(d.Hops), payload: u}, l)
		return
	}
	total := packet.IPv4Size + packet.UDPSize + len(d.Payload)
	b := h.n.ip.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+total]
	copy(b[packet.IPv4Size+packet.UDPSize:], d.Payload)
	dst := u32(d.To.Addr())
	putUDP(b[packet.IPv4Size:], udp{h.addr, dst, from, d.To.Port()})
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: total, Protocol: packet.ProtoUDP, TTL: byte(d.Hops), ID: uint16(h.stack.draws.Uint64()), Source: h.addr, Destination: dst,
		DontFragment: true,
	})
	if d.To.Addr().IsMulticast() {
		h.frame(b, wire.GroupMAC(d.To.Addr()), packet.EtherTypeIPv4, l)
		return
	}
	h.near.Send(dst, b, l)
}

// askRouter asks by ARP whether the router is still there: the machine itself where it is known.
func (h *Host) askRouter(done func(error)) {
	h.near.Query(u32(h.n.c.Router))
	done(nil)
}

// scan asks by ARP for one address of the LAN after the other.
func (h *Host) scan(done func(error)) {
	targets := discovery.Neighbours(h.n.c.LAN, h.spec.Addr)
	var next func()
	next = func() {
		h.near.QueryAll(u32(targets[0]))
		if targets = targets[1:]; len(targets) == 0 {
			done(nil)
			return
		}
		h.n.clock.At(h.n.clock.Now()+discovery.ScanPace, next)
	}
	next()
}

// addrOf returns the device's address on the family that a kind of discovery uses.
func (h *Host) addrOf(t profile.Transport) netip.Addr {
	if t == profile.TransportMDNS6 {
		return h.linkLocal()
	}
	return h.spec.Addr
}

func (h *Host) linkLocal() netip.Addr { return wire.LinkLocal(h.mac) }

// ipv6 is an IPv6 packet to a group.
type ipv6 struct {
	src, dst    netip.Addr
	proto, hops byte
	alert       bool // it has the router alert option
	payload     []byte
}

// send6 sends an IPv6 packet to its group.
func (h *Host) send6(p ipv6, l packet.Lineage) {
	b := h.n.ip.Pool.Get()[packet.EthernetHeader:packet.EthernetHeader]
	b = wire.AppendIPv6(b, &wire.IPv6{Src: p.src, Dst: p.dst, Proto: p.proto, Hops: p.hops, Length: len(p.payload), Alert: p.alert})
	h.frame(append(b, p.payload...), wire.GroupMAC(p.dst), packet.EtherTypeIPv6, l)
}

// sendIGMP sends an IGMP message with the router alert option.
func sendIGMP(n *Net, src, dst uint32, message []byte, out func(ip []byte)) {
	const head = packet.IPv4Size + alertSize
	total := head + len(message)
	b := n.ip.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+total]
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: total, Protocol: packet.ProtoIGMP, TTL: 1, Source: src, Destination: dst, DontFragment: true,
	})
	b[0], b[1] = 0x40|head/4, internetwork
	copy(b[packet.IPv4Size:], "\x94\x04\x00\x00")
	copy(b[head:], message)
	packet.IPv4(b).SumHeader()
	out(b)
}

var (
	allHosts   = netip.AddrFrom4([4]byte{224, 0, 0, 1})
	allIGMP    = netip.AddrFrom4([4]byte{224, 0, 0, 22})
	allRouters = netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 2})
	allMLD     = netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0x16})
)

// join makes the kernel tell which IPv4 groups its programs listen to: at once, and again within a second.
func (h *Host) join() {
	groups := discovery.Groups(h.spec.Profile, false)
	if len(groups) == 0 {
		return
	}
	h.report(true, groups)
	h.n.clock.At(h.n.clock.Now()+h.stack.draws.N(reportAgain), func() { h.report(true, groups) })
}

func (h *Host) report(joins bool, groups []netip.Addr) {
	sendIGMP(h.n, h.addr, u32(allIGMP), wire.AppendIGMPReport(nil, joins, groups), func(ip []byte) {
		h.frame(ip, wire.GroupMAC(allIGMP), packet.EtherTypeIPv4, h.own())
	})
}

// receiveIGMP answers a router's question at a moment of its own.
func (h *Host) receiveIGMP(m []byte) {
	groups := discovery.Groups(h.spec.Profile, false)
	if len(m) < 8 || m[0] != 0x11 || len(groups) == 0 || !h.online || h.answering {
		return
	}
	h.answering = true
	h.n.clock.At(h.n.clock.Now()+h.stack.draws.N(int64(m[1])*1e8), func() {
		h.answering = false
		h.report(false, groups)
	})
}

// start6 is what the kernel does when IPv6 is switched on.
func (h *Host) start6() {
	own := h.linkLocal()
	node := wire.SolicitedNode(own)
	groups := append(discovery.Groups(h.spec.Profile, true), node)
	draws, now := h.stack.draws, h.n.clock.Now()
	mld := func(src netip.Addr, groups []netip.Addr) {
		m := wire.AppendMLDReport(nil, src, allMLD, true, groups)
		h.send6(ipv6{src: src, dst: allMLD, proto: wire.ProtoICMP6, hops: 1, alert: true, payload: m}, h.own())
	}
	none := netip.IPv6Unspecified()
	h.n.clock.At(now+draws.N(reportAgain), func() { mld(none, groups[len(groups)-1:]) })
	probed := now + draws.N(routerDelay)
	h.n.clock.At(probed, func() {
		nonce := binary.BigEndian.AppendUint64(nil, draws.Uint64())
		m := wire.AppendAddressProbe(nil, none, node, own, [6]byte(nonce))
		h.send6(ipv6{src: none, dst: node, proto: wire.ProtoICMP6, hops: 255, payload: m}, h.own())
	})
	ready := probed + addressProbe
	h.n.clock.At(ready, func() {
		mld(own, groups)
		h.solicit(own, 0)
	})
	h.n.clock.At(ready+draws.N(reportAgain), func() { mld(own, groups) })
}

// solicit looks for routers, more and more seldom: there is none.
func (h *Host) solicit(own netip.Addr, last int64) {
	m := wire.AppendRouterSolicitation(nil, own, allRouters, h.mac)
	h.send6(ipv6{src: own, dst: allRouters, proto: wire.ProtoICMP6, hops: 255, payload: m}, h.own())
	next := 2 * last
	if last == 0 {
		next = routerInterval
	}
	next = min(next, routerLongest)
	next += next/10 - h.stack.draws.N(next/5+1) // a tenth either way (RFC 8415, section 15)
	h.n.clock.At(h.n.clock.Now()+next, func() { h.solicit(own, next) })
}

// QueryGroups makes the router ask who listens to what, from a moment on.
func (n *Net) QueryGroups(every int64) {
	if every <= 0 {
		return
	}
	var turn func()
	turn = func() {
		r := n.router
		sendIGMP(n, u32(n.c.Router), u32(allHosts), wire.AppendIGMPQuery(nil), func(ip []byte) {
			l := packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone, Role: packet.RoleData}
			r.frame(ip, wire.GroupMAC(allHosts), packet.EtherTypeIPv4, l)
		})
		n.clock.At(n.clock.Now()+every, turn)
	}
	n.clock.At(every, turn)
}
