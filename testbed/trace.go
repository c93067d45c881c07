package testbed

import (
	"net/netip"
	"sync/atomic"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
)

// trace finds a packet's lineage again where it left the program: behind the gateway's kernel, behind wireguard-go, and on
// its way back from servers that are programs of their own. In the virtual world a packet keeps its lineage and there is none.
// It moves no packet: the lab asks it, from the goroutines that read interfaces and that pass the tap. Safe for concurrent use.
type trace struct {
	traceConfig

	hopUp, hopDown *truth.Hop        // across the gateway's kernel
	sealedUp       *outer.LineageMap // outer packets on their way from the client's seal to eth0
	sealedDown     *outer.LineageMap // from the server's seal to the tap
	tapped         *outer.LineageMap // from the tap to the client's opening

	leaks    atomic.Int64
	leaksLAN atomic.Int64
}

// traceConfig says in which home a trace finds packets.
type traceConfig struct {
	Clock  clock.Clock
	Flows  *truth.Registry
	Tunnel bool       // packets leave by a tunnel
	Addr   netip.Addr // the gateway's WAN address
	LAN    netip.Prefix
}

func newTrace(c traceConfig) *trace {
	return &trace{
		traceConfig: c, hopUp: truth.NewHop(nil), hopDown: truth.NewHop(nil),
		sealedUp: outer.NewLineageMap(), sealedDown: outer.NewLineageMap(), tapped: outer.NewLineageMap(),
	}
}

// routed notes an IP packet that the gateway's kernel is about to get from the LAN, in a frame of a unit. known tells whether it
// belongs to a flow of that unit's.
func (t *trace) routed(ip []byte, frame packet.Lineage, at int64) (known bool) {
	x, known := t.Flows.Attribute(ip, packet.Up)
	if !known || x.Unit != frame.Unit {
		x, known = packet.Unattributed(), false
	}
	x.LANFrame = frame.LANFrame
	t.hopUp.Enter(ip, x, at)
	return known
}

// delivered finds the WAN packet that the gateway's kernel sends to the LAN; ok is false for one of the gateway's own.
func (t *trace) delivered(ip []byte) (l packet.Lineage, ok bool) { return t.hopDown.Leave(ip) }

// leaving finds whose an IP packet is that the gateway's kernel sends to the WAN; ok is false for one that must not leave, and is
// counted as a leak.
func (t *trace) leaving(ip []byte) (l packet.Lineage, ok bool) {
	if l, ok = t.ownerUp(ip); !ok {
		t.leaks.Add(1)
		if _, fromLAN := t.hopUp.Leave(ip); fromLAN { // it ends here, and not in the kernel
			t.leaksLAN.Add(1)
		}
	}
	return l, ok
}

// leaked is how many packets would have left in the clear beside the tunnel, and how many of these were a device's: LAN frames.
func (t *trace) leaked() (all, lan int64) { return t.leaks.Load(), t.leaksLAN.Load() }

// swallowed is how many LAN frames the gateway's kernel was given for the WAN and has not forwarded in time.
func (t *trace) swallowed() int64 { return t.hopUp.Expire(0) }

// ownerUp finds whose an outgoing packet is; ok is false for one that must not leave: in the clear beside the tunnel.
func (t *trace) ownerUp(ip []byte) (l packet.Lineage, ok bool) {
	if t.Tunnel {
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
	if packet.IPv4(ip).SourceAddr() == t.Addr {
		return gatewayOwn(), true
	}
	return packet.Unattributed(), true
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
	if r.LAN.Addr() == t.Addr {
		return gatewayOwn()
	}
	if r.Verdict == nat.Translated {
		l, _ := t.Flows.Attribute(p.Data, packet.Down)
		return l
	}
	l, ok := t.Flows.AttributeAs(truth.KeyOf(r.Proto, r.LAN, r.Remote), false, p.Data, packet.Down)
	if !ok { // a stranger who calls at a port that a device has used
		return unsolicitedLineage()
	}
	return l
}

// follow notes a packet that has passed the tap towards the home, before the gateway's kernel, or its tunnel, gets it: there it is
// found again.
func (t *trace) follow(p *packet.Packet) {
	switch {
	case t.Tunnel:
		if kind, key := outerOf(p.Data); kind == outer.Data {
			t.tapped.Put(key, p.Lineage, t.Clock.Now())
		}
	case p.Lineage.Unit >= 0:
		t.hopDown.Enter(p.Data, p.Lineage, t.Clock.Now())
	}
}

// sealing is told of each packet that the tunnel's client is about to encrypt.
func (t *trace) sealing(inner []byte) packet.Lineage {
	if l, ok := t.hopUp.Leave(inner); ok {
		return l
	}
	if len(inner) >= packet.IPv4Size && !t.LAN.Contains(packet.IPv4(inner).SourceAddr()) {
		return gatewayOwn()
	}
	return packet.Unattributed()
}

// sealingDown is told of each packet that the tunnel's server is about to encrypt.
func (t *trace) sealingDown(inner []byte) packet.Lineage {
	if len(inner) >= packet.IPv4Size && !t.LAN.Contains(packet.IPv4(inner).DestinationAddr()) {
		return gatewayOwn()
	}
	l, _ := t.Flows.Attribute(inner, packet.Down)
	return l
}

// sealedAt notes a packet that one of the tunnel's ends has encrypted: the client's on its way up, the server's on its way down.
func (t *trace) sealedAt(dir int8, key outer.Key, l packet.Lineage) {
	to := t.sealedUp
	if dir == packet.Down {
		to = t.sealedDown
	}
	to.Put(key, l, t.Clock.Now())
}

// opened is told of each packet that the tunnel's client has decrypted, before the gateway's kernel gets it. own tells that it is for
// the gateway itself: its row has its truth.
func (t *trace) opened(key outer.Key, inner []byte) (l packet.Lineage, own bool) {
	l, ok := t.tapped.Take(key)
	if !ok {
		return l, false // after the run's end
	}
	if l.Unit < 0 {
		return l, true
	}
	t.hopDown.Enter(inner, l, t.Clock.Now())
	return l, false
}

// expire gives up what has waited too long. It is called about once a second.
func (t *trace) expire(now int64) {
	t.hopUp.Expire(now)
	t.hopDown.Expire(now)
	t.sealedUp.Expire(now)
	t.sealedDown.Expire(now)
	t.tapped.Expire(now)
	t.Flows.Sweep(now)
}
