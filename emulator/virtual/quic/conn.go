// Package quic models a QUIC connection (RFC 9000, RFC 9002) as quic-go keeps it: the handshake's datagrams, Reno with its pacer,
// acknowledgement of every second packet or after 25 ms, losses by number, by time and by probes. One exchange, on one stream. Both ends
// are here; their datagrams leave by a Socket and come by ToServer and ToClient, on the goroutine of the home's clock.
//
// Not modelled: window updates, numbers that are skipped, several streams, migration.
package quic

import (
	"errors"
	"math/rand/v2"

	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/emulator/wire/secure"
)

// Socket is where one end sends its datagrams. Both methods take the payload at once and keep none of it.
type Socket interface {
	// Send sends a datagram that is spelled out.
	Send(payload []byte, l packet.Lineage)
	// SendNoise sends one of size bytes: head, then what stands from place on in the home's noise.
	SendNoise(head []byte, size int, place uint64, l packet.Lineage)
	// Close says that the end listens no more.
	Close()
}

// Config says what a connection is made of. All of it is used on the clock's goroutine.
type Config struct {
	Clock          *clock.Virtual
	Latency        *latency.Model
	Noise          *packet.Noise
	Draws          *rand.PCG // the device's
	Wire           *secure.QUIC
	Host           string // the server's name
	Chain          *secure.Chain
	Unit           int32 // the device that its packets belong to
	Tag            packet.Tag
	Messages       []script.Message
	Client, Server Socket
	Done           func(error) // the exchange is over, at the device
	Unknown        func()      // a packet has come that nobody sent
}

// Conn is a QUIC connection (RFC 9000) from a device to a service, both ends: one exchange on one stream, as quic-go does it.
type Conn struct {
	cfg    Config
	client end
	server end
}

// New makes a connection, which Connect opens.
func New(c Config) *Conn {
	q := &Conn{cfg: c}
	q.client, q.server = newEnd(q, packet.Up), newEnd(q, packet.Down)
	return q
}

// Connect sends the client's first datagram.
func (c *Conn) Connect() { c.client.hello(c.cfg.Clock.Now()) }

// Unit is the device whose connection it is.
func (c *Conn) Unit() int32 { return c.cfg.Unit }

// as is the lineage of a packet with a role.
func (c *Conn) as(r packet.Role) packet.Lineage { return c.cfg.Tag.As(r).Lineage(c.cfg.Unit) }

// end is one end: a program, and what quic-go keeps for it.
type end struct {
	c    *Conn
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

	inbox []arrival // since the program ran last
	turn  bool      // it will run soon

	sender
	receiver
	program
}

// arrival is a packet with a short header that has come.
type arrival struct{ number, at int64 }

// Timers of an end.
const (
	timerTurn      = iota
	timerHandshake // of the handshake
	timerSleep     // of the program
	timerAck       // acknowledgement that is due
	timerLoss      // loss by time, or probe
	timerPace
	timerIdle
)

var errTimeout = errors.New("the server took too long")

// forgetAfter is how long a server still knows a connection that the client has closed, ns.
const forgetAfter = int64(60e9)

// quic-go's.
const (
	firstPTO       = int64(200e6) // before the round-trip time is known
	handshakeTries = 5            // of a handshake: 6.2 s
	closeFrame     = 3            // bytes
)

func newEnd(c *Conn, dir int8) end {
	return end{c: c, dir: dir, sender: newSender(c.cfg.Draws), receiver: receiver{largest: -1}}
}

// ToServer takes a datagram that has come to the server.
func (c *Conn) ToServer(payload []byte) {
	id, long, _ := secure.ParseQUIC(payload)
	e := &c.server
	think := func() int64 { return c.cfg.Clock.Now() + c.cfg.Latency.Wake() + c.cfg.Latency.QUICHandshake() }
	switch first, _ := c.cfg.Wire.IDs(); {
	case e.over:
	case !long:
		e.arrived(payload)
	case id == first && !e.heard:
		e.heard = true
		c.cfg.Clock.At(think(), e.answer)
	case id == first && !e.complete:
		e.answer()
	case id != first && !e.complete:
		e.complete, e.shakeAt = true, 0
		c.cfg.Clock.At(think(), func() { e.begin(secure.QUICServerDone) })
	}
}

// ToClient takes a datagram that has come to the device.
func (c *Conn) ToClient(payload []byte) {
	e := &c.client
	now := e.now()
	switch {
	case e.over || len(payload) == 0:
	case payload[0]&0x80 == 0:
		e.arrived(payload)
	default:
		part := 1
		if secure.QUICInitial(payload) {
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
			c.cfg.Clock.At(now+c.cfg.Latency.QUICHandshake(), func() {
				e.finish()
				e.begin(0)
			})
		}
	}
}

// hello begins, or begins again.
func (e *end) hello(now int64) {
	e.helloAt = now
	e.say(e.c.cfg.Wire.AppendClientHello(nil, e.c.cfg.Draws, e.c.cfg.Host))
	e.shakeAgain(firstPTO)
}

// answer sends the server's flight.
func (e *end) answer() {
	c := e.c
	if e.complete || e.over {
		return
	}
	b := c.cfg.Wire.AppendServerFlight(nil, c.cfg.Draws, c.cfg.Chain)
	e.say(b[:secure.QUICDatagram])
	e.say(b[secure.QUICDatagram:])
	e.shakeAgain(firstPTO)
}

// finish sends what ends the handshake at the client, until the server has answered.
func (e *end) finish() {
	if e.over {
		return
	}
	e.say(e.c.cfg.Wire.AppendClientFinish(nil, e.c.cfg.Draws))
	e.shakeAgain(e.timeout())
}

// begin lets an end use the stream. done is the size of the control frames that it sends first, bytes.
func (e *end) begin(done int) {
	if e.over {
		return
	}
	e.running, e.control, e.base = true, done, e.now()
	e.walk(e.now())
	e.push()
	e.later(0)
}

// say sends a datagram of the handshake.
func (e *end) say(b []byte) { e.socket().Send(b, e.c.as(packet.RoleTLSHandshake)) }

// socket is the end's.
func (e *end) socket() Socket {
	if e.dir == packet.Up {
		return e.c.cfg.Client
	}
	return e.c.cfg.Server
}

// shakeAgain sets the time after which the handshake's last datagrams are sent again.
func (e *end) shakeAgain(after int64) {
	e.shakeAt = e.now() + after<<e.tries
	e.tries++
	e.timer(e.shakeAt, timerHandshake)
}

// shaken says a part of the handshake again.
func (e *end) shaken(now int64) {
	e.shakeAt = 0
	switch {
	case e.tries > handshakeTries:
		e.fail(errTimeout)
	case e.dir == packet.Down:
		e.answer()
	case e.complete:
		e.finish()
	default:
		e.hello(now)
	}
}

func (e *end) now() int64 { return e.c.cfg.Clock.Now() }

func (e *end) timer(at int64, kind uint64) { e.c.cfg.Clock.Schedule(max(at, e.now()), e, kind) }

// Fire implements clock.Handler.
func (e *end) Fire(now int64, kind uint64) {
	if e.over {
		return
	}
	switch kind {
	case timerTurn:
		e.turn = false
		e.run(now)
	case timerHandshake:
		if e.shakeAt != 0 && now >= e.shakeAt {
			e.shaken(now)
		}
	case timerSleep:
		if e.due != 0 && now >= e.due {
			e.due = 0
			e.walk(now)
			e.push()
		}
	case timerAck:
		if e.ackAt != 0 && now >= e.ackAt {
			e.queued = true
			e.push()
		}
	case timerLoss:
		e.lossTimer(now)
	case timerPace:
		if e.paced != 0 && now >= e.paced {
			e.paced = 0
			e.push()
		}
	case timerIdle:
		if e.reads && now >= e.until {
			e.waitedLong(now)
		}
	}
}

// later runs the program soon, on what has come.
func (e *end) later(after int64) {
	if !e.turn && !e.over {
		e.turn = true
		e.timer(e.now()+after, timerTurn)
	}
}

// run reads all packets that have come, then goes on.
func (e *end) run(now int64) {
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
func (e *end) other() *end {
	if e.dir == packet.Up {
		return &e.c.server
	}
	return &e.c.client
}

// close ends the connection at the device: it says so once, and listens no more.
func (e *end) close() {
	if e.over {
		return
	}
	if e.complete {
		e.send(&sentPacket{closes: true}, closeFrame, e.c.as(packet.RoleClose))
	}
	e.over = true
	c := e.c
	c.cfg.Clock.At(e.now()+int64(policy.QUICLinger), c.cfg.Client.Close)
	c.cfg.Clock.At(e.now()+forgetAfter, func() { c.server.forget() })
}

// forget lets go of the server's end.
func (e *end) forget() {
	e.over = true
	e.c.cfg.Server.Close()
}

// fail ends the connection: the exchange has failed.
func (e *end) fail(err error) {
	if e.over {
		return
	}
	if e.dir == packet.Down {
		e.forget()
		return
	}
	e.close()
	e.c.cfg.Done(err)
}
