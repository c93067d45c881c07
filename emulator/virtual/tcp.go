package virtual

import (
	"encoding/binary"

	"glasshouse/emulator/packet"
)

// State of an endpoint, as far as its behaviour differs.
type tcpState uint8

const (
	stateClosed tcpState = iota
	stateSynSent
	stateSynReceived
	stateOpen // ESTABLISHED, and all that comes after it: what has been sent and received of FINs is kept apart
)

// application is what sits on an endpoint. It is told of what happened at once; it models its own slowness.
type application interface {
	connected(e *endpoint)
	arriving(at int64)    // a segment is about to be taken, as of a moment that may lie after the clock's
	received(e *endpoint) // e.rnxt has moved
	ended(e *endpoint)    // the peer has sent all
	broken(e *endpoint)   // reset, or given up
}

// connKey names a connection at one of its ends.
type connKey struct{ local, remote, ports uint32 }

// endpoint is one end of a TCP connection, after Linux 6: RFC 9293 with slow start from ten segments, CUBIC, quick and
// delayed acknowledgements, SACK, losses told by time, tail loss probes. Stream offsets count bytes from 0 and the FIN as one.
type endpoint struct {
	st   *stack
	app  application
	peer *endpoint // the other end, once it is there: only for the tags of what is acknowledged
	unit int32
	dir  int8
	open packet.Tag // of what opened the connection
	key  connKey

	state     tcpState
	mss       int // payload bytes of a full segment
	ts        bool
	tsOffset  uint32
	tsRecent  uint32
	ipID      uint16
	closed    bool // the application has let go
	finQueued bool

	sender
	receiver
}

func (e *endpoint) local() uint32  { return e.key.local }
func (e *endpoint) remote() uint32 { return e.key.remote }

// Timers of an endpoint, as arguments of Fire.
const (
	timerSend  = iota // retransmission, probe
	timerAck          // delayed acknowledgement
	timerAlive        // keepalive
	timerGone         // forget a closed connection
	timerSACK         // an acknowledgement of what lies beyond a gap
)

// Fire implements clock.Handler.
func (e *endpoint) Fire(now int64, arg uint64) {
	switch arg {
	case timerSend:
		e.sendTimer(now)
	case timerAck:
		e.ackTimer(now)
	case timerAlive:
		e.aliveTimer(now)
	case timerSACK:
		e.sackTimer(now)
	case timerGone:
		e.st.forget(e)
	}
}

func (e *endpoint) now() int64 { return e.st.n.clock.Now() }

// synTimeout is TCP's first (RFC 6298); it doubles with each SYN.
const synTimeout = int64(1e9)

// connect sends the first SYN.
func (e *endpoint) connect() {
	e.state = stateSynSent
	e.rto = synTimeout
	e.sendSYN()
}

func (e *endpoint) sendSYN() {
	e.synAt = e.now()
	e.syns++
	flags := packet.FlagSYN
	if e.state == stateSynReceived {
		flags |= packet.FlagACK
	}
	e.control(flags, e.isn, e.open.As(packet.RoleTCPHandshake), true)
	e.armSend(e.synAt + e.rto)
}

// segment is a TCP segment as it arrived.
type segment struct {
	seq, ack     uint32
	flags        byte
	window       uint32
	tsVal, tsEcr uint32
	hasTS        bool
	mss          int
	sack         [3][2]uint32
	sacks        int
	payload      int
}

// parseTCP reads a segment; l4 begins with its header and ends with its payload.
func parseTCP(l4 []byte) (s segment, ok bool) {
	t, ok := packet.ParseTCP(l4)
	if !ok {
		return s, false
	}
	s.seq, s.ack = t.SequenceNumber(), t.AcknowledgmentNumber()
	s.flags, s.window, s.payload = t.Flags(), uint32(t.Window()), len(l4)-t.DataOffset()
	o := t.Options()
	if len(o) == timestampSize && o[0] == packet.OptionNoOperation && o[1] == packet.OptionNoOperation &&
		o[2] == packet.OptionTimestamps { // the usual case: time stamps alone
		s.hasTS, s.tsVal, s.tsEcr = true, binary.BigEndian.Uint32(o[4:]), binary.BigEndian.Uint32(o[8:])
		return s, true
	}
	for len(o) > 0 {
		switch o[0] {
		case packet.OptionEnd:
			return s, true
		case packet.OptionNoOperation:
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return s, true
		}
		v := o[2:o[1]]
		switch {
		case o[0] == packet.OptionMSS && len(v) == 2:
			s.mss = int(binary.BigEndian.Uint16(v))
		case o[0] == packet.OptionTimestamps && len(v) == 8:
			s.hasTS, s.tsVal, s.tsEcr = true, binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
		case o[0] == packet.OptionSACK:
			for ; len(v) >= 8 && s.sacks < len(s.sack); v = v[8:] {
				s.sack[s.sacks] = [2]uint32{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
				s.sacks++
			}
		}
		o = o[o[1]:]
	}
	return s, true
}

// input takes a segment for this endpoint.
func (e *endpoint) input(s *segment) {
	switch {
	case e.state == stateClosed:
		return
	case s.flags&packet.FlagRST != 0:
		e.fail()
		return
	case s.flags&packet.FlagSYN != 0:
		e.inputSYN(s)
		return
	case e.state == stateSynSent:
		return
	}
	if s.hasTS {
		e.tsRecent = s.tsVal
	}
	if s.flags&packet.FlagACK != 0 {
		if e.state == stateSynReceived {
			e.becomeOpen()
			e.app.connected(e)
		}
		e.inputACK(s)
	}
	if s.hasTS && e.state == stateOpen {
		e.echoed(s)
	}
	if e.state != stateOpen || (s.payload == 0 && s.flags&packet.FlagFIN == 0) {
		if s.payload == 0 && e.state == stateOpen && e.offsetIn(s.seq) < e.rnxt { // a keepalive probe
			e.sendACK()
		}
		return
	}
	off := e.offsetIn(s.seq)
	if e.closed && off+int64(s.payload) > e.rnxt && s.payload > 0 { // nobody will read it
		e.reset()
		return
	}
	e.inputData(off, s.payload, s.flags)
}

func (e *endpoint) inputSYN(s *segment) {
	switch e.state {
	case stateSynSent:
		if s.flags&packet.FlagACK == 0 {
			return
		}
		e.negotiate(s)
		e.peerWindow = int64(s.window)
		e.sampleRTT(e.now()-e.synAt, e.syns == 1)
		e.becomeOpen()
		e.sendACK()
		e.app.connected(e)
	case stateSynReceived: // our answer was lost
		e.sendSYN()
	default: // our third segment was lost, or the answer came twice
		e.sendACK()
	}
}

// negotiate takes over what the other end's SYN offers.
func (e *endpoint) negotiate(s *segment) {
	e.ts = e.ts && s.hasTS
	e.tsRecent = s.tsVal
	e.irs = s.seq
	e.mss = min(e.mss, s.mss)
	if e.ts {
		e.mss -= timestampSize
	}
	e.rcvMSS = min(e.mss, defaultRcvMSS)
}

func (e *endpoint) becomeOpen() {
	answered := e.state == stateSynReceived
	if answered {
		e.sampleRTT(e.now()-e.synAt, e.syns == 1)
	}
	e.state = stateOpen
	e.sendAt = 0
	e.cwnd, e.ssthresh = initialWindow, maxWindow
	if e.syns > 1 { // RFC 6298, section 5.7
		e.cwnd = 1
	}
	e.cubic = newCubic(e.now())
	e.lastSent, e.lastHeard = e.now(), e.now()
	e.win = newRecvWindow(e.now(), e.mss, e.firstWindow(answered))
	if e.st.keepalive > 0 {
		e.st.n.clock.Schedule(e.now()+e.st.keepalive, e, timerAlive)
	}
}

// close ends what this end sends, after all that was written; what still comes in is answered with a reset.
func (e *endpoint) close() {
	if e.closed || e.state == stateClosed {
		return
	}
	e.closed = true
	if e.state != stateOpen {
		e.vanish()
		return
	}
	e.finQueued = true
	e.push()
}

// reset ends the connection at once.
func (e *endpoint) reset() {
	e.control(packet.FlagRST|packet.FlagACK, e.seqOut(e.nxt), e.out.newest(e.open).As(packet.RoleClose), false)
	e.vanish()
}

// fail tells the application that the connection is gone.
func (e *endpoint) fail() {
	told := e.closed
	e.vanish()
	if !told {
		e.closed = true
		e.app.broken(e)
	}
}

// vanish forgets the connection.
func (e *endpoint) vanish() {
	e.state = stateClosed
	e.st.forget(e)
}

// timeWait is how long a closed connection still answers, and waits for the other end to close: Linux's 60 s.
const timeWait = int64(60e9)

// settle lets the connection go, in a while, once this end's FIN is acknowledged.
func (e *endpoint) settle() {
	if e.una > e.out.end && e.closed && !e.settled {
		e.settled = true
		e.st.n.clock.Schedule(e.now()+timeWait, e, timerGone)
	}
}

// aliveTimer probes a connection on which nothing has been heard for the stack's keepalive time.
func (e *endpoint) aliveTimer(now int64) {
	if e.state != stateOpen || e.closed {
		return
	}
	due := max(e.lastHeard, e.lastSent) + e.st.keepalive
	if now >= due && e.una == e.nxt {
		e.control(packet.FlagACK, e.seqOut(e.nxt)-1, e.peerTag(e.rnxt-1).As(packet.RoleKeepalive), false)
		e.lastHeard = now // the next is due as long after it; lastSent is of data
		due = now + e.st.keepalive
	}
	e.st.n.clock.Schedule(max(due, now+1), e, timerAlive)
}

// peerTag is the tag of a byte that the other end has sent.
func (e *endpoint) peerTag(off int64) packet.Tag {
	if e.peer == nil {
		return e.open
	}
	return e.peer.out.tagAt(off, e.open)
}

func (s *stream) newest(open packet.Tag) packet.Tag {
	if s.end == 0 {
		return open
	}
	return s.last
}
