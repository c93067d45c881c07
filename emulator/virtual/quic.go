package virtual

import (
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

// quicConn is a QUIC connection (RFC 9000) from a device to a service, both ends: one exchange on one stream, as quic-go does it.
type quicConn struct {
	n        *Net
	h        *Host
	svc      *profile.Service
	wire     *wire.QUIC
	tag      packet.Tag
	messages []script.Message
	socket   *socket
	seen     u32Pair // the server's address, and the one that it sees
	ports    [2]uint16
	client   quicEnd
	server   quicEnd
	done     func(error)
}

// quicEnd is one end: a program, and what quic-go keeps for it.
type quicEnd struct {
	c    *quicConn
	dir  int8
	over bool

	// The handshake.
	heard    bool    // of the server: the hello has come
	flight   [2]bool // of the client: which of the server's datagrams have come
	complete bool
	running  bool // it may send and read packets of the stream
	helloAt  int64
	tries    int
	shakeAt  int64 // when what it said last of the handshake is said again; 0 = not

	inbox []quicArrival // since the program ran last
	turn  bool          // it will run soon

	quicSender
	quicReceiver
	quicProgram
}

// quicArrival is a packet with a short header that has come.
type quicArrival struct{ number, at int64 }

// Timers of an end.
const (
	quicTurn  = iota
	quicShake // of the handshake
	quicSleep // of the program
	quicAck   // acknowledgement that is due
	quicLoss  // loss by time, or probe
	quicPace
	quicPatience
)

// quic-go's.
const (
	quicFirstPTO   = int64(200e6) // before the round-trip time is known
	quicTries      = 5            // of a handshake: 6.2 s
	quicCloseFrame = 3            // bytes
)

// quic performs an exchange on a connection of its own.
func (h *Host) quic(s *profile.Service, x *script.Exchange, t packet.Tag, done func(error)) {
	h.resolve(s.Host, t.As(packet.RoleData), false, func(addr uint32, err error) {
		if err != nil {
			done(err)
			return
		}
		q, err := wire.NewQUIC(h.stack.draws)
		if err != nil {
			done(err)
			return
		}
		c := &quicConn{n: h.n, h: h, svc: s, wire: q, tag: t, messages: x.Messages, socket: h.socket(addr, s.Port), done: done}
		c.client, c.server = newQUICEnd(c, packet.Up, h.stack.draws), newQUICEnd(c, packet.Down, h.stack.draws)
		c.socket.on = c.client.datagram
		h.n.cloud.calls(c)
		c.client.hello(h.n.clock.Now())
	})
}

func newQUICEnd(c *quicConn, dir int8, d draws) quicEnd {
	return quicEnd{c: c, dir: dir, quicSender: newQUICSender(d), quicReceiver: quicReceiver{largest: -1}}
}

// calls lets the cloud know a connection by its IDs.
func (c *cloud) calls(q *quicConn) {
	first, server := q.wire.IDs()
	c.quic[first], c.quic[server] = q, q
}

// receiveQUIC takes a datagram for a connection; false where there is none.
func (c *cloud) receiveQUIC(payload []byte, src, dst uint32, sport, dport uint16, l packet.Lineage) bool {
	id, long, ok := wire.ParseQUIC(payload)
	if !ok {
		return false
	}
	q := c.quic[id]
	if q == nil {
		return false
	}
	if q.h.unit != l.Unit {
		c.n.Faults.Misdelivered++
	}
	q.seen, q.ports = u32Pair{dst, src}, [2]uint16{dport, sport}
	e := &q.server
	switch first, _ := q.wire.IDs(); {
	case e.over:
	case !long:
		e.arrived(payload)
	case id == first && !e.heard:
		e.heard = true
		c.n.at(c.n.clock.Now()+c.n.latency.Wake()+c.n.latency.QUICHandshake(), e.answer)
	case id == first && !e.complete:
		e.answer()
	case id != first && !e.complete:
		e.complete, e.shakeAt = true, 0
		c.n.at(c.n.clock.Now()+c.n.latency.Wake()+c.n.latency.QUICHandshake(), func() { e.begin(wire.QUICServerDone) })
	}
	return true
}

// datagram takes what has come to the device.
func (e *quicEnd) datagram(payload []byte) {
	now := e.now()
	switch {
	case e.over || len(payload) == 0:
	case payload[0]&0x80 == 0:
		e.arrived(payload)
	default:
		part := 1
		if wire.QUICInitial(payload) {
			part = 0
			if !e.flight[0] && e.tries <= 1 {
				e.sample(now - e.helloAt)
			}
		}
		e.flight[part] = true
		switch {
		case !e.flight[0] || !e.flight[1]:
		case e.complete: // what ends the handshake was lost
			e.finish()
		default:
			e.complete, e.shakeAt = true, 0
			e.c.n.at(now+e.c.n.latency.QUICHandshake(), func() {
				e.finish()
				e.begin(0)
			})
		}
	}
}

// hello begins, or begins again.
func (e *quicEnd) hello(now int64) {
	e.helloAt = now
	e.say(e.c.wire.AppendClientHello(nil, e.c.h.stack.draws, e.c.svc.Host))
	e.shakeAgain(quicFirstPTO)
}

// answer sends the server's flight.
func (e *quicEnd) answer() {
	c := e.c
	if e.complete || e.over {
		return
	}
	b := c.wire.AppendServerFlight(nil, c.h.stack.draws, c.n.chains[c.svc.Host])
	e.say(b[:wire.QUICDatagram])
	e.say(b[wire.QUICDatagram:])
	e.shakeAgain(quicFirstPTO)
}

// finish sends what ends the handshake at the client, until the server has answered.
func (e *quicEnd) finish() {
	if e.over {
		return
	}
	e.say(e.c.wire.AppendClientFinish(nil, e.c.h.stack.draws))
	e.shakeAgain(e.timeout())
}

// begin lets an end use the stream. done is the size of the control frames that it sends first, bytes.
func (e *quicEnd) begin(done int) {
	if e.over {
		return
	}
	e.running, e.control, e.base = true, done, e.now()
	e.walk(e.now())
	e.push()
	e.later(0)
}

// say sends a datagram of the handshake.
func (e *quicEnd) say(b []byte) {
	c := e.c
	t := c.tag.As(packet.RoleTLSHandshake)
	if e.dir == packet.Up {
		c.socket.send(b, t)
		return
	}
	s := &c.n.cloud.stack
	s.datagram(c.seen.a, c.seen.b, c.ports[0], c.ports[1], uint16(s.draws.Uint64()), b, t.Lineage(c.h.unit))
}

// shakeAgain sets the time after which the handshake's last datagrams are sent again.
func (e *quicEnd) shakeAgain(after int64) {
	e.shakeAt = e.now() + after<<e.tries
	e.tries++
	e.timer(e.shakeAt, quicShake)
}

// shaken says a part of the handshake again.
func (e *quicEnd) shaken(now int64) {
	e.shakeAt = 0
	switch {
	case e.tries > quicTries:
		e.fail(errPatience)
	case e.dir == packet.Down:
		e.answer()
	case e.complete:
		e.finish()
	default:
		e.hello(now)
	}
}

func (e *quicEnd) now() int64 { return e.c.n.clock.Now() }

func (e *quicEnd) timer(at int64, kind uint64) { e.c.n.clock.Schedule(max(at, e.now()), e, kind) }

// Fire implements clock.Handler.
func (e *quicEnd) Fire(now int64, kind uint64) {
	if e.over {
		return
	}
	switch kind {
	case quicTurn:
		e.turn = false
		e.run(now)
	case quicShake:
		if e.shakeAt != 0 && now >= e.shakeAt {
			e.shaken(now)
		}
	case quicSleep:
		if e.due != 0 && now >= e.due {
			e.due = 0
			e.walk(now)
			e.push()
		}
	case quicAck:
		if e.ackAt != 0 && now >= e.ackAt {
			e.queued = true
			e.push()
		}
	case quicLoss:
		e.lossTimer(now)
	case quicPace:
		if e.paced != 0 && now >= e.paced {
			e.paced = 0
			e.push()
		}
	case quicPatience:
		if e.reads && now >= e.until {
			e.waitedLong(now)
		}
	}
}

// later runs the program soon, on what has come.
func (e *quicEnd) later(after int64) {
	if !e.turn && !e.over {
		e.turn = true
		e.timer(e.now()+after, quicTurn)
	}
}

// run reads all packets that have come, then goes on.
func (e *quicEnd) run(now int64) {
	if !e.running {
		return
	}
	for _, a := range e.inbox {
		if e.read(a, now); e.over {
			return
		}
	}
	e.inbox = e.inbox[:0]
	e.walk(now)
	if !e.over {
		e.push()
	}
}

// other returns the other end.
func (e *quicEnd) other() *quicEnd {
	if e.dir == packet.Up {
		return &e.c.server
	}
	return &e.c.client
}

// close ends the connection at the device: it says so once, and listens no more.
func (e *quicEnd) close() {
	if e.over {
		return
	}
	if e.complete {
		e.send(&quicPacket{closes: true}, quicCloseFrame, e.c.tag.As(packet.RoleClose))
	}
	e.over = true
	c := e.c
	c.n.at(e.now()+int64(policy.QUICLinger), c.socket.close)
	c.n.at(e.now()+timeWait, func() { c.server.forget() })
}

// forget lets go of the server's end.
func (e *quicEnd) forget() {
	e.over = true
	first, server := e.c.wire.IDs()
	delete(e.c.n.cloud.quic, first)
	delete(e.c.n.cloud.quic, server)
}

// fail ends the connection: the exchange has failed.
func (e *quicEnd) fail(err error) {
	if e.over {
		return
	}
	if e.dir == packet.Down {
		e.forget()
		return
	}
	e.close()
	e.c.done(err)
}
