package testbed

import (
	"net/netip"
	"sync"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
	"glasshouse/gateway"
)

// wan is the way of a packet between the gateway's eth0 and the internet's isp0: NAPT or tunnel, the WAN queue, the tap,
// the path. Both worlds run this code; what differs is who calls FromEth0 and FromISP, and what the sinks are.
//
//	FromEth0 ─▶ owner ─▶ NAPT ─▶ queue ─▶ TAP ─▶ path (delay, jitter, loss) ─▶ toISP
//	toEth0 ◀─ hop ◀─ NAPT, owner ◀─ TAP ◀─ path ◀─ queue ◀─ far end's delay ◀─ FromISP
type wan struct {
	clock clock.Clock
	pool  *packet.Pool
	rows  *rows
	flows *truth.Registry

	addr   netip.Addr // the gateway's WAN address
	lan    netip.Prefix
	tunnel bool // packets on eth0 are the tunnel's; nothing else may leave
	toEth0 func(ip []byte)
	toISP  func(ip []byte)

	hopUp, hopDown     *truth.Hop          // across the gateway's kernel
	sealedUp           *gateway.LineageMap // outer packets on their way from the client's seal to eth0
	sealedDown         *gateway.LineageMap // from the server's seal to the tap
	tapped             *gateway.LineageMap // from the tap to the client's opening
	far                map[netip.Addr]int64
	farLine            *gateway.Line
	upLine, upPathLine *gateway.Line
	downLine           *gateway.Line

	mu        sync.Mutex // guards what follows: the pure parts know no lock
	napt      *gateway.NAPT
	upQueue   *gateway.Queue
	downQueue *gateway.Queue
	upPath    *gateway.Path
	downPath  *gateway.Path
	drops     wanDrops
}

// wanDrops counts packets that ended inside the path, by cause.
type wanDrops struct {
	UpQueue   int64 // before the tap: the WAN queue was full
	DownQueue int64 // before the tap
	DownPath  int64 // lost on the path before the tap: never seen
	UpNAT     int64 // the NAPT refused it, before the tap
	Leaks     int64 // would have left in the clear beside the tunnel: blocked
	AfterEnd  int64 // came to the tap after the run's end
}

// lines makes the delay lines; their far ends call back into w.
func (w *wan) lines() {
	w.farLine = gateway.NewLine(w.clock, w.arrived)
	w.upLine = gateway.NewLine(w.clock, w.tapUp)
	w.upPathLine = gateway.NewLine(w.clock, func(p packet.Packet) { w.toISP(p.Data) })
	w.downLine = gateway.NewLine(w.clock, w.tapDown)
	for _, l := range []*gateway.Line{w.farLine, w.upLine, w.upPathLine, w.downLine} {
		l.InlineWhenDue = true
	}
}

func (w *wan) close() {
	for _, l := range []*gateway.Line{w.farLine, w.upLine, w.upPathLine, w.downLine} {
		l.Close()
	}
}

// FromEth0 takes an IP packet that the gateway's kernel sends to the WAN, and owns it.
func (w *wan) FromEth0(ip []byte) {
	now := w.clock.Now()
	if len(ip) < ipv4Header {
		w.pool.Put(ip)
		return
	}
	l, ok := w.ownerUp(ip)
	w.mu.Lock()
	if !ok {
		w.drops.Leaks++
		w.mu.Unlock()
		w.pool.Put(ip)
		return
	}
	if !w.tunnel {
		if r := w.napt.Up(now, ip); r.Verdict != gateway.Translated {
			w.drops.UpNAT++
			w.mu.Unlock()
			w.pool.Put(ip)
			return
		}
	}
	at, queued := w.upQueue.Send(now, len(ip)+ethernetHeader)
	if !queued {
		w.drops.UpQueue++
	}
	w.mu.Unlock()
	if !queued {
		w.pool.Put(ip)
		return
	}
	w.upLine.Send(packet.Packet{Data: ip, At: now, Lineage: l}, at)
}

const (
	ethernetHeader = 14
	ipv4Header     = 20
)

// ownerUp finds whose an outgoing packet is; ok is false for one that must not leave: in the clear beside the tunnel.
func (w *wan) ownerUp(ip []byte) (l packet.Lineage, ok bool) {
	if w.tunnel {
		kind, key := outerOf(ip)
		switch kind {
		case gateway.OuterData:
			l, found := w.sealedUp.Take(key)
			if !found {
				l = packet.Unattributed()
			}
			return l, true
		case gateway.OuterUnknown:
			return l, false
		default:
			return tunnelOwn(kind), true
		}
	}
	if l, ok := w.hopUp.Leave(ip); ok {
		return l, true
	}
	if netip.AddrFrom4([4]byte(ip[12:16])) == w.addr {
		return gatewayOwn(), true
	}
	return packet.Unattributed(), true
}

func (w *wan) tapUp(p packet.Packet) {
	now := w.clock.Now()
	w.mu.Lock()
	at, kept := w.upPath.Send(now)
	w.mu.Unlock()
	if w.rows.begin(now, packet.Up, p.Data, p.Lineage, true, !kept) == 0 {
		w.mu.Lock()
		w.drops.AfterEnd++
		w.mu.Unlock()
		kept = false
	}
	if !kept {
		w.pool.Put(p.Data)
		return
	}
	w.upPathLine.Send(p, at)
}

// FromISP takes an IP packet that the internet sends to the home, and owns it.
func (w *wan) FromISP(ip []byte) {
	now := w.clock.Now()
	if len(ip) < ipv4Header {
		w.pool.Put(ip)
		return
	}
	w.farLine.Send(packet.Packet{Data: ip, At: now}, now+w.far[netip.AddrFrom4([4]byte(ip[12:16]))])
}

// arrived queues a packet at the home's side of the internet.
func (w *wan) arrived(p packet.Packet) {
	now := w.clock.Now()
	w.mu.Lock()
	at, ok := w.downQueue.Send(now, len(p.Data)+ethernetHeader)
	if !ok {
		w.drops.DownQueue++
	} else if at, ok = w.downPath.Send(at); !ok {
		w.drops.DownPath++
	}
	w.mu.Unlock()
	if !ok {
		w.pool.Put(p.Data)
		return
	}
	w.downLine.Send(p, at)
}

func (w *wan) tapDown(p packet.Packet) {
	if w.tunnel {
		w.tapDownTunnel(p)
		return
	}
	now := w.clock.Now()
	row := w.rows.begin(now, packet.Down, p.Data, packet.Unattributed(), false, false)
	w.mu.Lock()
	if row == 0 {
		w.drops.AfterEnd++
	}
	r := w.napt.Down(now, p.Data)
	w.mu.Unlock()
	if row == 0 {
		w.pool.Put(p.Data)
		return
	}
	l := w.ownerDown(p.Data, r)
	l.Row = row
	switch {
	case r.Verdict != gateway.Translated:
		w.rows.complete(row, l, true)
		w.pool.Put(p.Data)
		return
	case l.Unit < 0: // for the gateway itself
		w.rows.complete(row, l, false)
	default:
		w.rows.attribute(row, l)
		w.hopDown.Enter(p.Data, l, now)
	}
	w.toEth0(p.Data)
}

// ownerDown finds whose a packet from the internet is, after its translation. One that was not translated belongs to
// the owner of the closed mapping, or else to nobody in the home.
func (w *wan) ownerDown(ip []byte, r gateway.Result) packet.Lineage {
	if !r.LAN.IsValid() {
		return packet.Lineage{Unit: packet.UnitInternet, Event: packet.EventNone, Role: packet.RoleUnsolicited}
	}
	if r.LAN.Addr() == w.addr {
		return gatewayOwn()
	}
	if r.Verdict == gateway.Translated {
		l, _ := w.flows.Attribute(ip, packet.Down)
		return l
	}
	l, ok := w.flows.AttributeAs(truth.KeyOf(r.Proto, r.LAN, r.Remote), false, ip, packet.Down)
	if !ok { // a stranger who calls at a port that a device has used
		return packet.Lineage{Unit: packet.UnitInternet, Event: packet.EventNone, Role: packet.RoleUnsolicited}
	}
	return l
}

func (w *wan) tapDownTunnel(p packet.Packet) {
	now := w.clock.Now()
	kind, key := outerOf(p.Data)
	var row int64
	switch kind {
	case gateway.OuterData:
		l, ok := w.sealedDown.Take(key)
		if !ok {
			l = packet.Unattributed()
		}
		if row = w.rows.begin(now, packet.Down, p.Data, l, false, false); row != 0 {
			l.Row = row
			w.tapped.Put(key, l, now)
		}
	case gateway.OuterUnknown:
		l := packet.Lineage{Unit: packet.UnitInternet, Event: packet.EventNone, Role: packet.RoleUnsolicited}
		row = w.rows.begin(now, packet.Down, p.Data, l, true, false)
	default:
		row = w.rows.begin(now, packet.Down, p.Data, tunnelOwn(kind), true, false)
	}
	if row == 0 {
		w.mu.Lock()
		w.drops.AfterEnd++
		w.mu.Unlock()
		w.pool.Put(p.Data)
		return
	}
	w.toEth0(p.Data)
}

// sealing is told of each packet that the tunnel's client is about to encrypt.
func (w *wan) sealing(inner []byte) packet.Lineage {
	if l, ok := w.hopUp.Leave(inner); ok {
		return l
	}
	if len(inner) >= 20 && !w.lan.Contains(netip.AddrFrom4([4]byte(inner[12:16]))) {
		return gatewayOwn()
	}
	return packet.Unattributed()
}

// sealingDown is told of each packet that the tunnel's server is about to encrypt.
func (w *wan) sealingDown(inner []byte) packet.Lineage {
	if len(inner) >= 20 && !w.lan.Contains(netip.AddrFrom4([4]byte(inner[16:20]))) {
		return gatewayOwn()
	}
	l, _ := w.flows.Attribute(inner, packet.Down)
	return l
}

// opened is told of each packet that the tunnel's client has decrypted, before the gateway's kernel gets it.
func (w *wan) opened(key gateway.OuterKey, inner []byte) {
	l, ok := w.tapped.Take(key)
	if !ok {
		return // after the run's end
	}
	if l.Unit < 0 {
		w.rows.complete(l.Row, l, false)
		return
	}
	w.hopDown.Enter(inner, l, w.clock.Now())
}

// expire gives up what has waited too long. It is called about once a second.
func (w *wan) expire(now int64) {
	w.hopUp.Expire(now)
	w.hopDown.Expire(now)
	w.sealedUp.Expire(now)
	w.sealedDown.Expire(now)
	w.tapped.Expire(now)
	w.rows.expire(now)
	w.flows.Sweep(now)
}

func (w *wan) dropped() wanDrops {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drops
}

// outerOf classifies an IPv4 packet on the wire beside a tunnel.
func outerOf(ip []byte) (gateway.Outer, gateway.OuterKey) {
	if len(ip) < 28 || ip[9] != truth.ProtoUDP {
		return gateway.OuterUnknown, gateway.OuterKey{}
	}
	ihl := int(ip[0]&0xf) * 4
	if len(ip) < ihl+8 {
		return gateway.OuterUnknown, gateway.OuterKey{}
	}
	return gateway.ParseOuter(ip[ihl+8:])
}

func gatewayOwn() packet.Lineage {
	return packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone, Role: packet.RoleData}
}

func tunnelOwn(kind gateway.Outer) packet.Lineage {
	l := gatewayOwn()
	l.Role = packet.RoleTunnelHandshake
	if kind == gateway.OuterKeepalive {
		l.Role = packet.RoleTunnelKeepalive
	}
	return l
}
