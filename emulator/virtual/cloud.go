package virtual

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/emulator/virtual/session"
	"glasshouse/emulator/virtual/tcp"
	"glasshouse/emulator/wire"
	"glasshouse/emulator/wire/secure"
)

// cloud is the internet of a home: any address of it answers.
type cloud struct {
	n       *Net
	stack   stack
	reader  *latency.Worker              // the internet's, of what its servers send
	pending map[tcp.Key]*session.Session // that a SYN may come for, by the device's end of the connection
	quic    map[secure.QUICID]*quicServer
	sending packet.Packet // is handed to the path just now
}

func newCloud(n *Net) *cloud {
	c := &cloud{n: n, reader: n.latency.NewWorker(), pending: make(map[tcp.Key]*session.Session), quic: make(map[secure.QUICID]*quicServer)}
	d := newDraws(n.c.Seed, 0x636c6f75)
	c.stack = stack{n: n, ttl: 64, draws: d, send: c.transmit}
	mss := min(n.c.MTU-packet.IPv4Size-packet.TCPSize, policy.MSS)
	c.stack.tcp = tcp.NewStack(&n.ip, tcp.Config{TTL: c.stack.ttl, MSS: mss, Timestamps: true}, d.PCG, c.transmit)
	return c
}

func (c *cloud) transmit(ip []byte, l packet.Lineage) {
	task := latency.TaskAir
	switch l4 := ip[packet.IPv4Size:]; packet.IPv4(ip).Protocol() {
	case packet.ProtoUDP:
		if port := packet.UDP(l4).SourcePort(); port == wire.PortDNS || port == wire.PortNTP {
			task = latency.TaskRead // no program is being woken meanwhile
		}
	case packet.ProtoTCP:
		if packet.TCP(l4).Flags()&packet.FlagSYN != 0 {
			task = latency.TaskRead
		}
	}
	at := c.reader.Turn(c.n.latency.Now(), task)
	p := &c.sending
	p.Data, p.At, p.Lineage = ip, at, l
	c.n.c.ToHome(p)
}

// Receive takes an IP packet that has come to the internet at p.At, and owns it.
func (n *Net) Receive(p *packet.Packet) {
	n.latency.Arriving(p.At)
	ip := p.Data
	n.cloud.receive(ip, p.Lineage)
	n.latency.Arrived()
	n.ip.Pool.Put(ip)
}

func (c *cloud) receive(ip []byte, l packet.Lineage) {
	h := packet.IPv4(ip)
	src, dst := h.Source32(), h.Destination32()
	switch h.Protocol() {
	case packet.ProtoTCP:
		c.receiveTCP(ip, src, dst, l)
	case packet.ProtoUDP:
		u := packet.UDP(ip[packet.IPv4Size:])
		sport, dport, payload := u.SourcePort(), u.DestinationPort(), u.Payload()
		switch {
		case dport == wire.PortDNS && dst == u32(c.n.c.DNS):
			c.answerName(payload, udp{dst, src, dport, sport}, l)
		case dport == wire.PortNTP && dst == u32(c.n.c.NTP):
			c.answerTime(payload, udp{dst, src, dport, sport}, l)
		case len(c.quic) > 0 && c.receiveQUIC(payload, udp{dst, src, dport, sport}, l):
		default:
			c.n.serveDatagram(payload, server{n: c.n, from: udp{dst, src, dport, sport}})
		}
	case packet.ProtoICMP:
		c.echo(ip, src, dst, l)
	}
}

func (c *cloud) receiveTCP(ip []byte, src, dst uint32, l packet.Lineage) {
	seg, ok := tcp.Parse(ip[packet.IPv4Size:])
	if !ok {
		return
	}
	ports := packet.TCP(ip[packet.IPv4Size:]).Ports()
	k := tcp.Key{Local: dst, Remote: src, Ports: ports<<16 | ports>>16}
	switch e := c.stack.tcp.Find(k); {
	case e == nil:
	case e.Unit() != l.Unit, e.Settled() && seg.Opens():
		c.stack.tcp.Forget(e) // the translation has given the port to another, or the device has: the old connection is over
	default:
		e.Input(&seg, c.n.latency.Now())
		return
	}
	if seg.Opens() {
		if s := c.caller(k); s != nil {
			if s.Unit() != l.Unit {
				c.n.Faults.Misdelivered++
			}
			s.Accept(c.stack.tcp, s.Unit(), k, &seg)
			return
		}
	}
	c.stack.tcp.Refuse(ip, &seg, l)
}

// caller finds the session that a SYN is for, behind the address that the server sees.
func (c *cloud) caller(k tcp.Key) *session.Session {
	lan, ok := c.n.c.Behind(packet.ProtoTCP, netip.AddrPortFrom(addrOf(k.Remote), uint16(k.Ports)))
	if !ok {
		return nil
	}
	key := tcp.Key{Local: u32(lan.Addr()), Remote: k.Local, Ports: uint32(lan.Port())<<16 | k.Ports>>16}
	s := c.pending[key]
	delete(c.pending, key)
	return s
}

func (c *cloud) answerName(q []byte, to udp, l packet.Lineage) {
	m := new(dns.Msg)
	if m.Unpack(q) != nil || len(m.Question) != 1 {
		return
	}
	host, id := strings.TrimSuffix(m.Question[0].Name, "."), m.Id
	var addr netip.Addr
	if a, ok := c.n.resolver[host]; ok {
		addr = addrOf(a)
	}
	c.reply(l, to, wire.AppendDNSAnswer(nil, id, host, addr, policy.NameTTL))
}

func (c *cloud) answerTime(q []byte, to udp, l packet.Lineage) {
	if len(q) < wire.NTPSize {
		return
	}
	now := c.n.c.EpochNs + c.n.clock.Now()
	c.reply(l, to, wire.AppendNTPAnswer(nil, q, now, now+30_000))
}

// reply sends a server's answer after the time it takes, under what the question belonged to.
func (c *cloud) reply(l packet.Lineage, to udp, payload []byte) {
	l.LANFrame, l.Row = 0, 0
	c.n.clock.At(c.n.clock.Now()+c.n.latency.Wake(), func() {
		c.stack.datagram(to, uint16(c.stack.draws.Uint64()), payload, l)
	})
}

// echo answers an echo request (RFC 792), as a kernel does: at once.
func (c *cloud) echo(ip []byte, src, dst uint32, l packet.Lineage) {
	if m, ok := packet.ParseICMP(ip[packet.IPv4Size:]); !ok || m.Type() != packet.ICMPEcho {
		return
	}
	b := c.n.ip.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+len(ip)]
	copy(b, ip)
	m := packet.ICMP(b[packet.IPv4Size:])
	m[0] = packet.ICMPEchoReply
	m.SumAll()
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: len(b), Protocol: packet.ProtoICMP, TTL: 64, ID: uint16(c.stack.draws.Uint64()), Source: dst, Destination: src,
	})
	l.LANFrame, l.Row = 0, 0
	c.stack.send(b, l)
}
