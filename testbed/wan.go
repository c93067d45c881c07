package testbed

import (
	"net/netip"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/gateway/accesspoint"
	"glasshouse/gateway/link"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
	"glasshouse/scenarios"
)

// wan is the way of a packet between the gateway's eth0 and the internet: NAPT or tunnel, the WAN queue, the tap, the path.
// Both worlds run this code; what differs is who calls up and down, and the functions that world sets.
//
//	up ─▶ NAPT ─▶ queue ─▶ TAP ─▶ path (delay, jitter, loss) ─▶ toISP
//	toHome ◀─ owner, NAPT ◀─ TAP ◀─ queue ◀─ path ◀─ far end's delay ◀─ down
//
// The tap lies at the home's end of the line. What it sees has the time at which the line has carried it, which the queues
// give; that a thread hears of it later is counted as timer lateness and does not show.
type wan struct {
	clock clock.Clock
	pool  *packet.Pool
	rows  *rows

	tunnel bool // packets are the tunnel's: nothing is translated
	far    map[netip.Addr]int64

	// owner says whose a packet from the internet is; r is what the NAPT did with it. Behind a tunnel, kind is what the outer
	// packet is, and r is the zero value.
	owner  func(p *packet.Packet, r nat.Result, kind outer.Kind, key outer.Key) packet.Lineage
	toHome func(p *packet.Packet) // takes what passed the tap and the NAPT; its Lineage.Row awaits its truth if a device owns it
	toISP  func(p *packet.Packet)
	// turn, if there is one, says when a task that is due now is really done: a program's thread has its slowness, which the
	// live world's has by itself.
	turn func(due int64, t latency.Task) int64

	farOf              [64]farOf // by an address' last bits: how far those are that packets came from lately
	farLine            *link.DelayLine
	upLine, upPathLine *link.DelayLine
	leaving            leaving // in place of upLine, on one goroutine
	downLine           *link.DelayLine

	mu        clock.Guard // guards what follows: the pure parts know no lock
	napt      *nat.NAPT
	upQueue   *link.Queue
	downQueue *link.Queue
	upPath    *link.Path
	downPath  *link.Path
	passed    int64 // ns: when the last packet passed the tap
	drops     wanDrops
}

// farOf is how far an address is beyond the home's way to the internet, ns.
type farOf struct {
	from  [4]byte
	extra int64
}

// wanDrops counts packets that ended inside the path, by cause.
type wanDrops struct {
	UpQueue   int64 // before the tap: the WAN queue was full
	DownQueue int64 // before the tap
	DownPath  int64 // lost on the path before the queue: never seen
	UpNAT     int64 // the NAPT refused it, before the tap
	Leaks     int64 // would have left in the clear beside the tunnel: blocked
	LeaksLAN  int64 // of these, a device's: a LAN frame
	AfterEnd  int64 // came to the tap after the run's end
}

// newWAN sets a home's WAN up. The world adds owner, toHome and toISP.
func newWAN(h *scenarios.Home, tunnel bool, c clock.Clock, pool *packet.Pool, r *rows) *wan {
	path := h.WAN
	loss := float64(path.Loss) / 1e6
	w := &wan{
		clock: c, pool: pool, rows: r, tunnel: tunnel, far: h.FarDelays(),
		upQueue: link.NewQueue(path.UpRate, path.Queue, path.Grant), downQueue: link.NewQueue(path.DownRate, path.Queue, 0),
		upPath: link.NewPath(path.Delay, path.Jitter, loss, h.Seed, 1), downPath: link.NewPath(path.Delay, path.Jitter, loss, h.Seed, 2),
	}
	if !tunnel {
		w.napt = nat.NewNAPT(nat.NewTable(nat.TableConfig{WAN: h.WANAddr}))
	}
	w.mu.For(c)
	w.leaving.used = clock.OneGoroutine(c)
	w.lines()
	return w
}

// lines makes the delay lines; their far ends call back into w.
func (w *wan) lines() {
	w.farLine = link.NewDelayLine(w.clock, w.arrived)
	w.upLine = link.NewDelayLine(w.clock, w.tapUp)
	w.upPathLine = link.NewDelayLine(w.clock, func(p *packet.Packet) {
		w.tapUntil(p.At)
		p.At = w.done(latency.TaskDeliver)
		w.toISP(p)
	})
	w.downLine = link.NewDelayLine(w.clock, w.tapDown)
	for _, l := range []*link.DelayLine{w.farLine, w.upLine, w.upPathLine, w.downLine} {
		l.InlineWhenDue = true
	}
}

func (w *wan) close() {
	for _, l := range []*link.DelayLine{w.farLine, w.upLine, w.upPathLine, w.downLine} {
		l.Close()
	}
}

const (
	ethernetHeader = packet.EthernetHeader
	ipv4Header     = packet.IPv4Size
)

// up takes an IP packet that leaves by eth0 at p.At, with its lineage, and owns it.
func (w *wan) up(p *packet.Packet) {
	w.mu.Lock()
	if !w.tunnel {
		if r := w.napt.Up(p.At, p.Data); r.Verdict != nat.Translated {
			w.drops.UpNAT++
			w.mu.Unlock()
			w.pool.Put(p.Data)
			return
		}
	}
	at, queued := w.upQueue.Send(p.At, len(p.Data)+ethernetHeader)
	if !queued {
		w.drops.UpQueue++
	}
	w.mu.Unlock()
	if !queued {
		w.pool.Put(p.Data)
		return
	}
	if w.leaving.used {
		w.leave(p, at)
		return
	}
	w.upLine.Send(p, at)
}

// pass returns when a packet passes the tap that is due at due: then, but never before the one that passed last, which it could
// be if a thread came to it late. w.mu is held.
func (w *wan) pass(due int64) int64 {
	w.passed = max(w.passed, due)
	return w.passed
}

// done is when a task that is due now is done.
func (w *wan) done(t latency.Task) int64 {
	now := w.clock.Now()
	if w.turn == nil {
		return now
	}
	return w.turn(now, t)
}

func (w *wan) tapUp(p *packet.Packet) {
	w.mu.Lock()
	now := w.pass(p.At)
	at, kept := w.upPath.Send(now)
	w.mu.Unlock()
	kept = w.tap(now, p, kept)
	if !kept {
		w.pool.Put(p.Data)
		return
	}
	w.upPathLine.Send(p, at)
}

// tap notes a packet that leaves at a moment; kept tells whether it is to go on, and the answer whether it does.
func (w *wan) tap(now int64, p *packet.Packet, kept bool) bool {
	if w.rows.begin(now, packet.Up, p.Data, p.Lineage, true, !kept) > 0 {
		return kept
	}
	w.mu.Lock()
	w.drops.AfterEnd++
	w.mu.Unlock()
	return false
}

// down takes an IP packet that the internet sends to the home, and owns it.
func (w *wan) down(p *packet.Packet) {
	w.farLine.Send(p, p.At+w.away(packet.IPv4(p.Data).Source()))
}

// away is what the distance of the cloud that an address belongs to adds to the round trip, ns.
func (w *wan) away(from [4]byte) int64 {
	f := &w.farOf[from[3]%uint8(len(w.farOf))]
	if from != f.from {
		*f = farOf{from, w.far[netip.AddrFrom4(from)]}
	}
	return f.extra
}

// arrived queues a packet at the home's side of the internet.
func (w *wan) arrived(p *packet.Packet) {
	w.mu.Lock()
	at, ok := w.downPath.Send(p.At)
	if !ok {
		w.drops.DownPath++
	} else if at, ok = w.downQueue.Send(at, len(p.Data)+ethernetHeader); !ok {
		w.drops.DownQueue++
	}
	w.mu.Unlock()
	if !ok {
		w.pool.Put(p.Data)
		return
	}
	w.downLine.Send(p, at)
}

func (w *wan) tapDown(p *packet.Packet) {
	if w.tunnel {
		w.tapDownTunnel(p)
		return
	}
	w.tapUntil(p.At)
	w.mu.Lock()
	now := w.pass(p.At)
	w.mu.Unlock()
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
	at := w.done(latency.TaskTapDown)
	l := w.owner(p, r, outer.Unknown, outer.Key{})
	switch {
	case r.Verdict != nat.Translated:
		w.rows.complete(row, l, true)
		w.pool.Put(p.Data)
		return
	case l.Unit < 0: // for the gateway itself
		w.rows.complete(row, l, false)
	default:
		w.rows.attribute(row, l)
	}
	l.Row = row
	p.At, p.Lineage = at, l
	w.toHome(p)
}

func (w *wan) tapDownTunnel(p *packet.Packet) {
	w.tapUntil(p.At)
	w.mu.Lock()
	now := w.pass(p.At)
	w.mu.Unlock()
	p.At = w.done(latency.TaskTapDown)
	kind, key := outerOf(p.Data)
	l := unsolicitedLineage()
	switch kind {
	case outer.Data:
		l = w.owner(p, nat.Result{}, kind, key)
	case outer.Unknown:
	default:
		l = tunnelOwn(kind)
	}
	l.Row = w.rows.begin(now, packet.Down, p.Data, l, kind != outer.Data, false)
	if l.Row == 0 {
		w.mu.Lock()
		w.drops.AfterEnd++
		w.mu.Unlock()
		w.pool.Put(p.Data)
		return
	}
	p.Lineage = l
	w.toHome(p)
}

// dropped returns the counts so far.
func (w *wan) dropped() wanDrops {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drops
}

// unseen notes what a home's air and its WAN lost beside the tap, where no row tells of it, by cause.
func (d wanDrops) unseen(drops map[string]int64, a accesspoint.Drops) {
	drops["spoofed"], drops["air"], drops["no_station"] = a.Spoofed, a.Air, a.Unknown
	drops["wan_down_path"], drops["wan_down_queue"] = d.DownPath, d.DownQueue
}

// outerOf classifies an IPv4 packet on the wire beside a tunnel.
func outerOf(ip []byte) (outer.Kind, outer.Key) {
	h, ok := packet.ParseIPv4(ip)
	if !ok || h.Protocol() != packet.ProtoUDP {
		return outer.Unknown, outer.Key{}
	}
	u, ok := packet.ParseUDP(ip[h.HeaderLength():])
	if !ok {
		return outer.Unknown, outer.Key{}
	}
	return outer.Parse(u.Payload())
}

func gatewayOwn() packet.Lineage {
	return packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone, Role: packet.RoleData}
}

func unsolicitedLineage() packet.Lineage {
	return packet.Lineage{Unit: packet.UnitInternet, Event: packet.EventNone, Role: packet.RoleUnsolicited}
}

func tunnelOwn(kind outer.Kind) packet.Lineage {
	l := gatewayOwn()
	l.Role = packet.RoleTunnelHandshake
	if kind == outer.Keepalive {
		l.Role = packet.RoleTunnelKeepalive
	}
	return l
}
