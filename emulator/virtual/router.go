package virtual

import (
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/emulator/virtual/neighbour"
	"glasshouse/emulator/wire"
)

// router is the gateway's kernel: it forwards between the LAN and the WAN, answers ARP and DHCP, and asks names and the time
// for itself.
type router struct {
	reader  *latency.Worker // the access point's, of the gateway's interface
	n       *Net
	mac     [6]byte
	near    *neighbour.Table
	leaving *latency.Worker // that of its way out
	outside stack
	inside  stack
	socks   map[socketKey]func([]byte)
	port    uint16
	ids     uint16
	sending packet.Packet // is handed to the LAN just now
}

func newRouter(n *Net) *router {
	r := &router{n: n, reader: n.latency.NewWorker(), leaving: n.latency.NewWorker(), mac: n.c.RouterMAC}
	r.socks = make(map[socketKey]func([]byte))
	d := newDraws(n.c.Seed, 0x726f7574)
	r.port = uint16(policy.FirstEphemeral + d.N(policy.LastEphemeral-policy.FirstEphemeral))
	r.outside = stack{n: n, addr: u32(n.c.Outside), ttl: 64, draws: d, send: r.toWAN}
	r.inside = stack{n: n, addr: u32(n.c.Router), ttl: 64, draws: d, send: r.toLAN}
	r.near = neighbour.New(neighbour.Config{
		Clock: n.clock, Pool: n.c.Pool, Rand: newDraws(n.c.Seed^uint64(r.inside.addr), arpStream), Addr: r.inside.addr, MAC: n.c.RouterMAC,
		Reachable: n.c.RouterARP, Send: r.frame,
	})
	return r
}

// frame sends to the LAN. Row is the WAN packet that is carried, or 0.
func (r *router) frame(b []byte, to [6]byte, kind uint16, l packet.Lineage) {
	at := r.reader.Turn(r.n.latency.Now(), latency.TaskAir)
	p := &r.sending
	p.Data, p.At, p.Lineage = packet.Framed(b), at, l
	packet.Ethernet(p.Data).Encode(to, r.mac, kind)
	r.n.c.FromRouter(p)
}

// FromLAN takes a frame that the access point has for the gateway, and owns it.
func (n *Net) FromLAN(p *packet.Packet) {
	r := n.router
	n.latency.Arriving(p.At) // what is answered is answered after it has come
	defer n.latency.Arrived()
	f := p.Data
	b := packet.Ethernet(f).Payload()
	kind := packet.Ethernet(f).EtherType()
	if kind != packet.EtherTypeIPv4 || len(b) < packet.IPv4Size {
		if kind == packet.EtherTypeARP {
			r.near.Receive(b)
		}
		n.ip.Pool.Put(f)
		return
	}
	h := packet.IPv4(b)
	switch u, ok := packet.ParseUDP(b[packet.IPv4Size:]); {
	case ok && h.Protocol() == packet.ProtoUDP && u.DestinationPort() == dhcpServer:
		r.serveLease(b)
	case !packet.Ethernet(f).Multicast() && !n.onLAN(h.Destination32()) && h.TTL() > 1:
		p.Data, p.At = b, r.leaving.Turn(p.At, latency.TaskAir)
		forward(b)
		n.c.ToWAN(p)
		return
	}
	n.ip.Pool.Put(f)
}

// Routed tells whether a frame for the gateway will be forwarded to the WAN.
func (n *Net) Routed(f []byte) bool {
	if len(f) < packet.EthernetHeader+packet.IPv4Size {
		return false
	}
	e, h := packet.Ethernet(f), packet.IPv4(f[packet.EthernetHeader:])
	return !e.Multicast() && e.EtherType() == packet.EtherTypeIPv4 && !n.onLAN(h.Destination32()) && h.TTL() > 1
}

// FromWAN takes an IP packet that has come through the NAPT, or out of the tunnel, for a device or for the gateway itself, at p.At.
func (n *Net) FromWAN(p *packet.Packet) {
	r := n.router
	ip := p.Data
	n.latency.Arriving(p.At)
	defer n.latency.Arrived()
	dst := packet.IPv4(ip).Destination32()
	if dst == r.outside.addr {
		r.receive(ip)
		n.ip.Pool.Put(ip)
		return
	}
	h := n.hostOf(dst)
	if h == nil || h.unit != p.Lineage.Unit {
		n.Faults.Misdelivered++
	}
	forward(ip)
	r.near.Send(dst, ip, p.Lineage)
}

func (r *router) toWAN(ip []byte, l packet.Lineage) {
	r.n.c.ToWAN(&packet.Packet{Data: ip, At: r.leaving.Turn(r.n.clock.Now(), latency.TaskAir), Lineage: l})
}

// receive takes what is for the gateway itself.
func (r *router) receive(ip []byte) {
	u, ok := packet.ParseUDP(ip[packet.IPv4Size:])
	if !ok || packet.IPv4(ip).Protocol() != packet.ProtoUDP {
		return
	}
	k := socketKey{packet.IPv4(ip).Source32(), u.DestinationPort(), u.SourcePort(), packet.ProtoUDP}
	if f := r.socks[k]; f != nil {
		delete(r.socks, k)
		f(u.Payload())
	}
}

// ask sends a question of the gateway's own and gives up after a while.
func (r *router) ask(to netip.Addr, port uint16, question []byte, then func()) {
	r.port++
	r.ids++
	k := socketKey{u32(to), r.port, port, packet.ProtoUDP}
	r.outside.datagram(udp{r.outside.addr, k.remote, k.port, port}, r.ids, question, packet.Lineage{
		Unit: packet.UnitGateway, Event: packet.EventNone, Role: packet.RoleData,
	})
	over := false
	end := func() {
		if !over {
			over = true
			delete(r.socks, k)
			then()
		}
	}
	r.socks[k] = func([]byte) { r.n.clock.At(r.n.clock.Now()+r.n.latency.Wake()+r.n.latency.OpenSocket(), end) }
	r.n.clock.At(r.n.clock.Now()+int64(policy.ResolveTimeout), end)
}

// Poll makes the router ask a name and the time, as routers do after they came up, from a moment on.
func (n *Net) Poll(name string) {
	poll := int64(policy.NTPFirstPoll)
	var turn func(at int64)
	turn = func(at int64) {
		n.router.ask(n.c.DNS, wire.PortDNS, wire.AppendDNSQuery(nil, uint16(n.router.outside.draws.Uint64()), name), func() {
			n.router.ask(n.c.NTP, wire.PortNTP, wire.AppendNTPQuery(nil, n.router.outside.draws), func() {})
		})
		if at > int64(policy.NTPFirstPoll) {
			poll = min(2*poll, int64(policy.NTPLastPoll))
		}
		n.clock.At(at+poll+n.latency.Sleep(), func() { turn(at + poll) })
	}
	n.clock.At(int64(policy.RouterStart), func() { turn(int64(policy.RouterStart)) })
}
