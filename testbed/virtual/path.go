package virtual

import (
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/gateway/link"
	"glasshouse/gateway/tunnel/wgmodel"
	"glasshouse/testbed/homenet"
	"glasshouse/testbed/wan"
)

// The ways between the gateway's kernel and the internet in the virtual world: straight, or through a modelled tunnel.
const (
	clientSeals = iota // the gateway's end: what goes in from the LAN
	clientOpens
	serverSeals // the far end
	serverOpens
)

// join builds what lies between the gateway's kernel and the internet.
func (l *lab) join(noise *packet.Noise) error {
	if !l.tunnelled() {
		return nil
	}
	h := l.o.Home
	at := func(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, homenet.TunnelPort) }
	c := wgmodel.Config{
		Clock: l.clock, MTU: homenet.TunnelMTU, Noise: noise, Pool: l.pool, Seed: h.Seed,
		Fill: l.fill(), Unsummed: !l.o.Options.Captures,
	}
	client, server := c, c
	client.Local, client.Remote, client.Seed = netip.AddrPortFrom(h.WANAddr, clientPort(h.Seed)), at(h.VPNServer), h.Seed^1
	client.Send = func(p packet.Packet) { l.wan.Up(&p) }
	client.Deliver = func(p packet.Packet) {
		if p.Lineage.Unit < 0 {
			l.rows.Complete(p.Lineage.Row, p.Lineage, false)
			p.Lineage.Row = 0
		}
		l.net.FromWAN(&p)
	}
	server.Local = at(h.VPNServer)
	server.Send = func(p packet.Packet) { l.wan.Down(&p) }
	server.Deliver = func(p packet.Packet) { l.net.Receive(&p) }
	var err error
	if l.client, l.server, err = wgmodel.NewPair(client, server); err != nil {
		return err
	}
	l.toServer = link.NewDelayLine(l.clock, func(p *packet.Packet) {
		at := p.At
		if l.wan.Away(packet.IPv4(p.Data).Source()) > 0 { // a timer has held it back
			at = l.far.Turn(at, latency.TaskAir)
		}
		l.through(serverSeals, p, at)
	})
	for i, f := range []func(packet.Packet){l.client.Seal, l.client.Open, l.server.Seal, l.server.Open} {
		l.seal[i] = link.NewDelayLine(l.clock, func(p *packet.Packet) { f(*p) })
	}
	return nil
}

// clientPort is the port that the tunnel's client listens on: the kernel gives it any.
func clientPort(seed uint64) uint16 { return policy.EphemeralPort(seed) }

// through sends a packet into an end of the tunnel, which takes a moment for each and keeps their order.
func (l *lab) through(way int, p *packet.Packet, at int64) {
	task := latency.TaskSeal
	if way == clientOpens || way == serverOpens {
		task = latency.TaskOpen
		if p.Lineage.Role == packet.RoleTunnelHandshake {
			at += l.net.Latency().TunnelHandshake()
		}
	}
	l.seal[way].Send(p, l.sealer[way].Done(at, task))
}

// toWAN takes an IP packet that the gateway's kernel forwards, or sends itself.
func (l *lab) toWAN(p *packet.Packet) {
	if l.client == nil {
		l.wan.Up(p)
		return
	}
	l.through(clientSeals, p, p.At)
}

// ToHome implements wan.World: it takes what has passed the tap, and the NAPT, on its way to the home.
func (l *lab) ToHome(p *packet.Packet) {
	if l.client == nil {
		if p.Lineage.Unit < 0 {
			p.Lineage.Row = 0 // its row is complete
		}
		l.net.FromWAN(p)
		return
	}
	l.through(clientOpens, p, p.At)
}

// fromInternet takes an IP packet that the internet sends to the home. Behind a tunnel it first has its own way to the server.
func (l *lab) fromInternet(p *packet.Packet) {
	if l.server == nil {
		l.wan.Down(p)
		return
	}
	l.toServer.Send(p, p.At+l.wan.Away(packet.IPv4(p.Data).Source()))
}

// ToISP implements wan.World: it takes a packet that has crossed the WAN.
func (l *lab) ToISP(p *packet.Packet) {
	if l.server == nil {
		l.net.Receive(p)
		return
	}
	l.through(serverOpens, p, p.At)
}

// Done implements wan.World.
func (l *lab) Done(now int64, s wan.Step) int64 {
	task := latency.TaskDeliver
	if s == wan.StepTapDown {
		task = latency.TaskTapDown
	}
	return l.own.Turn(now, task)
}
