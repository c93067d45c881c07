package testbed

import (
	"net/netip"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
)

// trace finds a packet's lineage again where it left the program: behind the gateway's kernel, behind wireguard-go, and on
// its way back from servers that are programs of their own. In the virtual world a packet keeps its lineage and there is none.
type trace struct {
	clock clock.Clock
	pool  *packet.Pool
	rows  *rows
	flows *truth.Registry
	wan   *wan

	addr   netip.Addr // the gateway's WAN address
	lan    netip.Prefix
	toEth0 func(ip []byte)

	hopUp, hopDown *truth.Hop        // across the gateway's kernel
	sealedUp       *outer.LineageMap // outer packets on their way from the client's seal to eth0
	sealedDown     *outer.LineageMap // from the server's seal to the tap
	tapped         *outer.LineageMap // from the tap to the client's opening
}

func newTrace(w *wan, flows *truth.Registry, addr netip.Addr, lan netip.Prefix, toEth0 func([]byte)) *trace {
	t := &trace{
		clock: w.clock, pool: w.pool, rows: w.rows, flows: flows, wan: w, addr: addr, lan: lan, toEth0: toEth0,
		hopUp: truth.NewHop(nil), hopDown: truth.NewHop(nil),
		sealedUp: outer.NewLineageMap(), sealedDown: outer.NewLineageMap(), tapped: outer.NewLineageMap(),
	}
	w.owner, w.toHome = t.owner, t.toHome
	return t
}

// FromEth0 takes an IP packet that the gateway's kernel sends to the WAN, and owns it.
func (t *trace) FromEth0(ip []byte) {
	if len(ip) < ipv4Header {
		t.pool.Put(ip)
		return
	}
	l, ok := t.ownerUp(ip)
	if !ok {
		_, fromLAN := t.hopUp.Leave(ip) // it ends here, and not in the kernel
		t.wan.mu.Lock()
		t.wan.drops.Leaks++
		if fromLAN {
			t.wan.drops.LeaksLAN++
		}
		t.wan.mu.Unlock()
		t.pool.Put(ip)
		return
	}
	t.wan.up(&packet.Packet{Data: ip, At: t.clock.Now(), Lineage: l})
}

// ownerUp finds whose an outgoing packet is; ok is false for one that must not leave: in the clear beside the tunnel.
func (t *trace) ownerUp(ip []byte) (l packet.Lineage, ok bool) {
	if t.wan.tunnel {
		kind, key := outerOf(ip)
		switch kind {
		case outer.Data:
			l, found := t.sealedUp.Take(key)
			if !found {
				l = packet.Unattributed()
			}
			return l, true
		case outer.Unknown:
			return l, false
		default:
			return tunnelOwn(kind), true
		}
	}
	if l, ok := t.hopUp.Leave(ip); ok {
		return l, true
	}
	if packet.IPv4(ip).SourceAddr() == t.addr {
		return gatewayOwn(), true
	}
	return packet.Unattributed(), true
}

// FromISP takes an IP packet that the internet's kernel sends to the home, and owns it.
func (t *trace) FromISP(ip []byte) {
	if len(ip) < ipv4Header {
		t.pool.Put(ip)
		return
	}
	t.wan.down(&packet.Packet{Data: ip, At: t.clock.Now()})
}

// owner finds whose a packet from the internet is, after its translation, or inside the tunnel. One that was not translated
// belongs to the owner of the closed mapping, or else to nobody in the home.
func (t *trace) owner(p *packet.Packet, r nat.Result, kind outer.Kind, key outer.Key) packet.Lineage {
	if kind == outer.Data {
		l, ok := t.sealedDown.Take(key)
		if !ok {
			l = packet.Unattributed()
		}
		return l
	}
	if !r.LAN.IsValid() {
		return unsolicitedLineage()
	}
	if r.LAN.Addr() == t.addr {
		return gatewayOwn()
	}
	if r.Verdict == nat.Translated {
		l, _ := t.flows.Attribute(p.Data, packet.Down)
		return l
	}
	l, ok := t.flows.AttributeAs(truth.KeyOf(r.Proto, r.LAN, r.Remote), false, p.Data, packet.Down)
	if !ok { // a stranger who calls at a port that a device has used
		return unsolicitedLineage()
	}
	return l
}

// toHome hands a packet to the gateway's kernel, on the other side of which it is found again.
func (t *trace) toHome(p *packet.Packet) {
	switch {
	case t.wan.tunnel:
		if kind, key := outerOf(p.Data); kind == outer.Data {
			t.tapped.Put(key, p.Lineage, t.clock.Now())
		}
	case p.Lineage.Unit >= 0:
		t.hopDown.Enter(p.Data, p.Lineage, t.clock.Now())
	}
	t.toEth0(p.Data)
}

// sealing is told of each packet that the tunnel's client is about to encrypt.
func (t *trace) sealing(inner []byte) packet.Lineage {
	if l, ok := t.hopUp.Leave(inner); ok {
		return l
	}
	if len(inner) >= ipv4Header && !t.lan.Contains(packet.IPv4(inner).SourceAddr()) {
		return gatewayOwn()
	}
	return packet.Unattributed()
}

// sealingDown is told of each packet that the tunnel's server is about to encrypt.
func (t *trace) sealingDown(inner []byte) packet.Lineage {
	if len(inner) >= ipv4Header && !t.lan.Contains(packet.IPv4(inner).DestinationAddr()) {
		return gatewayOwn()
	}
	l, _ := t.flows.Attribute(inner, packet.Down)
	return l
}

// opened is told of each packet that the tunnel's client has decrypted, before the gateway's kernel gets it.
func (t *trace) opened(key outer.Key, inner []byte) {
	l, ok := t.tapped.Take(key)
	if !ok {
		return // after the run's end
	}
	if l.Unit < 0 {
		t.rows.complete(l.Row, l, false)
		return
	}
	t.hopDown.Enter(inner, l, t.clock.Now())
}

// expire gives up what has waited too long. It is called about once a second.
func (t *trace) expire(now int64) {
	t.hopUp.Expire(now)
	t.hopDown.Expire(now)
	t.sealedUp.Expire(now)
	t.sealedDown.Expire(now)
	t.tapped.Expire(now)
	t.rows.expire(now)
	t.flows.Sweep(now)
}
