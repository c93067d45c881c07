package virtual

import (
	"errors"
	"fmt"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/emulator/virtual/neighbour"
	"glasshouse/emulator/virtual/session"
	"glasshouse/emulator/virtual/tcp"
)

// Host is one device: it performs activities. It belongs to its Net's clock.
type Host struct {
	n        *Net
	index    int
	spec     *script.Specimen
	unit     int32
	addr     uint32
	mac      [6]byte
	stack    stack
	reader   *latency.Worker // the access point's, of its interface
	nextPort uint16
	echoID   uint16
	names    map[string]cachedName
	lasting  map[string]*lasting
	sockets  map[socketKey]*socket
	near     *neighbour.Table
	online   bool
	waiting  []func()   // for the address
	boot     packet.Tag // under which connections are opened again
	leased   uint16     // IP id of its DHCP client
	lease    *leaseState

	sending packet.Packet // is handed to the radio just now

	answering bool  // a router's question about groups
	ears      *ears // nil: it offers nothing
}

type cachedName struct {
	addr    uint32
	expires int64
}

// socketKey names a datagram socket by its port and remote end; of an echo socket the port is the identifier.
type socketKey struct {
	remote      uint32
	port, rport uint16
	proto       byte
}

func newHost(n *Net, i int) *Host {
	spec := &n.c.Specimens[i]
	p := spec.Profile
	d := newDraws(spec.Seed, 0x686f7374)
	h := &Host{
		n: n, reader: n.latency.NewWorker(), index: i, spec: spec, unit: spec.Index, addr: u32(spec.Addr), mac: spec.MAC,
		names: make(map[string]cachedName), lasting: make(map[string]*lasting), sockets: make(map[socketKey]*socket),
		nextPort: uint16(policy.FirstEphemeral + d.N(policy.LastEphemeral-policy.FirstEphemeral)),
		echoID:   uint16(d.Uint64()), leased: uint16(d.Uint64()),
	}
	h.boot = packet.Tag{Event: packet.EventNone}
	mss := min(n.c.MTU-packet.IPv4Size-packet.TCPSize, policy.MSS)
	if p.Stack.MSS > 0 {
		mss = min(mss, p.Stack.MSS)
	}
	h.stack = stack{n: n, addr: h.addr, ttl: byte(max(p.Stack.TTL, 1)), draws: d, send: h.transmit}
	h.stack.tcp = tcp.NewStack(&n.ip, tcp.Config{
		TTL: h.stack.ttl, MSS: mss, Timestamps: p.Stack.TCPTimestamps, Keepalive: p.Stack.Keepalive, Apart: p.Stack.Apart,
	}, d.PCG, h.transmit)
	h.ears = newEars(p)
	h.near = neighbour.New(neighbour.Config{
		Clock: n.clock, Pool: n.c.Pool, Rand: newDraws(n.c.Seed^uint64(h.addr), arpStream), Addr: h.addr, MAC: h.mac,
		Reachable: p.Stack.ARP, Send: h.frame,
	})
	for k := range p.Services {
		if s := &p.Services[k]; s.Lasting {
			h.lasting[s.Name] = &lasting{host: h, svc: s, pause: int64(policy.ReconnectFirst)}
		}
	}
	return h
}

// transmit sends an IP packet to whoever is next on its way.
func (h *Host) transmit(ip []byte, l packet.Lineage) {
	dst := packet.IPv4(ip).Destination32()
	if dst == 0xffffffff || dst == h.n.broadcast() {
		h.frame(ip, broadcastMAC, packet.EtherTypeIPv4, l)
		return
	}
	h.near.Send(h.n.nextHop(dst), ip, l)
}

// frame puts the Ethernet header before what it sends and hands it to the radio. A device's frames leave one after the other.
func (h *Host) frame(b []byte, to [6]byte, kind uint16, l packet.Lineage) {
	at := h.reader.Turn(h.n.clock.Now(), latency.TaskRead)
	h.n.latency.Stirred(at)
	p := &h.sending
	p.Data, p.At, p.Lineage = packet.Framed(b), at, l
	packet.Ethernet(p.Data).Encode(to, h.mac, kind)
	h.n.c.FromStation(h.index, p)
}

// Receive takes a frame from the radio, and owns it.
func (h *Host) Receive(f []byte) {
	h.n.latency.Stirred(h.n.clock.Now())
	b := packet.Ethernet(f).Payload()
	switch kind := packet.Ethernet(f).EtherType(); {
	case kind == packet.EtherTypeARP:
		h.near.Receive(b)
	case kind == packet.EtherTypeIPv6 && h.ears != nil:
		h.hear6(b)
	case kind != packet.EtherTypeIPv4 || len(b) < packet.IPv4Size:
	case packet.IPv4(b).Protocol() == packet.ProtoIGMP:
		h.receiveIGMP(b[min(packet.IPv4(b).HeaderLength(), len(b)):])
	case packet.IPv4(b).Destination32() == h.addr:
		h.receiveIP(b)
	default:
		h.receiveOther(b)
	}
	h.n.ip.Pool.Put(f)
}

func (h *Host) receiveIP(ip []byte) {
	src := packet.IPv4(ip).Source32()
	switch packet.IPv4(ip).Protocol() {
	case packet.ProtoTCP:
		seg, ok := tcp.Parse(ip[packet.IPv4Size:])
		if !ok {
			return
		}
		k := tcp.Key{Local: h.addr, Remote: src, Ports: packet.TCP(ip[packet.IPv4Size:]).Ports()}
		k.Ports = k.Ports<<16 | k.Ports>>16
		if e := h.stack.tcp.Find(k); e != nil {
			h.near.Confirm(h.n.nextHop(src))
			e.Input(&seg, h.n.latency.Now())
			return
		}
		if s := h.n.calls[k]; s != nil && seg.Opens() {
			delete(h.n.calls, k)
			s.Accept(h.stack.tcp, h.unit, k, &seg)
			return
		}
		h.stack.tcp.Refuse(ip, &seg, h.own())
	case packet.ProtoUDP:
		h.receiveUDP(ip, src)
	case packet.ProtoICMP:
		m := packet.ICMP(ip[packet.IPv4Size:])
		if s := h.sockets[socketKey{src, m.Identifier(), 0, packet.ProtoICMP}]; s != nil && m.Type() == packet.ICMPEchoReply {
			s.receive(m)
		}
	}
}

func (h *Host) receiveUDP(ip []byte, src uint32) {
	u, ok := packet.ParseUDP(ip[packet.IPv4Size:])
	if !ok {
		return
	}
	sport, dport, payload := u.SourcePort(), u.DestinationPort(), u.Payload()
	if dport == dhcpClient {
		h.receiveLease(payload)
		return
	}
	if s := h.sockets[socketKey{src, dport, sport, packet.ProtoUDP}]; s != nil {
		s.receive(payload)
		return
	}
	h.n.serveDatagram(payload, server{n: h.n, host: h, from: udp{h.addr, src, dport, sport}}) // the phone's end of what it views on the LAN
}

// receiveOther takes what is for everybody: before it has an address, a lease comes so.
func (h *Host) receiveOther(ip []byte) {
	u, ok := packet.ParseUDP(ip[packet.IPv4Size:])
	if ok && packet.IPv4(ip).Protocol() == packet.ProtoUDP && u.DestinationPort() == dhcpClient {
		h.receiveLease(u.Payload())
		return
	}
	if h.ears != nil {
		h.hear(ip)
	}
}

// own is the lineage of what the device sends by itself.
func (h *Host) own() packet.Lineage {
	return packet.Lineage{Unit: h.unit, Event: packet.EventNone, Role: packet.RoleData}
}

// port hands out local ports one after the other, so that none comes back soon.
func (h *Host) port() uint16 {
	p := h.nextPort
	h.nextPort = policy.NextEphemeral(p)
	return p
}

// key names a new connection.
func (h *Host) key(remote uint32, rport uint16) tcp.Key {
	for {
		k := tcp.Key{Local: h.addr, Remote: remote, Ports: uint32(h.port())<<16 | uint32(rport)}
		if !h.stack.tcp.Used(k) {
			return k
		}
	}
}

var errNoService = errors.New("the profile has no such service")

// Perform does an activity whose time is near. done is called when its last exchange is over, with "ok" or "failed" and the
// script time; it is not called if the run ends first.
func (h *Host) Perform(act *script.Activity, event int64, done func(outcome string, at int64)) {
	t := packet.Tag{Event: event, Activity: h.n.c.Activity(act.Name), Role: packet.RoleData}
	if act.Name == profile.ActivityBoot {
		h.boot = t
	}
	left, outcome := len(act.Exchanges), "ok"
	over := func(err error) {
		if err != nil {
			outcome = "failed"
		}
		if left--; left <= 0 {
			done(outcome, h.n.clock.Now())
		}
	}
	if left == 0 {
		h.n.clock.At(act.At, func() { over(nil) })
	}
	for i := range act.Exchanges {
		x := &act.Exchanges[i]
		h.begin(x, act.At+x.Offset, t, over)
	}
}

// begin starts one exchange.
func (h *Host) begin(x *script.Exchange, at int64, t packet.Tag, done func(error)) {
	s := h.spec.Profile.Service(x.Service)
	if s == nil {
		done(fmt.Errorf("%w: %q", errNoService, x.Service))
		return
	}
	if l := h.lasting[s.Name]; l != nil && !x.Fresh && x.Op.OnLine() {
		l.enqueue(task{x, at, t, done})
		return
	}
	h.whenOnline(func() { h.n.clock.At(at+h.n.latency.Sleep(), func() { h.once(s, x, at, t, done) }) })
}

// once performs an exchange that has no lasting connection.
func (h *Host) once(s *profile.Service, x *script.Exchange, at int64, t packet.Tag, done func(error)) {
	switch {
	case s.Multicast():
		h.discoverLAN(s, x.Op, t, done)
	case x.Op == profile.OpScan:
		h.scan(done)
	case s.Transport == profile.TransportARP:
		h.askRouter(done)
	case x.Op == profile.OpResolve:
		h.resolve(s.Host, t, true, func(_ uint32, err error) { done(err) })
	case x.Op == profile.OpTimeSync, s.Transport == profile.TransportNTP:
		h.timeSync(t, done)
	case x.Op == profile.OpPing, s.Transport == profile.TransportICMP:
		h.ping(s, x, t, done)
	case s.Transport == profile.TransportQUIC:
		h.quic(s, x, t, done)
	case s.Transport == profile.TransportApp:
		h.called(s, x, t, done)
	case s.Transport == profile.TransportUDP, s.Transport == profile.TransportLAN:
		h.openUDP(s, t, func(u *socket, err error) {
			if err != nil {
				done(err)
				return
			}
			u.flow.Walk(x.Messages, at, t, func(err error) {
				u.Close()
				done(err)
			})
		})
	default:
		h.connect(connection{service: s, tag: t, role: packet.RoleTCPHandshake, lost: func() {}}, func(c *session.Session, err error) {
			if err != nil {
				done(err)
				return
			}
			c.Perform(&session.Job{Messages: x.Messages, Start: h.n.clock.Now(), Tag: t, Done: func(err error) {
				c.Close()
				done(err)
			}})
		})
	}
}

// whenOnline calls f once the host has its address.
func (h *Host) whenOnline(f func()) {
	if h.online {
		f()
		return
	}
	h.waiting = append(h.waiting, f)
}
