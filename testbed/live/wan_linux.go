package live

import (
	"glasshouse/emulator/packet"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
	"glasshouse/testbed/wan"
)

// What the kernels on both sides of the WAN give to it, and get from it.

// fromEth0 takes an IP packet that the gateway's kernel sends to the WAN, and owns it.
func (l *lab) fromEth0(ip []byte) {
	if len(ip) >= packet.IPv4Size {
		if x, ok := l.trace.Leaving(ip); ok {
			l.wan.Up(&packet.Packet{Data: ip, At: l.path.Now(), Lineage: x})
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
	l.wan.Down(&packet.Packet{Data: ip, At: l.path.Now()})
}

// Owner implements wan.World.
func (l *lab) Owner(p *packet.Packet, r nat.Result, kind outer.Kind, key outer.Key) packet.Lineage {
	return l.trace.Owner(p, r, kind, key)
}

// ToHome implements wan.World: it hands a packet to the gateway's kernel, on the other side of which it is found again.
func (l *lab) ToHome(p *packet.Packet) {
	l.trace.Follow(p)
	l.toEth0(p.Data)
}

// ToISP implements wan.World.
func (l *lab) ToISP(p *packet.Packet) { l.toISP0(p.Data) }

// Done implements wan.World: real threads have their slowness.
func (l *lab) Done(now int64, _ wan.Step) int64 { return now }

// Opened takes note of a packet that the tunnel's client has decrypted.
func (l *lab) opened(key outer.Key, inner []byte) {
	if x, own := l.trace.Opened(key, inner); own {
		l.rows.Complete(x.Row, x, false)
	}
}

// Expire gives up what has waited too long. It is called about once a second.
func (l *lab) expire(now int64) {
	l.trace.Expire(now)
	l.rows.Expire(now)
}
