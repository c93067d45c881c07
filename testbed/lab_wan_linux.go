package testbed

import (
	"glasshouse/emulator/packet"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
)

// What the kernels on both sides of the WAN give to it, and get from it.

// fromEth0 takes an IP packet that the gateway's kernel sends to the WAN, and owns it.
func (l *lab) fromEth0(ip []byte) {
	if len(ip) >= packet.IPv4Size {
		if x, ok := l.trace.leaving(ip); ok {
			l.wan.up(&packet.Packet{Data: ip, At: l.path.Now(), Lineage: x})
			return
		}
	}
	l.pool.Put(ip)
}

// fromISP0 takes an IP packet that the internet's kernel sends to the home, and owns it.
func (l *lab) fromISP0(ip []byte) {
	if len(ip) < packet.IPv4Size {
		l.pool.Put(ip)
		return
	}
	l.wan.down(&packet.Packet{Data: ip, At: l.path.Now()})
}

// Owner implements wan.World.
func (l *lab) Owner(p *packet.Packet, r nat.Result, kind outer.Kind, key outer.Key) packet.Lineage {
	return l.trace.owner(p, r, kind, key)
}

// ToHome implements wan.World: it hands a packet to the gateway's kernel, on the other side of which it is found again.
func (l *lab) ToHome(p *packet.Packet) {
	l.trace.follow(p)
	l.toEth0(p.Data)
}

// ToISP implements wan.World.
func (l *lab) ToISP(p *packet.Packet) { l.toISP0(p.Data) }

// Done implements wan.World: real threads have their slowness.
func (l *lab) Done(now int64, _ Step) int64 { return now }

// opened takes note of a packet that the tunnel's client has decrypted.
func (l *lab) opened(key outer.Key, inner []byte) {
	if x, own := l.trace.opened(key, inner); own {
		l.rows.complete(x.Row, x, false)
	}
}

// expire gives up what has waited too long. It is called about once a second.
func (l *lab) expire(now int64) {
	l.trace.expire(now)
	l.rows.expire(now)
}
