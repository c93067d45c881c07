package virtual

import (
	"errors"
	"fmt"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/latency"
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
	lines    map[string]*line
	sockets  map[socketKey]*socket
	near     neighbours
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
		names: make(map[string]cachedName), lines: make(map[string]*line), sockets: make(map[socketKey]*socket),
		nextPort: uint16(policy.FirstEphemeral + d.n(policy.LastEphemeral-policy.FirstEphemeral)), echoID: uint16(d.Uint64()), leased: uint16(d.Uint64()),
	}
	h.boot = packet.Tag{Event: packet.EventNone}
	mss := min(n.c.MTU-packet.IPv4Size-packet.TCPSize, policy.MSS)
	if p.Stack.MSS > 0 {
		mss = min(mss, p.Stack.MSS)
	}
	h.stack = stack{
		n: n, addr: h.addr, ttl: byte(max(p.Stack.TTL, 1)), mss: mss, ts: p.Stack.TCPTimestamps, keepalive: p.Stack.Keepalive, apart: p.Stack.Apart,
		conns: make(map[connKey]*endpoint), draws: d, out: h.transmit,
	}
	h.ears = newEars(p)
	h.near = newNeighbours(n, h.addr, h.mac, h.frame, p.Stack.ARP)
	for k := range p.Services {
		if s := &p.Services[k]; s.Lasting {
			h.lines[s.Name] = &line{host: h, svc: s, pause: int64(policy.ReconnectFirst)}
		}
	}
	return h
}

// transmit sends an IP packet to whoever is next on its way.
func (h *Host) transmit(ip []byte, l packet.Lineage) {
	dst := packet.IPv4(ip).Destination32()
	switch {
	case dst == 0xffffffff || dst == h.n.broadcast():
		h.frame(ip, broadcastMAC, packet.EtherTypeIPv4, l)
	case h.n.onLAN(dst):
		h.near.send(dst, ip, l)
	default:
		h.near.send(u32(h.n.c.Router), ip, l)
	}
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
		h.near.receive(b)
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
	h.n.pool.Put(f)
}

func (h *Host) receiveIP(ip []byte) {
	src := packet.IPv4(ip).Source32()
	switch packet.IPv4(ip).Protocol() {
	case packet.ProtoTCP:
		seg, ok := parseTCP(ip[packet.IPv4Size:])
		if !ok {
			return
		}
		k := connKey{local: h.addr, remote: src, ports: packet.TCP(ip[packet.IPv4Size:]).Ports()}
		k.ports = k.ports<<16 | k.ports>>16
		if e := h.stack.find(k); e != nil {
			h.near.confirm(src)
			e.input(&seg)
			return
		}
		if s := h.n.calls[k]; s != nil && seg.flags&(packet.FlagSYN|packet.FlagACK) == packet.FlagSYN {
			delete(h.n.calls, k)
			s.accept(&h.stack, h.unit, k, &seg)
			return
		}
		h.stack.refuse(ip, &seg, h.own())
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
	h.n.arriveFar(payload, u32Pair{src, h.addr}, sport, dport, h) // the phone's end of what it views on the LAN
}

// receiveOther takes what is for everybody: before it has an address, a lease comes so.
func (h *Host) receiveOther(ip []byte) {
	if u, ok := packet.ParseUDP(ip[packet.IPv4Size:]); ok && packet.IPv4(ip).Protocol() == packet.ProtoUDP && u.DestinationPort() == dhcpClient {
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
func (h *Host) key(remote uint32, rport uint16) connKey {
	for {
		k := connKey{local: h.addr, remote: remote, ports: uint32(h.port())<<16 | uint32(rport)}
		if h.stack.conns[k] == nil {
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
		h.n.at(act.At, func() { over(nil) })
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
	if l := h.lines[s.Name]; l != nil && !x.Fresh && x.Op.OnLine() {
		l.enqueue(errand{x, at, t, done})
		return
	}
	h.whenOnline(func() { h.n.at(at+h.n.latency.Sleep(), func() { h.once(s, x, at, t, done) }) })
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
			u.walk(x.Messages, at, t, func(err error) {
				u.close()
				done(err)
			})
		})
	default:
		h.connect(s, t, packet.RoleTCPHandshake, func(c *session, err error) {
			if err != nil {
				done(err)
				return
			}
			c.perform(&job{messages: x.Messages, start: h.n.clock.Now(), tag: t, done: func(err error) {
				c.close()
				done(err)
			}})
		}, func() {})
	}
}

// connect resolves and connects. role is RoleTCPHandshake, or RoleReconnect for a connection that is opened again.
func (h *Host) connect(s *profile.Service, t packet.Tag, role packet.Role, done func(*session, error), lost func()) {
	h.resolve(s.Host, t.As(roleOr(role, packet.RoleData)), false, func(addr uint32, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		var c *session
		c = newSession(h, s, addr, t.As(roleOr(role, packet.RoleTLSHandshake)), func(err error) { done(c, err) }, lost)
	})
}

func roleOr(role, usual packet.Role) packet.Role {
	if role == packet.RoleReconnect {
		return role
	}
	return usual
}

// whenOnline calls f once the host has its address.
func (h *Host) whenOnline(f func()) {
	if h.online {
		f()
		return
	}
	h.waiting = append(h.waiting, f)
}

// at calls f at a moment, or now if it has passed.
func (n *Net) at(at int64, f func()) {
	n.clock.Schedule(max(at, n.clock.Now()), clock.Func(func(int64, uint64) { f() }), 0)
}
