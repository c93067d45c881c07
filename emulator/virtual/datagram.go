package virtual

import (
	"encoding/binary"
	"errors"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/feistel"
)

// datagrams is one exchange on a datagram flow: both ends walk its messages. Datagrams may be lost: a later one tells that the
// earlier ones will not come.
type datagrams struct {
	n        *Net
	messages []script.Message
	tag      packet.Tag
	handle   uint32
	socket   *socket
	near     walker
	far      walker
	done     func(error)
}

// walker is one end of it.
type walker struct {
	d      *datagrams
	dir    int8
	index  int
	base   int64
	newest int   // of the other end's messages that came: index + 1
	slept  bool  // it has slept before what it sends next
	wake   int64 // it sleeps, or waits for a loss, until then; 0 = no
	timer  int64 // when the next of its alarms goes off, at wake or before; 0 = none is set
	begun  bool
	over   bool
	from   u32Pair // of the far end: its own address, and the one it answers to
	here   uint16
	there  uint16
	host   *Host // of a far end on the LAN
}

type u32Pair struct{ a, b uint32 }

// headSize is how many bytes at the head of a datagram name what it belongs to.
const headSize = 8

// head writes the name of a message as bytes that look random, but never like the first bytes of RTP or of an ISO 8602 unit of
// data: analysers would find them malformed. It is a keyed permutation of 64 bits: (try, index, handle).
func (n *Net) head(b []byte, handle uint32, index int) {
	for try := uint64(0); ; try++ {
		v := try<<56 | uint64(index)<<32 | uint64(handle)
		for round := range 4 {
			v = feistel.Round(v, n.headKey[round&1]+uint64(round))
		}
		if v>>62 == 0 && v>>48&0xf0 != 0x40 || try == 255 {
			binary.BigEndian.PutUint64(b, v)
			return
		}
	}
}

// named reads a head; nil where it names nothing that is under way.
func (n *Net) named(p []byte) (*datagrams, int) {
	if len(p) < headSize {
		return nil, 0
	}
	v := binary.BigEndian.Uint64(p)
	for round := 3; round >= 0; round-- {
		v = feistel.Inverse(v, n.headKey[round&1]+uint64(round))
	}
	d, index := n.jobs[uint32(v)], int(v>>32&0xffffff)
	if d == nil || index >= len(d.messages) {
		return nil, 0
	}
	return d, index
}

// socket is a device's end of a datagram flow with one remote end.
type socket struct {
	h       *Host
	key     socketKey
	id      uint16 // IP id of its next datagram
	lasting bool   // the far end may be asked to send first
	far     *walker
	place   uint64
	on      func(payload []byte) // of plain sockets: DNS, NTP, echo
	closed  bool
}

func (h *Host) socket(remote uint32, rport uint16) *socket {
	for {
		k := socketKey{remote, h.port(), rport, packet.ProtoUDP}
		if h.sockets[k] == nil {
			s := &socket{h: h, key: k, id: uint16(h.stack.draws.Uint64()), place: h.stack.draws.Uint64()}
			h.sockets[k] = s
			return s
		}
	}
}

func (s *socket) close() {
	s.closed = true
	delete(s.h.sockets, s.key)
}

// send sends a plain payload.
func (s *socket) send(payload []byte, t packet.Tag) {
	s.h.stack.datagram(s.h.addr, s.key.remote, s.key.port, s.key.rport, s.id, payload, t.Lineage(s.h.unit))
	s.id++
}

func (s *socket) receive(payload []byte) {
	if s.on != nil {
		s.on(payload)
		return
	}
	if d, i := s.h.n.named(payload); d != nil && d.messages[i].Dir == packet.Down {
		d.near.arrived(i)
	}
}

var errNoPhone = errors.New("there is no phone on the LAN")

// openUDP opens a datagram socket to a service.
func (h *Host) openUDP(s *profile.Service, t packet.Tag, done func(*socket, error)) {
	switch {
	case s.Transport != profile.TransportLAN:
		h.resolve(s.Host, t.As(packet.RoleData), false, func(addr uint32, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			done(h.socket(addr, s.Port), nil)
		})
	case s.Host != profile.HostPeer:
		done(h.socket(h.n.broadcast(), s.Port), nil)
	case !h.n.c.HasPeer || h.n.c.Peer.Index == h.spec.Index:
		done(nil, errNoPhone)
	default:
		done(h.socket(u32(h.n.c.Peer.Addr), s.Port), nil)
	}
}

var errNoFar = errors.New("the far end of the flow is not there to push")

// jobLife is how long late datagrams still find their exchange.
const jobLife = int64(10e9)

// walk does an exchange on the flow; the far end walks it, too, from its first datagram on, or at once where it is to send
// first and has heard from the device before.
func (s *socket) walk(m []script.Message, at int64, t packet.Tag, done func(error)) {
	n := s.h.n
	n.handles++
	d := &datagrams{n: n, messages: m, tag: t, handle: n.handles, socket: s, done: done}
	d.near = walker{d: d, dir: packet.Up, base: at, begun: true}
	d.far = walker{d: d, dir: packet.Down, base: at}
	n.jobs[d.handle] = d
	if len(m) > 0 && m[0].Dir == packet.Down {
		if s.far == nil {
			delete(n.jobs, d.handle)
			done(errNoFar)
			return
		}
		f := s.far
		d.far.from, d.far.here, d.far.there, d.far.host, d.far.begun = f.from, f.here, f.there, f.host, true
		d.far.step()
	}
	d.near.step()
}

// arriveFar takes a datagram at a far end: a server's, or the phone's on the LAN.
func (n *Net) arriveFar(payload []byte, ends u32Pair, sport, dport uint16, host *Host) {
	d, i := n.named(payload)
	if d == nil || d.messages[i].Dir != packet.Up {
		return
	}
	if f := &d.far; !f.begun {
		f.from, f.here, f.there, f.host = u32Pair{ends.b, ends.a}, dport, sport, host
		f.begun = true
		f.base = n.clock.Now()
		if d.socket.lasting && host == nil {
			d.socket.far = f
		}
	}
	d.far.arrived(i)
}

// arrived notes that a message of the other end has come.
func (w *walker) arrived(i int) {
	if w.newest > i {
		return
	}
	w.newest = i + 1
	if !w.over && w.waits() {
		w.d.n.clock.Schedule(w.d.n.clock.Now()+w.d.n.latency.Wake(), w, walkerRead)
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
		w.d.n.clock.Schedule(at, w, walkerAlarm)
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
	now := d.n.clock.Now()
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
			w.alarm(at + d.n.latency.Sleep())
			return
		}
		w.slept = false
		w.base += m.Wait
		w.send(m)
		w.index++
	}
	w.over = true
	if w.dir == packet.Up {
		d.n.at(now+jobLife, func() { delete(d.n.jobs, d.handle) })
		d.done(nil)
	}
}

func (w *walker) send(m *script.Message) {
	var b [headSize]byte
	d, s := w.d, w.d.socket
	head := b[:min(headSize, m.Size)]
	if m.Size >= headSize {
		d.n.head(head, d.handle, w.index)
	} else {
		copy(head, d.n.noise.Window(s.place, m.Size))
	}
	s.place += uint64(m.Size) + 1
	l := d.tag.Lineage(s.h.unit)
	switch {
	case w.dir == packet.Up && s.closed:
	case w.dir == packet.Up:
		s.h.stack.noisy(s.h.addr, s.key.remote, s.key.port, s.key.rport, s.id, head, m.Size, s.place, l)
		s.id++
	case w.host != nil:
		l.Unit = w.host.unit
		w.host.stack.noisy(w.from.a, w.from.b, w.here, w.there, uint16(d.n.late.Uint64()), head, m.Size, s.place, l)
	default:
		d.n.cloud.stack.noisy(w.from.a, w.from.b, w.here, w.there, uint16(d.n.late.Uint64()), head, m.Size, s.place, l)
	}
}
