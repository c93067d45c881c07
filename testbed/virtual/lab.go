// Package virtual runs homes in a discrete-event world: one home is one goroutine and one clock, days take seconds, and equal seeds give
// equal bytes. It needs no privilege and no kernel. Hosts are models (emulator/virtual); script, access point, NAPT, WAN, tap and labels
// are the live world's. The caller's goroutine runs the home and gets all callbacks.
package virtual

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/pan"
	"glasshouse/emulator/unsolicited"
	"glasshouse/emulator/virtual"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/emulator/wire/secure"
	"glasshouse/gateway/accesspoint"
	"glasshouse/gateway/link"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
	"glasshouse/gateway/tunnel/wgmodel"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/write"
	"glasshouse/testbed/homenet"
	"glasshouse/testbed/label"
	"glasshouse/testbed/run"
	"glasshouse/testbed/wan"
)

// Order says which home to live, and how its files are written.
type Order struct {
	Scenario *scenarios.Scenario
	Home     *scenarios.Home
	Names    *label.Labeller
	Duration time.Duration
	Density  float64
	Dir      string         // of the home's files: absent
	Chains   *secure.Chains // shared among homes; may be nil
	Options  write.DirectOptions

	KeepCut  bool                                        // if ctx ends, what was lived until then is kept
	Progress func(simulated time.Duration, n run.Counts) // now and then; may be nil
	OnRow    func(*dataset.Row)                          // each WAN packet, in order; may be nil
	OnEvent  func(dataset.Event)
	OnTap    func(o *dataset.Observation, ip []byte) // each WAN packet when it passes the tap, its row comes later; may be nil
	Look     int                                     // bytes of a frame that OnTap looks at, at most; 0 = headers
}

// Result is what came of a home.
type Result struct {
	Counts    dataset.Counts
	Fidelity  dataset.Fidelity
	Files     map[string]string // sha256 by name
	Packets   run.Counts
	Reasons   []string
	Simulated time.Duration
	Cut       bool // ctx ended first
}

// lab is one home in the virtual world: all of it runs on one goroutine, by one clock.
type lab struct {
	o        Order
	clock    *clock.Virtual
	pool     *packet.Pool
	net      *virtual.Net
	ap       *accesspoint.AccessPoint
	wan      *wan.WAN
	rows     *label.Rows
	files    *write.DirectHome
	client   *wgmodel.End
	server   *wgmodel.End
	seal     [4]*link.DelayLine // into and out of the tunnel's ends
	sealer   [4]*latency.Worker
	toServer *link.DelayLine // from the clouds, each its own way off, to the tunnel's far end
	own      *latency.Worker // the WAN's thread
	far      *latency.Worker // whose timers hold back what comes from far

	byAddr  map[netip.Addr]int32 // units
	ownAddr netip.Addr           // the address that byAddr was asked for last, and what it told
	ownUnit int32
	owned   bool

	agenda *script.Agenda
	radios *pan.Air // nil where no unit is a hub, and where nobody listens
	open   map[int64]*dataset.Event
	n      run.Counts
	up     int64 // LAN frames that left towards the WAN
	upSeen int64 // of these, seen by the tap
	down   int64 // LAN frames that came from the WAN
}

// bootTime is when the virtual world's machines are switched on: script time 0 lies so far ahead, as in the live world.
const bootTime = -int64(2 * time.Second)

// Simulate lives a home from its start to its end and writes its files.
func Simulate(ctx context.Context, o Order) (*Result, error) {
	l := &lab{o: o, clock: clock.NewVirtual(bootTime), pool: packet.NewLocalPool(), open: make(map[int64]*dataset.Event)}
	var err error
	if l.files, err = write.CreateDirectHome(o.Dir, o.Options); err != nil {
		return nil, err
	}
	if err := l.build(); err != nil {
		return nil, errors.Join(err, l.files.Abort())
	}
	cut := l.live(ctx)
	if cut && !o.KeepCut {
		return nil, errors.Join(context.Cause(ctx), l.files.Abort())
	}
	r, err := l.finish()
	if err == nil {
		r.Cut = cut
	}
	return r, err
}

func (l *lab) tunnelled() bool { return homenet.Tunnelled(l.o.Scenario) }

// fill is how many bytes of a frame are looked at: what a capture keeps.
func (l *lab) fill() int {
	switch {
	case !l.o.Options.Captures:
		return max(1, l.o.Look) // headers, and what an observer looks at
	case l.o.Options.Snaplen > 0:
		return l.o.Options.Snaplen
	}
	return 0
}

func (l *lab) build() error {
	h := l.o.Home
	l.byAddr = make(map[netip.Addr]int32, len(h.Specimens))
	for _, s := range h.Specimens {
		l.byAddr[s.Addr] = s.Index
	}
	l.rows = label.NewRows(func(at int64, dir int8, ip []byte, o *dataset.Observation) {
		l.files.WAN(o, at, dir, ip, len(ip))
		if l.o.OnTap != nil {
			l.o.OnTap(o, ip)
		}
	}, l.emit)
	l.rows.GuardBy(l.clock)
	noise := packet.NewNoise(h.Seed, 0x6e6f697365)
	l.wan = wan.New(wan.Config{Home: h, Tunnel: l.tunnelled(), Clock: l.clock, Pool: l.pool, Rows: l.rows, World: l})
	if err := l.join(noise); err != nil {
		return err
	}
	c := virtual.Config{
		Clock: l.clock, Pool: l.pool, Noise: noise, Seed: h.Seed, Specimens: h.Specimens, Names: homenet.Names(h),
		DNS: h.DNS, NTP: h.NTP, LAN: h.LAN, Router: h.GatewayLAN, RouterMAC: h.GatewayMAC, RouterARP: h.Router.ARP,
		Outside: h.WANAddr, MTU: homenet.MTU,
		EpochNs: l.o.Options.EpochNs, Lease: int64(homenet.Lease), Chains: l.o.Chains, Activity: l.o.Names.Activity, Fill: l.fill(),
		Unsummed:    !l.o.Options.Captures,
		FromStation: l.fromStation, FromRouter: l.fromRouter, ToWAN: l.toWAN, ToHome: l.fromInternet, Behind: l.wan.Peer,
	}
	if l.tunnelled() {
		c.MTU, c.Outside = homenet.TunnelMTU, homenet.TunnelClient()
	}
	c.Peer, c.HasPeer = h.Peer()
	var err error
	if l.net, err = virtual.NewNet(c); err != nil {
		return err
	}
	l.own = l.net.Latency().NewWorker()
	l.far = l.net.Latency().NewWorker()
	for i := range l.sealer {
		l.sealer[i] = l.net.Latency().NewWorker()
	}
	air := l.net.Latency().NewWorker()
	stations := make([]accesspoint.Station, len(h.Specimens))
	for i := range h.Specimens {
		stations[i] = homenet.Station(&h.Specimens[i])
		stations[i].Deliver = l.net.Host(i).Receive
		l.net.Host(i).Boot(bootTime/2 + int64(i)*int64(time.Millisecond))
	}
	l.ap = accesspoint.New(accesspoint.Config{
		Clock: l.clock, GatewayMAC: h.GatewayMAC, Stations: stations, Medium: accesspoint.Medium(h.Medium()), Seed: h.Seed, Pool: l.pool,
		Capture:   func(at int64, frame []byte) int64 { l.n.LAN++; return l.files.LAN(at, frame, len(frame)) },
		ToGateway: l.toGateway,
		Turn:      func(due int64) int64 { return air.Turn(due, latency.TaskUp) },
		Pace:      l.net.Latency().Pace,
		Late:      l.net.Latency().Deliver,
		Downlink:  func(x packet.Lineage, lost bool) { l.rows.Complete(x.Row, x, lost) },
	})
	return nil
}

// toGateway hands the router's kernel a frame that the access point has for it.
func (l *lab) toGateway(p *packet.Packet) {
	if l.net.Routed(p.Data) {
		l.up++
	}
	l.net.FromLAN(p)
}

func (l *lab) fromStation(i int, p *packet.Packet) { l.ap.Transmit(i, p) }

// fromRouter takes a frame of the gateway's for the LAN. Those that carry a WAN packet are not in l.up.
func (l *lab) fromRouter(p *packet.Packet) {
	if p.Lineage.Row != 0 {
		l.down++
	}
	l.ap.FromGatewayAt(p)
}

// Owner implements wan.World: it says whose a packet from the internet is, which bears its lineage. Where the NAPT has given a port to
// another device since, a late packet for the old one is the new one's, to which it is delivered.
func (l *lab) Owner(p *packet.Packet, r nat.Result, kind outer.Kind, _ outer.Key) packet.Lineage {
	if kind != outer.Data && r.LAN.IsValid() && r.LAN.Addr() == l.o.Home.WANAddr {
		return label.Gateway()
	}
	x := p.Lineage
	if r.Verdict == nat.Translated && kind != outer.Data {
		if a := r.LAN.Addr(); a != l.ownAddr {
			l.ownAddr = a
			l.ownUnit, l.owned = l.byAddr[a]
		}
		if unit := l.ownUnit; l.owned && unit != x.Unit {
			x = packet.Lineage{Unit: unit, Event: packet.EventNone, Role: x.Role}
		}
	}
	return x
}

// live runs the script, and time with it, until the duration is over or ctx ends: then the duration is what was lived.
func (l *lab) live(ctx context.Context) (cut bool) {
	end := l.o.Duration.Nanoseconds()
	l.agenda = l.o.Home.Agenda(l.o.Duration, l.o.Density)
	if l.o.Options.Captures && l.o.Options.LAN { // nobody else hears it
		l.radios = pan.New(l.o.Home.Specimens, func(radio profile.Radio, at int64, frame []byte) { l.files.Air(string(radio), at, frame) })
	}
	l.next()
	l.net.Poll(homenet.TimeServer(l.o.Home))
	l.net.QueryGroups(l.o.Home.Router.IGMPQuery)
	l.sendUnsolicited()
	const step = int64(time.Second)
	last := time.Duration(0)
	for at := int64(0); ; at = min(at+step, end) {
		l.clock.Run(at)
		l.wan.TapUntil(at)
		l.rows.Expire(at)
		l.radios.Advance(at)
		if at == end {
			break
		}
		if cut = ctx.Err() != nil; cut {
			end = at
			l.o.Duration = time.Duration(at)
			break
		}
		if done := time.Duration(at); l.o.Progress != nil && done-last >= 10*time.Minute {
			last = done
			l.o.Progress(done, l.n)
		}
	}
	l.rows.Close()
	l.clock.Run(end + label.RowTimeout) // what has passed the tap still gets its truth
	l.rows.Expire(clock.Forever / 2)
	return cut
}

// next schedules the next activity of the script, a little before its time: hosts wait for the moment themselves.
func (l *lab) next() {
	const lead = int64(250 * time.Millisecond)
	p, ok := l.agenda.Next()
	if !ok {
		return
	}
	l.clock.Schedule(max(p.Activity.At-lead, l.clock.Now()), clock.Func(func(now int64, _ uint64) {
		l.begin(&p, now)
		l.next()
	}), 0)
}

func (l *lab) begin(p *script.Planned, now int64) {
	s, a := &l.o.Home.Specimens[p.Unit], &p.Activity
	e := label.NewEvent(p.Event, s, a)
	e.TStart = max(a.At, now)
	l.open[p.Event] = e
	l.radios.Event(p)
	l.net.Host(int(p.Unit)).Perform(a, p.Event, func(outcome string, at int64) {
		if at > l.o.Duration.Nanoseconds() {
			return // the run is over: as in the live world, it was cut
		}
		e.Outcome, e.TEnd = outcome, at
		delete(l.open, e.Event)
		l.event(e)
	})
}

func (l *lab) event(e *dataset.Event) {
	l.files.Event(e)
	if l.o.OnEvent != nil {
		l.o.OnEvent(*e)
	}
}

// sendUnsolicited lets the internet send the home packets that nobody asked for.
func (l *lab) sendUnsolicited() {
	source := unsolicited.New(l.o.Home.Seed, l.o.Home.WAN.Unsolicited)
	var next func()
	next = func() {
		s, ok := source.Next()
		if !ok || s.At > l.o.Duration.Nanoseconds() {
			return
		}
		l.clock.Schedule(s.At, clock.Func(func(int64, uint64) {
			l.net.Unsolicited(s, l.o.Home.WANAddr, label.Unsolicited(), l.wan.Down)
			next()
		}), 0)
	}
	next()
}

// emit is called for each WAN packet, in order, when its truth is complete.
func (l *lab) emit(o *dataset.Observation, x packet.Lineage, lost bool) {
	l.n.WAN++
	if o.Dir == packet.Up {
		l.n.Up++
		if x.LANFrame != 0 {
			l.upSeen++
		}
	} else {
		l.n.Down++
	}
	if x.Unit == packet.UnitUnknown {
		l.n.Unattributed++
	}
	l.files.Row(o, x, lost)
	if l.o.OnRow != nil {
		row := dataset.Row{Observation: *o}
		row.Lost = lost
		l.o.Names.Label(&row, x)
		l.o.OnRow(&row)
	}
}
