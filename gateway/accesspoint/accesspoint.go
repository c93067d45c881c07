// Package accesspoint is the Wi-Fi side of the home router: it stamps frames with the station that they come from, captures them, and
// carries them between stations and the gateway, with the medium's delay, jitter, loss and power save, and each station's measured pace.
//
// An AccessPoint is safe for concurrent use; what it delivers it delivers on its clock's goroutine, or, over an ideal medium, on the
// sender's. Not modelled: contention for the air, rate adaptation, aggregation other than by measured pace, association, encryption.
package accesspoint

import (
	"encoding/binary"
	"net/netip"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/dice"
	"glasshouse/gateway/link"
)

// Medium is the Wi-Fi between the stations and the access point.
type Medium struct {
	Delay   int64   // ns, each way
	Jitter  int64   // ns, added uniformly from [0, Jitter]
	Loss    float64 // probability that a frame is lost after all its retries
	Beacon  int64   // ns between beacons at which a dozing station fetches what waits for it; 0 = no power save
	AwakeNs int64   // ns for which a station stays awake after its last frame
}

// Station is one associated device.
type Station struct {
	Unit    int32
	MAC     [6]byte
	Addr    netip.Addr         // its lease: any other IPv4 source is dropped
	Doze    []int64            // quantiles, in equal steps, of the ns that a frame waits for it where it has been silent
	Acks    []int64            // quantiles, in equal steps, of the ns by which it acknowledges a lone segment late; none: as its kernel does
	Pace    Pace               // how its frames follow each other where it has several to send; zero: as fast as they come
	Deliver func(frame []byte) // puts the frame on the station's interface; owns it
}

// Config says whom an access point serves, and where its frames go.
type Config struct {
	Clock      clock.Clock
	GatewayMAC [6]byte
	Stations   []Station
	Medium     Medium
	Seed       uint64
	Pool       *packet.Pool
	// Capture records a frame as the access point saw it and returns its 1-based number.
	Capture func(at int64, frame []byte) int64
	// ToGateway takes a frame for the gateway's own interface: Lineage.Unit is the station that sent it, LANFrame its number.
	// It owns the frame, and must not keep p.
	ToGateway func(p *packet.Packet)
	// Turn, if there is one, says when a frame that is due now is really taken: a program's thread has its slowness.
	Turn func(due int64) int64
	// Pace, if there is one, says how long after a frame the next can come to the same station: a program's thread has its slowness.
	Pace func() int64
	// Late, if there is one, says how much later than it is due a frame is handed to a station, for the same reason.
	Late func(due int64) int64
	// Downlink tells that a frame which carries a WAN packet was captured (p.Lineage.LANFrame), and whether the air then lost it.
	Downlink func(l packet.Lineage, lost bool)
}

// AccessPoint is the Wi-Fi side of the home router: it stamps each frame with the station that it came from, captures it,
// and bridges it to the gateway or to other stations. Frames of one direction keep their order, but for a dozing station.
type AccessPoint struct {
	c       Config
	byMAC   map[[6]byte]int
	found   int             // the station that byMAC told last; -1 = none
	up      *link.DelayLine // frames in the air towards the access point
	down    *link.DelayLine
	held    *link.DelayLine // acknowledgements that their stations send late
	late    lateAcks
	pacers  []pacer
	paced   bool  // a station is
	seen    int64 // ns: the newest frame's capture, where one is
	mu      clock.Guard
	ideal   bool
	dice    dice.Dice
	loss    dice.Odds
	leases  []uint32
	awake   []int64 // per station: until when it listens
	lastUp  []int64 // per station: keeps its frames in order under jitter
	lastDn  []int64
	groups  groups
	dropped Drops
}

// Drops counts the frames that an access point did not pass on, by cause.
type Drops struct {
	Air     int64 // lost on the air
	Spoofed int64 // source address is not the station's lease
	Unknown int64 // no station has the destination
}

// New returns an access point; Close ends its delay lines.
func New(c Config) *AccessPoint {
	a := &AccessPoint{
		c: c, byMAC: make(map[[6]byte]int), found: -1, dice: dice.New(c.Seed, 0x77696669), loss: dice.OddsOf(c.Medium.Loss),
		awake: make([]int64, len(c.Stations)), lastUp: make([]int64, len(c.Stations)), lastDn: make([]int64, len(c.Stations)),
	}
	a.mu.For(c.Clock)
	a.pacers = make([]pacer, len(c.Stations))
	for i, s := range c.Stations {
		a.pacers[i].state = -1
		a.paced = a.paced || s.Pace.given()
		a.byMAC[s.MAC] = i
		a.leases = append(a.leases, packet.Number4(s.Addr))
	}
	a.up, a.down, a.held = link.NewDelayLine(c.Clock, a.received), link.NewDelayLine(c.Clock, a.deliver), link.NewDelayLine(c.Clock, a.release)
	// Over an ideal medium nothing is ever held, and frames pass on their sender's goroutine. Otherwise all take the lines:
	// one that is due must not overtake one whose timer is late.
	a.ideal = c.Medium.Delay == 0 && c.Medium.Jitter == 0 && c.Medium.Beacon == 0
	for i := range c.Stations {
		a.ideal = a.ideal && len(c.Stations[i].Doze) < 2 && !c.Stations[i].Pace.given()
	}
	return a
}

// Close drops what is in the air.
func (a *AccessPoint) Close() {
	a.up.Close()
	a.down.Close()
	a.held.Close()
}

// Drops returns the counts so far.
func (a *AccessPoint) Drops() Drops {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dropped
}

// FromStation takes a frame that station i (index in the configuration) has sent, and owns it.
func (a *AccessPoint) FromStation(i int, frame []byte) {
	a.Transmit(i, &packet.Packet{
		Data: frame, At: a.c.Clock.Now(), Lineage: packet.Lineage{Unit: a.c.Stations[i].Unit, Event: packet.EventNone},
	})
}

// Transmit is FromStation for a frame that leaves the station at p.At, which is not in the past, with a lineage that is known.
// It keeps a copy of p.
func (a *AccessPoint) Transmit(i int, p *packet.Packet) {
	if q := a.c.Stations[i].Acks; len(q) > 1 {
		a.mu.Lock()
		since, name, hold := a.late.up(i, p.Data)
		if hold {
			since += a.draw(q)
		}
		a.mu.Unlock()
		if hold {
			a.held.SendRow(p, max(p.At, since), name)
			return
		}
	}
	a.transmit(i, p)
}

// transmit is Transmit for a frame that is not held back.
func (a *AccessPoint) transmit(i int, p *packet.Packet) {
	a.mu.Lock()
	lost := a.lostInAir()
	at := max(p.At+a.airTime(), a.lastUp[i])
	if s := &a.c.Stations[i]; s.Pace.given() {
		at = a.pacers[i].next(&s.Pace, a.dice, p.At, a.lastUp[i], at)
	}
	a.lastUp[i] = at
	a.awake[i] = max(a.awake[i], at+a.listens(i))
	if lost {
		a.dropped.Air++
	}
	a.mu.Unlock()
	if lost {
		a.c.Pool.Put(p.Data)
		return
	}
	if a.ideal && at <= a.c.Clock.Now() {
		a.up.DeliverNow(p, p.At, int64(i))
		return
	}
	a.up.SendRow(p, at, int64(i))
}

// received handles a frame that has crossed the air. Row carries the station's index until here.
func (a *AccessPoint) received(p *packet.Packet) {
	i := int(p.Lineage.Row)
	p.Lineage.Row = 0
	switch {
	case a.c.Stations[i].Pace.given(): // its radio's time, not that of the program
	case a.c.Turn != nil:
		p.At = a.c.Turn(a.c.Clock.Now())
	default:
		p.At = a.c.Clock.Now()
	}
	p.At = a.inOrder(p.At)
	if len(p.Data) < packet.EthernetHeader || !a.ownSource(i, p.Data) {
		a.mu.Lock()
		a.dropped.Spoofed++
		a.mu.Unlock()
		a.c.Pool.Put(p.Data)
		return
	}
	p.Lineage.LANFrame = a.c.Capture(p.At, p.Data)
	dst := packet.Ethernet(p.Data).Destination()
	switch {
	case dst == a.c.GatewayMAC:
		a.c.ToGateway(p)
	case packet.Ethernet(p.Data).Multicast():
		a.flood(p.Data, i)
		a.c.ToGateway(p)
	default:
		a.toStation(p, p.Lineage.LANFrame, dst)
	}
}

// ownSource tells whether an IPv4 frame or ARP message bears the station's own address, or none yet.
func (a *AccessPoint) ownSource(i int, frame []byte) bool {
	s := &a.c.Stations[i]
	f := packet.Ethernet(frame)
	if f.Source() != s.MAC {
		return false
	}
	var src [4]byte
	switch body := f.Payload(); f.EtherType() {
	case packet.EtherTypeIPv4:
		if len(body) < packet.IPv4Size {
			return false
		}
		src = packet.IPv4(body).Source()
	case packet.EtherTypeARP:
		if len(body) < packet.ARPSize {
			return false
		}
		src = packet.ARP(body).SenderProtocol()
	default:
		return true
	}
	if binary.BigEndian.Uint32(src[:]) == a.leases[i] {
		return true
	}
	addr := netip.AddrFrom4(src)
	return addr.IsUnspecified() || addr.IsLinkLocalUnicast()
}

// FromGateway takes a frame that the gateway's wireless interface has sent, and owns it. l.Row is the WAN packet that it
// carries, or 0.
func (a *AccessPoint) FromGateway(frame []byte, l packet.Lineage) {
	a.FromGatewayAt(&packet.Packet{Data: frame, At: a.c.Clock.Now(), Lineage: l})
}

// FromGatewayAt is FromGateway for a frame that leaves the interface at p.At, which is not in the past.
func (a *AccessPoint) FromGatewayAt(p *packet.Packet) {
	if len(p.Data) < packet.EthernetHeader {
		a.c.Pool.Put(p.Data)
		return
	}
	p.At = a.inOrder(p.At)
	number := a.c.Capture(p.At, p.Data)
	if packet.Ethernet(p.Data).Multicast() {
		frame := p.Data
		a.flood(frame, -1)
		a.c.Pool.Put(frame)
		return
	}
	a.toStation(p, number, packet.Ethernet(p.Data).Destination())
}

// toStation sends a frame, whose number is given, to the station that has an address.
func (a *AccessPoint) toStation(p *packet.Packet, number int64, mac [6]byte) {
	now := p.At
	a.mu.Lock()
	i, known := a.station(mac)
	lost := !known || a.lostInAir()
	at := now
	switch {
	case !known:
		a.dropped.Unknown++
	case lost:
		a.dropped.Air++
	default:
		at = a.arrival(i, now)
		if len(a.c.Stations[i].Acks) > 1 {
			a.late.down(i, p.Data, now)
		}
	}
	a.mu.Unlock()
	if l := p.Lineage; l.Row != 0 {
		l.LANFrame = number
		a.c.Downlink(l, lost)
	}
	if lost {
		a.c.Pool.Put(p.Data)
		return
	}
	if a.ideal && at <= a.c.Clock.Now() {
		a.c.Stations[i].Deliver(p.Data)
		return
	}
	a.down.SendRow(p, at, int64(i))
}

// station finds a station by its address: mostly it is the one before. a.mu is held.
func (a *AccessPoint) station(mac [6]byte) (i int, known bool) {
	if a.found >= 0 && a.c.Stations[a.found].MAC == mac {
		return a.found, true
	}
	if i, known = a.byMAC[mac]; known {
		a.found = i
	}
	return i, known
}

// arrival says when a frame sent now reaches station i: at once, or at the next beacon if it dozes. a.mu is held.
func (a *AccessPoint) arrival(i int, now int64) int64 {
	at := now
	if q := a.c.Stations[i].Doze; len(q) > 1 {
		if now > a.awake[i] {
			at += a.draw(q)
		}
	} else if a.dozes(i, now) {
		at = a.beacon(now)
	}
	behind := a.lastDn[i]
	if a.c.Pace != nil {
		behind += a.c.Pace()
	}
	if at += a.airTime(); a.c.Late != nil {
		at += a.c.Late(at)
	}
	at = max(at, behind)
	a.heard(i, at)
	return at
}

// heard notes when station i gets a frame. a.mu is held.
func (a *AccessPoint) heard(i int, at int64) {
	a.lastDn[i] = at
	a.awake[i] = max(a.awake[i], at+a.listens(i))
}

// dozes tells whether station i sleeps at a moment and hears the next beacon. a.mu is held.
func (a *AccessPoint) dozes(i int, now int64) bool { return a.c.Medium.Beacon > 0 && now > a.awake[i] }

// beacon is when the next one after a moment is sent.
func (a *AccessPoint) beacon(now int64) int64 {
	b := a.c.Medium.Beacon
	return (now/b + 1) * b
}

// draw draws from a distribution that is given by its quantiles. a.mu is held.
func (a *AccessPoint) draw(q []int64) int64 {
	k := a.dice.UpTo(int64(len(q) - 2))
	return q[k] + a.dice.UpTo(q[k+1]-q[k])
}

// dozesAfter is how long a station with measured sleep stays awake after a frame, ns. Assumed: it is below the way to a cloud and
// back in the captures that the sleep is learned from, and above the pauses within an upload.
const dozesAfter = int64(50e6)

// listens says how long station i stays awake after a frame.
func (a *AccessPoint) listens(i int) int64 {
	if len(a.c.Stations[i].Doze) > 1 {
		return dozesAfter
	}
	return a.c.Medium.AwakeNs
}

// deliver hands a frame to its station, or to all that hear it. Row carries the station's index until here, or the group's.
func (a *AccessPoint) deliver(p *packet.Packet) {
	if to := p.Lineage.Row; to >= 0 {
		a.c.Stations[to].Deliver(p.Data)
		return
	}
	a.deliverGroup(p)
}

func (a *AccessPoint) airTime() int64 {
	d := a.c.Medium.Delay
	if j := a.c.Medium.Jitter; j > 0 {
		d += a.dice.UpTo(j)
	}
	return d
}

func (a *AccessPoint) lostInAir() bool {
	return a.loss > 0 && a.dice.Happens(a.loss)
}
