// Package datagram models exchanges of datagrams between a device's program and a server's, or a phone's on the LAN: both ends walk one
// list of messages, and datagrams may be lost: a later one tells that the earlier ones will not come. The first bytes of a datagram
// name the exchange and the message. It runs on the goroutine of the home's clock.
//
// Not modelled: datagrams that are sent again, and ones larger than the path's MTU.
package datagram

import (
	"errors"

	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/latency"
)

// Sender is where one end sends its datagrams: size bytes, head, then what stands from place on in the home's noise. It takes head at
// once and does not keep it.
type Sender interface {
	SendNoise(head []byte, size int, place uint64, l packet.Lineage)
}

// Table holds the exchanges of a home that are under way.
type Table struct {
	clock   *clock.Virtual
	latency *latency.Model
	noise   *packet.Noise
	key     [2]uint64 // of heads
	under   map[uint32]*Exchange
	handles uint32
}

// NewTable returns an empty one. key hides the heads.
func NewTable(c *clock.Virtual, m *latency.Model, noise *packet.Noise, key [2]uint64) *Table {
	return &Table{clock: c, latency: m, noise: noise, key: key, under: make(map[uint32]*Exchange)}
}

// Len is how many exchanges are under way, or were until lately.
func (t *Table) Len() int { return len(t.under) }

// Flow is a device's datagram flow with one remote end, on which exchanges follow each other.
type Flow struct {
	t       *Table
	unit    int32
	client  Sender
	server  Sender // nil: it may not be asked to send first
	lasting bool
	place   uint64 // of the next datagram's noise
}

// NewFlow returns a flow of a device; place is where its noise begins.
func (t *Table) NewFlow(unit int32, client Sender, place uint64) Flow {
	return Flow{t: t, unit: unit, client: client, place: place}
}

// Keep makes the flow a lasting one: a server that has heard from the device may send first from then on.
func (f *Flow) Keep() { f.lasting = true }

// Exchange is one exchange on a flow: both ends walk its messages.
type Exchange struct {
	t        *Table
	messages []script.Message
	tag      packet.Tag
	handle   uint32
	flow     *Flow
	client   walker
	server   walker
	head     [headSize]byte // of the datagram that is being sent
	done     func(error)
}

// walker is one end of it.
type walker struct {
	d      *Exchange
	dir    int8
	index  int
	base   int64
	newest int   // of the other end's messages that came: index + 1
	slept  bool  // it has slept before what it sends next
	wake   int64 // it sleeps, or waits for a loss, until then; 0 = no
	timer  int64 // when the next of its alarms goes off, at wake or before; 0 = none is set
	begun  bool
	over   bool
	out    Sender // nil: the server has not heard from the device yet
}

var errNoServer = errors.New("the server has not heard from the device: it cannot send first")

// lifetime is how long late datagrams still find their exchange.
const lifetime = int64(10e9)

// Walk does an exchange on the flow; the server walks it, too, from its first datagram on, or at once where it is to send first and
// has heard from the device before. at is the moment of its start, ns of script time.
func (f *Flow) Walk(m []script.Message, at int64, tag packet.Tag, done func(error)) {
	t := f.t
	t.handles++
	d := &Exchange{t: t, messages: m, tag: tag, handle: t.handles, flow: f, done: done}
	d.client = walker{d: d, dir: packet.Up, base: at, begun: true, out: f.client}
	d.server = walker{d: d, dir: packet.Down, base: at}
	t.under[d.handle] = d
	if len(m) > 0 && m[0].Dir == packet.Down {
		if f.server == nil {
			delete(t.under, d.handle)
			done(errNoServer)
			return
		}
		d.server.out, d.server.begun = f.server, true
		d.server.step()
	}
	d.client.step()
}

// Up tells whether a message is the device's.
func (d *Exchange) Up(i int) bool { return d.messages[i].Dir == packet.Up }

// Answered tells whether the server has heard from the device.
func (d *Exchange) Answered() bool { return d.server.begun }

// Answer lets the server take part, which has just heard from the device for the first time. keep says that it may send first from
// now on, if the flow is a lasting one.
func (d *Exchange) Answer(server Sender, keep bool) {
	d.server.out, d.server.begun = server, true
	d.server.base = d.t.clock.Now()
	if d.flow.lasting && keep {
		d.flow.server = server
	}
}

// Arrived notes that a message has come to the end that it is for.
func (d *Exchange) Arrived(i int) {
	if d.Up(i) {
		d.server.arrived(i)
	} else {
		d.client.arrived(i)
	}
}

// arrived notes that a message of the other end has come.
func (w *walker) arrived(i int) {
	if w.newest > i {
		return
	}
	w.newest = i + 1
	if !w.over && w.waits() {
		w.d.t.clock.Schedule(w.d.t.clock.Now()+w.d.t.latency.Wake(), w, walkerRead)
	}
}

// waits tells whether it waits for a message, and that one has come or was overtaken.
func (w *walker) waits() bool {
	return w.begun && w.index < len(w.d.messages) && w.d.messages[w.index].Dir != w.dir && w.newest > w.index
}

// alarm wakes it at a moment. One that is set for an earlier moment is not put off: it is set anew when it goes off.
func (w *walker) alarm(at int64) {
	w.wake = at
	if w.timer == 0 || at < w.timer {
		w.timer = at
		w.d.t.clock.Schedule(at, w, walkerAlarm)
	}
}

// Timers of a walker.
const (
	walkerAlarm = iota
	walkerRead
)

// Fire implements clock.Handler.
func (w *walker) Fire(now int64, arg uint64) {
	if arg == walkerAlarm && now == w.timer {
		w.timer = 0
	}
	switch {
	case w.over:
	case arg == walkerRead:
		if w.waits() {
			w.base = max(w.base, now)
			w.index++
			w.wake = 0
			w.step()
		}
	case w.wake != 0 && now >= w.wake:
		w.wake = 0
		if m := &w.d.messages[w.index]; m.Dir != w.dir { // given up
			w.base = max(w.base, now)
			w.index++
		}
		w.step()
	case w.wake != 0 && w.timer == 0:
		w.alarm(w.wake)
	}
}

// step goes as far as it can.
func (w *walker) step() {
	d := w.d
	now := d.t.clock.Now()
	for w.index < len(d.messages) {
		m := &d.messages[w.index]
		if m.Dir != w.dir {
			if w.newest > w.index {
				w.base = max(w.base, now)
				w.index++
				continue
			}
			w.alarm(max(w.base, now) + m.Wait + int64(policy.DatagramTimeout))
			return
		}
		if at := w.base + m.Wait; at > now && !w.slept {
			w.slept = true
			w.alarm(at + d.t.latency.Sleep())
			return
		}
		w.slept = false
		w.base += m.Wait
		w.send(m)
		w.index++
	}
	w.over = true
	if w.dir == packet.Up {
		d.t.clock.At(now+lifetime, func() { delete(d.t.under, d.handle) })
		d.done(nil)
	}
}

func (w *walker) send(m *script.Message) {
	d, f := w.d, w.d.flow
	head := d.head[:min(headSize, m.Size)]
	if m.Size >= headSize {
		d.t.head(head, d.handle, w.index)
	} else {
		copy(head, d.t.noise.Window(f.place, m.Size))
	}
	f.place += uint64(m.Size) + 1
	w.out.SendNoise(head, m.Size, f.place, d.tag.Lineage(f.unit))
}
