// Package session models the two programs at the ends of a TCP connection: the TLS handshake, the messages of exchanges as their
// transport writes them (TLS 1.2 and 1.3 records, HTTP/1.1 in the clear, HTTP/2's writes inside TLS, MQTT, plain bytes), when a program
// wakes, reads and sleeps, and when it gives up. It runs on the goroutine of the home's clock.
//
// Not modelled: a server that closes a connection by itself. An HTTP/2 server's two settings frames go out together; live they go at
// times one by one.
package session

import (
	"errors"
	"math/rand/v2"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/emulator/virtual/tcp"
	"glasshouse/emulator/wire"
	"glasshouse/emulator/wire/secure"
)

// Job is one exchange on its way: both ends of a connection walk its messages.
type Job struct {
	Messages []script.Message
	Start    int64 // script time at which the first message may be sent, ns
	Tag      packet.Tag
	Done     func(err error) // at the device

	steps []step // of HTTP/2: what is walked instead of the messages
}

// Config says what a session is made of.
type Config struct {
	Clock   *clock.Virtual
	Latency *latency.Model
	Draws   *rand.PCG // the device's
	Service *profile.Service
	Chain   *secure.Chain // what the server proves its name with, where there is TLS
	Unit    int32         // the device that its packets belong to
	Open    packet.Tag    // under which it is opened; its role is that of the handshake's bytes
	Opened  func(error)   // told once: the device may use it
	Lost    func()        // told once, later on: it broke, or the server closed it
}

// Session is a device's connection to a service, from the SYN on: what both ends' programs do on it.
type Session struct {
	cfg     Config
	version uint16   // of TLS; 0 = none
	flights [][]byte // of the TLS handshake, the client's and the server's in turn
	asked   []byte   // the newest request in the clear, of a message of askedOf bytes
	askedOf int
	client  side
	server  side
}

var (
	errBroken   = errors.New("the connection broke")
	errPatience = errors.New("the far end took too long")
)

var _ tcp.Application = (*side)(nil)

// side is one end of a session: a program. After something has arrived it runs a little later, and reads all there is.
type side struct {
	s      *Session
	e      *tcp.Conn
	dir    int8
	stage  int  // flights of the handshake that are over; it is open when all are
	ready  bool // it has slept, or computed, before what it sends next
	isOpen bool
	over   bool
	jobs   []*Job // the first one is being walked
	index  int    // of its next message
	base   int64  // ns: from which the next wait counts
	want   int64  // stream offset up to which it reads
	begin  int64  // stream offset from which it reads
	from   int64  // stream offset at which it began to walk steps
	reads  bool   // it waits for that
	due    int64  // it sleeps until then; 0 = it does not
	turn   bool   // it will run soon
	wakes  int64  // ns: when, if it reads then
	early  int    // times that it has run before its timer
	holds  int64  // ns: until when it reads, and holds the socket
	seen   int64  // what had come when its patience was set
	until  int64  // ns: when that ends
	record uint64 // of TLS, its own next
	bye    int64  // stream offset at which its goodbye ends; 0 = it has said none
	mqtt   *wire.MQTTEnd
}

// New makes a session whose connection is still to be opened, by Connect.
func New(c Config) *Session {
	svc := c.Service
	s := &Session{cfg: c, version: TLSVersion(svc.Transport)}
	s.client, s.server = side{s: s, dir: packet.Up}, side{s: s, dir: packet.Down}
	if v := s.version; v != 0 {
		hello := &secure.Hello{Host: svc.Host, Version: v, Session: c.Draws.Uint64()}
		if svc.Transport == profile.TransportH2 {
			hello.ALPN = "h2"
		}
		s.flights = [][]byte{
			secure.AppendClientHello(nil, c.Draws, hello),
			secure.AppendServerFlight(nil, c.Draws, c.Chain, hello),
			secure.AppendClientFinish(nil, c.Draws, v),
		}
		if f := secure.AppendServerFinish(nil, c.Draws, v); len(f) > 0 {
			s.flights = append(s.flights, f)
		}
	}
	if svc.Transport == profile.TransportMQTT {
		subscribes := svc.Login.Down > profile.MQTTConnack
		name := string(wire.AppendText(nil, c.Draws, mqttNameSize))
		s.client.mqtt = wire.NewMQTTEnd(c.Draws, true, subscribes, name)
		s.server.mqtt = wire.NewMQTTEnd(c.Draws, false, subscribes, "")
	}
	return s
}

// Unit is the device whose session it is.
func (s *Session) Unit() int32 { return s.cfg.Unit }

// Connect begins to connect from the device's stack.
func (s *Session) Connect(st *tcp.Stack, key tcp.Key) {
	s.client.e = st.Dial(key, s.cfg.Unit, s.cfg.Open, &s.client)
	s.client.e.Connect()
}

// Accept makes the other end, on a machine to which the SYN has come: packets are unit's, key is as the machine sees it.
func (s *Session) Accept(st *tcp.Stack, unit int32, key tcp.Key, syn *tcp.Segment) {
	s.server.e = st.Accept(s.client.e, key, unit, &s.server, syn)
}

// mqttNameSize is the length of a client's name: the live world's.
const mqttNameSize = 22

// TLSVersion is the version that a transport has on top of TCP; 0: none.
func TLSVersion(t profile.Transport) uint16 {
	switch t {
	case profile.TransportTLS12:
		return secure.TLS12
	case profile.TransportTLS13, profile.TransportH2:
		return secure.TLS13
	default:
		return 0
	}
}

// How much a program reads at once, bytes: Go's readers in the live world.
const (
	pieceHead = 4096    // HTTP in the clear: a response's head, with what comes behind it (bufio)
	pieceBody = 8192    // and its body (io.Discard)
	pieceTLS  = 18432   // a record of TLS, and its buffer's spare room
	pieceRaw  = 1 << 16 // of a stream
)

func (d *side) piece() int {
	switch {
	case d.s.version != 0:
		return pieceTLS
	case d.s.cfg.Service.Transport != profile.TransportHTTP:
		return pieceRaw
	case d.e.Read() > d.begin:
		return pieceBody
	}
	return pieceHead
}

// run goes as far as it can.
func (d *side) run(now int64) {
	if !d.isOpen {
		if !d.shake(now) {
			return
		}
		d.isOpen = true
		if d.dir == packet.Down { // where it greets, it does so from now on: not before it knew that somebody is there
			d.base = max(d.base, now)
		}
		if d.s.client.isOpen && d.s.server.isOpen { // not before: in TLS 1.2 the client still waits for the last one
			d.s.flights = nil
		}
		if d.dir == packet.Up {
			d.s.cfg.Opened(nil)
		}
	}
	d.walk(now)
}

// shake goes on with the handshake; true when it is over.
func (d *side) shake(now int64) bool {
	for d.stage < len(d.s.flights) {
		f := d.s.flights[d.stage]
		switch mine := (d.stage%2 == 0) == (d.dir == packet.Up); {
		case mine && d.due != 0:
			return false
		case mine && !d.ready && d.stage > 0: // signing and checking take their time
			d.ready = true
			d.sleep(now + d.computing())
			return false
		case mine:
			d.e.Write(len(f), d.s.cfg.Open, f)
			d.ready = false
		case !d.await(int64(len(f)), now, 0):
			return false
		}
		d.stage++
	}
	return true
}

// computing is what this side's arithmetic takes, before it says what is next.
func (d *side) computing() int64 {
	if d.stage == 1 {
		return d.s.cfg.Latency.TLSServer()
	}
	return d.s.cfg.Latency.TLSClient()
}

// await waits for n more bytes; true when they are there. n and wait count when the waiting begins.
func (d *side) await(n, now, wait int64) bool {
	if !d.reads {
		d.reads = true
		d.begin = d.want
		d.want += n
		if d.e.Arrived() < d.want {
			d.patience(now, wait)
		}
	}
	if d.e.Arrived() < d.want {
		return false
	}
	d.reads = false
	return true
}

// patience ends the session if nothing comes for long.
func (d *side) patience(now, wait int64) {
	d.seen, d.until = d.e.Arrived(), now+wait+int64(policy.StreamTimeout)
	d.s.cfg.Clock.Schedule(d.until, d, turnPatience)
}

func (d *side) sleep(until int64) {
	d.due = until
	d.s.cfg.Clock.Schedule(until, d, turnSleep)
}

// Perform gives both ends a job; the device's end tells when it is done.
func (s *Session) Perform(j *Job) {
	now := s.cfg.Clock.Now()
	if s.cfg.Service.Transport == profile.TransportH2 {
		j.steps = s.steps(j)
	}
	for _, d := range []*side{&s.server, &s.client} {
		d.jobs = append(d.jobs, j)
		if len(d.jobs) == 1 {
			d.index, d.base = 0, j.Start
			if d.isOpen && !d.over {
				d.walk(now)
			}
		}
	}
}

// length is how many messages, or steps, there are to walk.
func (j *Job) length() int {
	if j.steps != nil {
		return len(j.steps)
	}
	return len(j.Messages)
}

// walk goes through the messages of the jobs. Waits run from the job's start, message by message, so that lateness never adds up.
func (d *side) walk(now int64) {
	for len(d.jobs) > 0 && !d.over && d.due == 0 {
		j := d.jobs[0]
		if d.index == j.length() {
			d.jobs = d.jobs[1:]
			d.index = 0
			if len(d.jobs) > 0 {
				d.base = d.jobs[0].Start
			}
			if d.dir == packet.Up {
				j.Done(nil)
			} else if d.s.cfg.Service.Transport == profile.TransportApp { // the device has said all
				d.end()
			}
			continue
		}
		if j.steps != nil {
			if !d.step(&j.steps[d.index], j.Tag, now) {
				return
			}
			d.index++
			continue
		}
		m := &j.Messages[d.index]
		if m.Dir != d.dir {
			n := int64(0)
			if !d.reads {
				n = d.s.wireSize(m)
			}
			if !d.await(n, now, max(j.Start-now, 0)+m.Wait) {
				return
			}
			d.base = now
			d.index++
			continue
		}
		if at := d.base + m.Wait; at > now && !d.ready {
			d.ready = true
			d.sleep(at + d.s.cfg.Latency.Sleep())
			return
		}
		d.ready = false
		d.base += m.Wait
		d.index++
		d.send(m, j.Tag)
	}
}

// fail ends the session at this end: what it was doing has failed.
func (d *side) fail(err error) {
	if d.over {
		return
	}
	s := d.s
	d.end()
	if d.dir != packet.Up {
		return
	}
	switch {
	case !d.isOpen:
		s.cfg.Opened(err)
	case len(d.jobs) > 0:
		j := d.jobs[0]
		d.jobs = nil
		j.Done(err)
	default:
		s.cfg.Lost()
	}
}

// end lets go of the connection.
func (d *side) end() {
	d.over = true
	d.e.Close()
}

// left is what an end does when the other has closed: it says its own goodbye.
func (d *side) left() {
	if d.dir == packet.Up {
		d.fail(errBroken)
		return
	}
	d.goodbye()
	d.end()
}

// goodbye is TLS's alert.
func (d *side) goodbye() {
	if d.s.version != 0 && d.isOpen && d.e.Established() {
		b := secure.AppendCloseNotify(nil, d.s.cfg.Draws, d.s.version, d.record)
		d.e.Write(len(b), d.s.cfg.Open.As(packet.RoleClose), b)
		d.bye = d.e.Written()
	}
}

// told says whether the other end's goodbye has come, before its FIN maybe.
func (d *side) told() bool {
	other := &d.s.client
	if d.dir == packet.Up {
		other = &d.s.server
	}
	return other.bye > 0 && d.e.Arrived() >= other.bye
}

// Close ends the session in order, from the device.
func (s *Session) Close() {
	if !s.client.over {
		s.client.goodbye()
		s.client.end()
	}
}
