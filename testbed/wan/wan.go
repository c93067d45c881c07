// Package wan is what lies between a home's gateway and its internet provider: NAPT or tunnel, the WAN queue, the tap at which an
// observer watches, and the path behind it. Both worlds run it. It does not model routes that change, nor other homes that share the
// provider's link.
package wan

import (
	"net/netip"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/accesspoint"
	"glasshouse/gateway/link"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
	"glasshouse/scenarios"
	"glasshouse/testbed/label"
)

// WAN is the way of a packet between the gateway's eth0 and the internet: NAPT or tunnel, the WAN queue, the tap, the path.
// Both worlds run this code; what differs is who calls up and down, and World. Any goroutine may call in the live world, one alone
// does in the virtual.
//
//	up ─▶ NAPT ─▶ queue ─▶ TAP ─▶ path (delay, jitter, loss) ─▶ toISP
//	toHome ◀─ owner, NAPT ◀─ TAP ◀─ queue ◀─ path ◀─ far end's delay ◀─ down
//
// The tap lies at the home's end of the line. What it sees has the time at which the line has carried it, which the queues
// give; that a thread hears of it later is counted as timer lateness and does not show.
type WAN struct {
	clock clock.Clock
	pool  *packet.Pool
	rows  *label.Rows

	tunnel bool // packets are the tunnel's: nothing is translated
	far    map[netip.Addr]int64
	world  World

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
	drops     Drops
}

// World is what lies on both sides of a home's WAN, and differs between the worlds. Its methods are called while no lock is held.
type World interface {
	// Owner says whose a packet from the internet is; r is what the NAPT did with it. Behind a tunnel, kind is what the outer packet
	// is, and r is the zero value.
	Owner(p *packet.Packet, r nat.Result, kind outer.Kind, key outer.Key) packet.Lineage
	// ToHome takes what passed the tap and the NAPT; its Lineage.Row awaits its truth if a device owns it.
	ToHome(p *packet.Packet)
	// ToISP takes what has crossed the WAN.
	ToISP(p *packet.Packet)
	// Done says when a step that is due now is really done: a program's thread has its slowness, which in the live world is there
	// already.
	Done(now int64, s Step) int64
}

// Step is something that a thread of a WAN does to a packet, and that takes it a moment.
type Step uint8

// Steps: the packet's arrival at the internet, and its passing the tap on its way down.
const (
	StepArrive Step = iota
	StepTapDown
)

// farOf is how far an address is beyond the home's way to the internet, ns.
type farOf struct {
	from  [4]byte
	extra int64
}

// Drops counts packets that ended inside the path, by cause.
type Drops struct {
	UpQueue   int64 // before the tap: the WAN queue was full
	DownQueue int64 // before the tap
	DownPath  int64 // lost on the path before the queue: never seen
	UpNAT     int64 // the NAPT refused it, before the tap
	AfterEnd  int64 // came to the tap after the run's end
}

// Config says what a home's WAN is like.
type Config struct {
	Home   *scenarios.Home
	Tunnel bool // what leaves is the tunnel's
	Clock  clock.Clock
	Pool   *packet.Pool
	Rows   *label.Rows // what passes the tap
	World  World
}

// New sets a home's WAN up.
func New(c Config) *WAN {
	h := c.Home
	path := h.WAN
	loss := float64(path.Loss) / 1e6
	w := &WAN{
		clock: c.Clock, pool: c.Pool, rows: c.Rows, tunnel: c.Tunnel, far: h.FarDelays(), world: c.World,
		upQueue: link.NewQueue(path.UpRate, path.Queue, path.Grant), downQueue: link.NewQueue(path.DownRate, path.Queue, 0),
		upPath: link.NewPath(path.Delay, path.Jitter, loss, h.Seed, 1), downPath: link.NewPath(path.Delay, path.Jitter, loss, h.Seed, 2),
	}
	if !c.Tunnel {
		w.napt = nat.NewNAPT(nat.NewTable(nat.TableConfig{WAN: h.WANAddr}))
	}
	w.mu.For(c.Clock)
	w.leaving.used = clock.OneGoroutine(c.Clock)
	w.lines()
	return w
}

// lines makes the delay lines; their far ends call back into w.
func (w *WAN) lines() {
	w.farLine = link.NewDelayLine(w.clock, w.arrived)
	w.upLine = link.NewDelayLine(w.clock, w.tapUp)
	w.upPathLine = link.NewDelayLine(w.clock, func(p *packet.Packet) {
		w.TapUntil(p.At)
		p.At = w.world.Done(w.clock.Now(), StepArrive)
		w.world.ToISP(p)
	})
	w.downLine = link.NewDelayLine(w.clock, w.tapDown)
	for _, l := range []*link.DelayLine{w.farLine, w.upLine, w.upPathLine, w.downLine} {
		l.InlineWhenDue = true
	}
}

// Close ends the WAN: nothing is sent or delivered after it.
func (w *WAN) Close() {
	for _, l := range []*link.DelayLine{w.farLine, w.upLine, w.upPathLine, w.downLine} {
		l.Close()
	}
}

// Up takes an IP packet that leaves by eth0 at p.At, with its lineage, and owns it.
func (w *WAN) Up(p *packet.Packet) {
	w.mu.Lock()
	if !w.tunnel {
		if r := w.napt.Up(p.At, p.Data); r.Verdict != nat.Translated {
			w.drops.UpNAT++
			w.mu.Unlock()
			w.pool.Put(p.Data)
			return
		}
	}
	at, queued := w.upQueue.Send(p.At, len(p.Data)+packet.EthernetHeader)
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
func (w *WAN) pass(due int64) int64 {
	w.passed = max(w.passed, due)
	return w.passed
}

func (w *WAN) tapUp(p *packet.Packet) {
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
func (w *WAN) tap(now int64, p *packet.Packet, kept bool) bool {
	if w.rows.Begin(label.Passing{At: now, Dir: packet.Up, IP: p.Data, Lineage: p.Lineage, Done: true, Lost: !kept}) > 0 {
		return kept
	}
	w.mu.Lock()
	w.drops.AfterEnd++
	w.mu.Unlock()
	return false
}

// Down takes an IP packet that the internet sends to the home, and owns it.
func (w *WAN) Down(p *packet.Packet) {
	w.farLine.Send(p, p.At+w.Away(packet.IPv4(p.Data).Source()))
}

// Away is what the distance of the cloud that an address belongs to adds to the round trip, ns.
func (w *WAN) Away(from [4]byte) int64 {
	f := &w.farOf[from[3]%uint8(len(w.farOf))]
	if from != f.from {
		*f = farOf{from, w.far[netip.AddrFrom4(from)]}
	}
	return f.extra
}

// arrived queues a packet at the home's side of the internet.
func (w *WAN) arrived(p *packet.Packet) {
	w.mu.Lock()
	at, ok := w.downPath.Send(p.At)
	if !ok {
		w.drops.DownPath++
	} else if at, ok = w.downQueue.Send(at, len(p.Data)+packet.EthernetHeader); !ok {
		w.drops.DownQueue++
	}
	w.mu.Unlock()
	if !ok {
		w.pool.Put(p.Data)
		return
	}
	w.downLine.Send(p, at)
}

func (w *WAN) tapDown(p *packet.Packet) {
	if w.tunnel {
		w.tapDownTunnel(p)
		return
	}
	w.TapUntil(p.At)
	w.mu.Lock()
	now := w.pass(p.At)
	w.mu.Unlock()
	row := w.rows.Begin(label.Passing{At: now, Dir: packet.Down, IP: p.Data, Lineage: packet.Unattributed()})
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
	at := w.world.Done(w.clock.Now(), StepTapDown)
	l := w.world.Owner(p, r, outer.Unknown, outer.Key{})
	switch {
	case r.Verdict != nat.Translated:
		w.rows.Complete(row, l, true)
		w.pool.Put(p.Data)
		return
	case l.Unit < 0: // for the gateway itself
		w.rows.Complete(row, l, false)
	default:
		w.rows.Attribute(row, l)
	}
	l.Row = row
	p.At, p.Lineage = at, l
	w.world.ToHome(p)
}

func (w *WAN) tapDownTunnel(p *packet.Packet) {
	w.TapUntil(p.At)
	w.mu.Lock()
	now := w.pass(p.At)
	w.mu.Unlock()
	p.At = w.world.Done(w.clock.Now(), StepTapDown)
	kind, key := label.OuterOf(p.Data)
	l := label.Unsolicited()
	switch kind {
	case outer.Data:
		l = w.world.Owner(p, nat.Result{}, kind, key)
	case outer.Unknown:
	default:
		l = label.Tunnel(kind)
	}
	l.Row = w.rows.Begin(label.Passing{At: now, Dir: packet.Down, IP: p.Data, Lineage: l, Done: kind != outer.Data})
	if l.Row == 0 {
		w.mu.Lock()
		w.drops.AfterEnd++
		w.mu.Unlock()
		w.pool.Put(p.Data)
		return
	}
	p.Lineage = l
	w.world.ToHome(p)
}

// Peer tells whom a server talks to that is called from an address and port of the home's: behind NAPT its port is a translated one.
func (w *WAN) Peer(proto uint8, seen netip.AddrPort) (netip.AddrPort, bool) {
	if w.tunnel {
		return seen, true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.napt.Table().Peer(proto, seen.Port())
}

// Dropped returns the counts so far.
func (w *WAN) Dropped() Drops {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drops
}

// Unseen notes what a home's air and its WAN lost beside the tap, where no row tells of it, by cause.
func (d Drops) Unseen(drops map[string]int64, a accesspoint.Drops) {
	drops["spoofed"], drops["air"], drops["no_station"] = a.Spoofed, a.Air, a.Unknown
	drops["wan_down_path"], drops["wan_down_queue"] = d.DownPath, d.DownQueue
}
