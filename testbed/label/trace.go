package label

import (
	"net/netip"
	"sync/atomic"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
)

// Trace finds a packet's lineage again where it left the program: behind the gateway's kernel, behind wireguard-go, and on
// its way back from servers that are programs of their own. In the virtual world a packet keeps its lineage and there is none.
// It moves no packet: the lab asks it, from the goroutines that read interfaces and that pass the tap. Safe for concurrent use.
type Trace struct {
	TraceConfig

	hopUp, hopDown *truth.Hop        // across the gateway's kernel
	sealedUp       *outer.LineageMap // outer packets on their way from the client's seal to eth0
	sealedDown     *outer.LineageMap // from the server's seal to the tap
	tapped         *outer.LineageMap // from the tap to the client's opening

	leaks    atomic.Int64
	leaksLAN atomic.Int64
}

// TraceConfig says in which home a trace finds packets.
type TraceConfig struct {
	Clock  clock.Clock
	Flows  *truth.Registry
	Tunnel bool       // packets leave by a tunnel
	Addr   netip.Addr // the gateway's WAN address
	LAN    netip.Prefix
}

// NewTrace returns a trace.
func NewTrace(c TraceConfig) *Trace {
	return &Trace{
		TraceConfig: c, hopUp: truth.NewHop(nil), hopDown: truth.NewHop(nil),
		sealedUp: outer.NewLineageMap(), sealedDown: outer.NewLineageMap(), tapped: outer.NewLineageMap(),
	}
}

// Routed notes an IP packet that the gateway's kernel is about to get from the LAN, in a frame of a unit. known tells whether it
// belongs to a flow of that unit's.
func (t *Trace) Routed(ip []byte, frame packet.Lineage, at int64) (known bool) {
	x, known := t.Flows.Attribute(ip, packet.Up)
	if !known || x.Unit != frame.Unit {
		x, known = packet.Unattributed(), false
	}
	x.LANFrame = frame.LANFrame
	t.hopUp.Enter(ip, x, at)
	return known
}

// Delivered finds the WAN packet that the gateway's kernel sends to the LAN; ok is false for one of the gateway's own.
func (t *Trace) Delivered(ip []byte) (l packet.Lineage, ok bool) { return t.hopDown.Leave(ip) }

// Leaving finds whose an IP packet is that the gateway's kernel sends to the WAN; ok is false for one that must not leave, and is
// counted as a leak.
func (t *Trace) Leaving(ip []byte) (l packet.Lineage, ok bool) {
	if l, ok = t.ownerUp(ip); !ok {
		t.leaks.Add(1)
		if _, fromLAN := t.hopUp.Leave(ip); fromLAN { // it ends here, and not in the kernel
			t.leaksLAN.Add(1)
		}
	}
	return l, ok
}

// Leaked is how many packets would have left in the clear beside the tunnel, and how many of these were a device's: LAN frames.
func (t *Trace) Leaked() (all, lan int64) { return t.leaks.Load(), t.leaksLAN.Load() }

// Swallowed is how many LAN frames the gateway's kernel was given for the WAN and has not forwarded in time.
func (t *Trace) Swallowed() int64 { return t.hopUp.Expire(0) }

// ownerUp finds whose an outgoing packet is; ok is false for one that must not leave: in the clear beside the tunnel.
func (t *Trace) ownerUp(ip []byte) (l packet.Lineage, ok bool) {
	if t.Tunnel {
		kind, key := OuterOf(ip)
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
			return Tunnel(kind), true
		}
	}
	if l, ok := t.hopUp.Leave(ip); ok {
		return l, true
	}
	if packet.IPv4(ip).SourceAddr() == t.Addr {
		return Gateway(), true
	}
	return packet.Unattributed(), true
}

// Owner finds whose a packet from the internet is, after its translation, or inside the tunnel. One that was not translated
// belongs to the owner of the closed mapping, or else to nobody in the home.
func (t *Trace) Owner(p *packet.Packet, r nat.Result, kind outer.Kind, key outer.Key) packet.Lineage {
	if kind == outer.Data {
		l, ok := t.sealedDown.Take(key)
		if !ok {
			l = packet.Unattributed()
		}
		return l
	}
	if !r.LAN.IsValid() {
		return Unsolicited()
	}
	if r.LAN.Addr() == t.Addr {
		return Gateway()
	}
	if r.Verdict == nat.Translated {
		l, _ := t.Flows.Attribute(p.Data, packet.Down)
		return l
	}
	l, ok := t.Flows.AttributeAs(truth.KeyOf(r.Proto, r.LAN, r.Remote), false, p.Data, packet.Down)
	if !ok { // a stranger who calls at a port that a device has used
		return Unsolicited()
	}
	return l
}

// Follow notes a packet that has passed the tap towards the home, before the gateway's kernel, or its tunnel, gets it: there it is
// found again.
func (t *Trace) Follow(p *packet.Packet) {
	switch {
	case t.Tunnel:
		if kind, key := OuterOf(p.Data); kind == outer.Data {
			t.tapped.Put(key, p.Lineage, t.Clock.Now())
		}
	case p.Lineage.Unit >= 0:
		t.hopDown.Enter(p.Data, p.Lineage, t.Clock.Now())
	}
}

// Sealing is told of each packet that the tunnel's client is about to encrypt.
func (t *Trace) Sealing(inner []byte) packet.Lineage {
	if l, ok := t.hopUp.Leave(inner); ok {
		return l
	}
	if len(inner) >= packet.IPv4Size && !t.LAN.Contains(packet.IPv4(inner).SourceAddr()) {
		return Gateway()
	}
	return packet.Unattributed()
}

// SealingDown is told of each packet that the tunnel's server is about to encrypt.
func (t *Trace) SealingDown(inner []byte) packet.Lineage {
	if len(inner) >= packet.IPv4Size && !t.LAN.Contains(packet.IPv4(inner).DestinationAddr()) {
		return Gateway()
	}
	l, _ := t.Flows.Attribute(inner, packet.Down)
	return l
}

// SealedAt notes a packet that one of the tunnel's ends has encrypted: the client's on its way up, the server's on its way down.
func (t *Trace) SealedAt(dir int8, key outer.Key, l packet.Lineage) {
	to := t.sealedUp
	if dir == packet.Down {
		to = t.sealedDown
	}
	to.Put(key, l, t.Clock.Now())
}

// Opened is told of each packet that the tunnel's client has decrypted, before the gateway's kernel gets it. own tells that it is for
// the gateway itself: its row has its truth.
func (t *Trace) Opened(key outer.Key, inner []byte) (l packet.Lineage, own bool) {
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

// Expire gives up what has waited too long. It is called about once a second.
func (t *Trace) Expire(now int64) {
	t.hopUp.Expire(now)
	t.hopDown.Expire(now)
	t.sealedUp.Expire(now)
	t.sealedDown.Expire(now)
	t.tapped.Expire(now)
	t.Flows.Sweep(now)
}
