package virtual

import (
	"errors"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

// job is one exchange on its way: both ends of a connection walk its messages.
type job struct {
	messages []script.Message
	start    int64 // script time at which the first message may be sent, ns
	tag      packet.Tag
	done     func(err error) // at the device
	steps    []step          // of HTTP/2: what is walked instead of the messages
}

// session is a device's connection to a service, from the SYN on: what both ends' programs do on it.
type session struct {
	n       *Net
	h       *Host
	svc     *profile.Service
	version uint16          // of TLS; 0 = none
	open    packet.Tag      // under which it is opened
	flights [][]byte        // of the TLS handshake, the client's and the server's in turn
	opened  func(err error) // told once: the device may use it
	lost    func()          // told once, later on: it broke, or the far end closed it
	asked   []byte          // the newest request in the clear, of a message of askedOf bytes
	askedOf int
	client  side
	server  side
}

var (
	errBroken   = errors.New("the connection broke")
	errPatience = errors.New("the far end took too long")
)

// side is one end of a session: a program. After something has arrived it runs a little later, and reads all there is.
type side struct {
	s      *session
	e      *endpoint
	dir    int8
	stage  int  // flights of the handshake that are over; it is open when all are
	ready  bool // it has slept, or computed, before what it sends next
	isOpen bool
	over   bool
	jobs   []*job // the first one is being walked
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

// newSession begins to connect from a device. opening's role is that of the handshake's bytes.
func newSession(h *Host, svc *profile.Service, remote uint32, opening packet.Tag, opened func(error), lost func()) *session {
	s := &session{n: h.n, h: h, svc: svc, version: tlsVersion(svc.Transport), open: opening, opened: opened, lost: lost}
	s.client, s.server = side{s: s, dir: packet.Up}, side{s: s, dir: packet.Down}
	if v := s.version; v != 0 {
		id, alpn := h.stack.draws.Uint64(), ""
		if svc.Transport == profile.TransportH2 {
			alpn = "h2"
		}
		s.flights = [][]byte{
			wire.AppendClientHello(nil, h.stack.draws, svc.Host, v, alpn, id),
			wire.AppendServerFlight(nil, h.stack.draws, s.n.chains[svc.Host], v, alpn, id),
			wire.AppendClientFinish(nil, h.stack.draws, v),
		}
		if f := wire.AppendServerFinish(nil, h.stack.draws, v); len(f) > 0 {
			s.flights = append(s.flights, f)
		}
	}
	if svc.Transport == profile.TransportMQTT {
		subscribes := svc.Login.Down > profile.MQTTConnack
		name := string(wire.AppendText(nil, h.stack.draws, mqttNameSize))
		s.client.mqtt = wire.NewMQTTEnd(h.stack.draws, true, subscribes, name)
		s.server.mqtt = wire.NewMQTTEnd(h.stack.draws, false, subscribes, "")
	}
	key := h.key(remote, svc.Port)
	s.client.e = h.stack.endpoint(key, h.unit, packet.Up, opening, &s.client)
	if svc.Transport == profile.TransportApp {
		s.n.calls[connKey{local: key.remote, remote: key.local, ports: key.ports>>16 | key.ports<<16}] = s
	} else {
		s.n.cloud.expect(key, s)
	}
	s.client.e.connect()
	return s
}

// mqttNameSize is the length of a client's name: the live world's.
const mqttNameSize = 22

func tlsVersion(t profile.Transport) uint16 {
	switch t {
	case profile.TransportTLS12:
		return wire.TLS12
	case profile.TransportTLS13, profile.TransportH2:
		return wire.TLS13
	default:
		return 0
	}
}

// accept makes the far end, which is unit's, when the SYN has come to it. key is as the far end sees it.
func (s *session) accept(st *stack, unit int32, key connKey, syn *segment) {
	e := st.endpoint(key, unit, packet.Down, s.open, &s.server)
	e.peer, s.client.e.peer, s.server.e = s.client.e, e, e
	e.negotiate(syn)
	e.state = stateSynReceived
	e.rto = synTimeout
	e.peerWindow = int64(syn.window)
	e.sendSYN()
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
	case d.s.svc.Transport != profile.TransportHTTP:
		return pieceRaw
	case d.e.win.read > d.begin:
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
			d.s.opened(nil)
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
			d.e.write(len(f), d.s.open, f)
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
		return d.s.n.latency.TLSServer()
	}
	return d.s.n.latency.TLSClient()
}

// await waits for n more bytes; true when they are there. n and wait count when the waiting begins.
func (d *side) await(n, now, wait int64) bool {
	if !d.reads {
		d.reads = true
		d.begin = d.want
		d.want += n
		if d.e.rnxt < d.want {
			d.patience(now, wait)
		}
	}
	if d.e.rnxt < d.want {
		return false
	}
	d.reads = false
	return true
}

// patience ends the session if nothing comes for long.
func (d *side) patience(now, wait int64) {
	d.seen, d.until = d.e.rnxt, now+wait+int64(policy.StreamTimeout)
	d.s.n.clock.Schedule(d.until, d, turnPatience)
}

func (d *side) sleep(until int64) {
	d.due = until
	d.s.n.clock.Schedule(until, d, turnSleep)
}

// perform gives both ends a job; the device's end tells when it is done.
func (s *session) perform(j *job) {
	now := s.n.clock.Now()
	if s.svc.Transport == profile.TransportH2 {
		j.steps = s.steps(j)
	}
	for _, d := range []*side{&s.server, &s.client} {
		d.jobs = append(d.jobs, j)
		if len(d.jobs) == 1 {
			d.index, d.base = 0, j.start
			if d.isOpen && !d.over {
				d.walk(now)
			}
		}
	}
}

// length is how many messages, or steps, there are to walk.
func (j *job) length() int {
	if j.steps != nil {
		return len(j.steps)
	}
	return len(j.messages)
}

// walk goes through the messages of the jobs. Waits run from the job's start, message by message, so that lateness never adds up.
func (d *side) walk(now int64) {
	for len(d.jobs) > 0 && !d.over && d.due == 0 {
		j := d.jobs[0]
		if d.index == j.length() {
			d.jobs = d.jobs[1:]
			d.index = 0
			if len(d.jobs) > 0 {
				d.base = d.jobs[0].start
			}
			if d.dir == packet.Up {
				j.done(nil)
			} else if d.s.svc.Transport == profile.TransportApp { // the device has said all
				d.end()
			}
			continue
		}
		if j.steps != nil {
			if !d.step(&j.steps[d.index], j.tag, now) {
				return
			}
			d.index++
			continue
		}
		m := &j.messages[d.index]
		if m.Dir != d.dir {
			n := int64(0)
			if !d.reads {
				n = d.s.wireSize(m)
			}
			if !d.await(n, now, max(j.start-now, 0)+m.Wait) {
				return
			}
			d.base = now
			d.index++
			continue
		}
		if at := d.base + m.Wait; at > now && !d.ready {
			d.ready = true
			d.sleep(at + d.s.n.latency.Sleep())
			return
		}
		d.ready = false
		d.base += m.Wait
		d.index++
		d.send(m, j.tag)
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
		s.opened(err)
	case len(d.jobs) > 0:
		j := d.jobs[0]
		d.jobs = nil
		j.done(err)
	default:
		s.lost()
	}
}

// end lets go of the connection.
func (d *side) end() {
	d.over = true
	d.e.close()
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
	if d.s.version != 0 && d.isOpen && d.e.state == stateOpen {
		b := wire.AppendCloseNotify(nil, d.s.h.stack.draws, d.s.version, d.record)
		d.e.write(len(b), d.s.open.As(packet.RoleClose), b)
		d.bye = d.e.out.end
	}
}

// told says whether the other end's goodbye has come, before its FIN maybe.
func (d *side) told() bool {
	other := &d.s.client
	if d.dir == packet.Up {
		other = &d.s.server
	}
	return other.bye > 0 && d.e.rnxt >= other.bye
}

// close ends the session in order, from the device.
func (s *session) close() {
	if !s.client.over {
		s.client.goodbye()
		s.client.end()
	}
}
