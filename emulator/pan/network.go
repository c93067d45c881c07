package pan

import (
	"crypto/cipher"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

// LeadTime is how long before its activity's start an event is heard on the air at most, ns: Event is called that much before.
const LeadTime = int64(30e6)

const (
	linkStatusEvery = int64(15e9) // nwkLinkStatusPeriod, R22, 3.5.2
	pollAfter       = int64(20e6) // assumed: a kit asks for messages after its report
	repeats         = 8           // advertisements of one event, assumed
	repeatEvery     = int64(30e6) // ns between them, assumed
	fade            = 3           // dB up and down from frame to frame, assumed
)

// Air is what a home's hubs and kits send; nil where there are none. It is used from one goroutine at a time.
type Air struct {
	emit  func(radio profile.Radio, at int64, frame []byte)
	nets  []*network // by unit; nil of a device that is no hub
	queue []item     // a binary heap by (at, seq)
	seq   uint64
	now   int64 // nothing is given any more before
}

// network is a hub with its kits.
type network struct {
	pan  *script.PAN
	key  cipher.Block
	hub  node
	when *draw.Stream // of the air's small delays, drawn in the order of time
	lead *draw.Stream // of events, drawn in the order of the script: when Event is called does not matter
	kits []kit
}

// kit is a unit with what it sends by.
type kit struct {
	unit   *script.KitUnit
	d      *draw.Stream // of its times and readings
	node   node         // of Zigbee
	beacon beacon       // of Bluetooth
	open   bool         // a door
	told   bool         // a beacon tells of an event, until its next beat after telling
	until  int64        // its event's last repetition
	tenths int64        // degrees Celsius, tenths
	humid  int64        // relative humidity, tenths of a percent
}

// item is something that is due.
type item struct {
	at    int64
	seq   uint64
	what  task
	net   *network
	kit   int
	left  int // repetitions
	radio profile.Radio
	raw   []byte
}

type task uint8

const (
	taskBeat   task = iota // a kit's own rhythm
	taskReport             // a kit's event
	taskRepeat             // the same, once more
	taskPoll               // a Zigbee kit asks for what waits for it
	taskStatus             // the coordinator's
	taskRaw                // a frame that was made before
)

// New returns the air of a home. emit gets each frame with the radio that hears it and its script time, in their order; a frame
// is emit's to keep. It is nil where no unit is a hub.
func New(specimens []script.Specimen, emit func(radio profile.Radio, at int64, frame []byte)) *Air {
	a := &Air{emit: emit, nets: make([]*network, len(specimens))}
	hubs := 0
	for i := range specimens {
		s := &specimens[i]
		if s.PAN == nil {
			continue
		}
		hubs++
		n := &network{pan: s.PAN, key: newAES(s.PAN.NetworkKey), when: draw.New(s.Seed, "air"), lead: draw.New(s.Seed, "lead")}
		n.hub = newNode(n.when, 0, s.PAN.EUI64)
		a.nets[i] = n
		zigbee := false
		for j := range s.Kits {
			n.kits = append(n.kits, newKit(&s.Kits[j]))
			k := &n.kits[j]
			zigbee = zigbee || k.unit.Kit.Radio == profile.RadioZigbee
			a.push(item{at: k.d.N(k.unit.Kit.Every.Max), what: taskBeat, net: n, kit: j})
		}
		if zigbee {
			a.push(item{at: n.when.N(linkStatusEvery), what: taskStatus, net: n})
		}
	}
	if hubs == 0 {
		return nil
	}
	return a
}

// Radios returns the radios that a home's kits use: which captures it has.
func Radios(specimens []script.Specimen) (radios []profile.Radio) {
	for _, r := range []profile.Radio{profile.RadioZigbee, profile.RadioBLE} {
		if uses(specimens, r) {
			radios = append(radios, r)
		}
	}
	return radios
}

func uses(specimens []script.Specimen, r profile.Radio) bool {
	for i := range specimens {
		for j := range specimens[i].Kits {
			if specimens[i].Kits[j].Kit.Radio == r {
				return true
			}
		}
	}
	return false
}

func newKit(u *script.KitUnit) kit {
	d := draw.New(u.Seed, "air")
	k := kit{unit: u, d: d, tenths: 190 + d.N(50), humid: 350 + d.N(250)}
	if u.Kit.Radio == profile.RadioBLE {
		k.beacon = newBeacon(u)
		k.idle()
	} else {
		k.node = newNode(d, u.NwkAddr, u.EUI64)
	}
	return k
}

// Event tells the air of an activity that a kit reported. An activity of no kit is none of it.
func (a *Air) Event(p *script.Planned) {
	if a == nil || p.Activity.Kit == "" || a.nets[p.Unit] == nil {
		return
	}
	n := a.nets[p.Unit]
	for i := range n.kits {
		k := &n.kits[i]
		if k.unit.Name != p.Activity.Kit {
			continue
		}
		for _, at := range reportTimes(k.unit.Kit.Sensor, &p.Activity) {
			a.push(item{at: max(at-1-n.lead.N(LeadTime-1), a.now), what: taskReport, net: n, kit: i})
		}
	}
}

// reportTimes returns when a kit's reports have reached the hub: the script's times of the messages that they become. A door
// reports with each message up, anything else once.
func reportTimes(s profile.Sensor, a *script.Activity) []int64 {
	times := []int64{a.At}
	if s != profile.SensorDoor || len(a.Exchanges) == 0 {
		return times
	}
	x := &a.Exchanges[0]
	at, first := a.At+x.Offset, true
	for i := range x.Messages {
		m := &x.Messages[i]
		at += m.Wait
		if m.Dir != profile.Up {
			continue
		}
		if !first {
			times = append(times, at)
		}
		first = false
	}
	return times
}

// Advance gives all frames before a time.
func (a *Air) Advance(now int64) {
	if a == nil {
		return
	}
	a.now = max(a.now, now)
	for len(a.queue) > 0 && a.queue[0].at < now {
		x := a.pop()
		switch x.what {
		case taskBeat:
			k := &x.net.kits[x.kit]
			a.beat(x.net, x.kit, x.at)
			a.push(item{at: x.at + k.d.In(k.unit.Kit.Every), what: taskBeat, net: x.net, kit: x.kit})
		case taskReport:
			a.report(&x)
		case taskRepeat:
			k := &x.net.kits[x.kit]
			a.advertise(x.net, k, x.at)
			if x.left > 1 {
				a.push(item{at: x.at + repeatEvery, what: taskRepeat, net: x.net, kit: x.kit, left: x.left - 1})
			}
		case taskStatus:
			a.emit(profile.RadioZigbee, x.at, x.net.hub.neighbours(x.net.pan.PANID, x.net.key))
			a.push(item{at: x.at + linkStatusEvery + x.net.when.N(10_000_000), what: taskStatus, net: x.net})
		case taskRaw:
			a.emit(x.radio, x.at, x.raw)
		case taskPoll:
			a.acknowledged(x.net, x.at, x.net.kits[x.kit].node.poll(x.net.pan.PANID))
		}
	}
}

// beat is what a kit sends unasked: a battery's state, or an advertisement.
func (a *Air) beat(n *network, i int, at int64) {
	k := &n.kits[i]
	if k.unit.Kit.Radio == profile.RadioBLE {
		if k.unit.Kit.Sensor == profile.SensorTemperature {
			k.drift()
		}
		if at > k.until && (k.told || k.unit.Kit.Sensor == profile.SensorTemperature) {
			k.told = false
			k.idle()
		}
		a.advertise(n, k, at)
		return
	}
	k.drift()
	status := k.node.status(uint16(2900+k.d.N(150)), int8(k.tenths/10))
	a.send(n, i, at, k.node.report(n.pan.PANID, n.key, clusterBasic, status))
}

// report is a kit's event.
func (a *Air) report(x *item) {
	n, k := x.net, &x.net.kits[x.kit]
	if k.unit.Kit.Radio == profile.RadioBLE {
		k.announce()
		k.told, k.until = true, x.at+(repeats-1)*repeatEvery
		a.advertise(n, k, x.at)
		a.push(item{at: x.at + repeatEvery, what: taskRepeat, net: n, kit: x.kit, left: repeats - 1})
		return
	}
	cluster, zcl := k.reading()
	a.send(n, x.kit, x.at, k.node.report(n.pan.PANID, n.key, cluster, zcl))
}

// send puts a Zigbee kit's report on the air. A while later it asks its parent whether something waits for it: nothing does.
func (a *Air) send(n *network, kit int, at int64, frame []byte) {
	a.acknowledged(n, at, frame)
	a.push(item{at: at + pollAfter + n.when.N(pollAfter), what: taskPoll, net: n, kit: kit})
}

// acknowledged puts a frame on the air, which the hub acknowledges.
func (a *Air) acknowledged(n *network, at int64, frame []byte) {
	a.emit(profile.RadioZigbee, at, frame)
	a.push(item{at: at + airtime(frame) + turnaround, what: taskRaw, net: n, radio: profile.RadioZigbee, raw: ackOf(frame)})
}

// advertise puts an advertisement on the air: on three channels, of which the hub listens on one.
func (a *Air) advertise(n *network, k *kit, at int64) {
	channel := at / scan % 3
	signal := k.beacon.signal + int8(n.when.N(2*fade+1)-fade)
	frame := k.beacon.advertisement(at, int(channel), signal)
	a.push(item{at: at + channel*bleGap, what: taskRaw, net: n, radio: profile.RadioBLE, raw: frame})
}

// drift moves a reading a little.
func (k *kit) drift() {
	k.tenths = min(max(k.tenths+k.d.N(3)-1, 150), 300)
	k.humid = min(max(k.humid+k.d.N(5)-2, 200), 800)
}

// idle sets what a Bluetooth kit tells between events.
func (k *kit) idle() {
	if k.unit.Kit.Sensor == profile.SensorTemperature {
		k.beacon.set(objectTemperature, byte(k.tenths), byte(k.tenths>>8), byte(k.humid), byte(k.humid>>8))
		return
	}
	k.beacon.set(objectBattery, byte(80+k.d.N(20)))
}

// announce sets what a Bluetooth kit tells of an event.
func (k *kit) announce() {
	switch k.unit.Kit.Sensor {
	case profile.SensorDoor:
		k.open = !k.open
		k.beacon.set(objectDoor, closed(k.open))
	case profile.SensorMotion:
		k.beacon.set(objectMotion, byte(1+k.d.N(200)), 0, 0) // of so many lux
	case profile.SensorButton:
		k.beacon.set(objectButton, 0, 0, 0) // one short press
	case profile.SensorTemperature:
		k.drift()
		k.idle()
	}
}

func closed(open bool) byte {
	if open {
		return 0
	}
	return 1
}

// reading returns the cluster and the ZCL report of a Zigbee kit's event.
func (k *kit) reading() (cluster uint16, zcl []byte) {
	const boolean, bitmap, signed16 = 0x10, 0x18, 0x29
	switch k.unit.Kit.Sensor {
	case profile.SensorMotion:
		return clusterOccupancy, k.node.attribute(0, bitmap, 1)
	case profile.SensorTemperature:
		k.drift()
		return clusterTemperature, k.node.attribute(0, signed16, byte(k.tenths*10), byte(k.tenths*10>>8))
	case profile.SensorDoor:
	case profile.SensorButton:
	}
	k.open = !k.open
	return clusterOnOff, k.node.attribute(0, boolean, 1-closed(k.open))
}
