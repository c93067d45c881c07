package tcp

import (
	"glasshouse/emulator/packet"
)

// State of an Conn, as far as its behaviour differs.
type tcpState uint8

const (
	stateClosed tcpState = iota
	stateSynSent
	stateSynReceived
	stateOpen // ESTABLISHED, and all that comes after it: what has been sent and received of FINs is kept apart
)

// Application is the program that uses a connection. It is told what happened at once; it models its own latency.
type Application interface {
	Connected(c *Conn)
	Arriving(at int64) // a segment is about to be taken, as of a moment that may lie after the clock's
	Received(c *Conn)  // more of the stream has arrived
	Ended(c *Conn)     // the peer has sent all
	Broken(c *Conn)    // reset, or given up
}

// Key names a connection at one of its ends.
type Key struct {
	Local, Remote uint32 // addresses
	Ports         uint32 // the local one, then the remote one
}

// Reverse is the key of the connection at its other end.
func (k Key) Reverse() Key {
	return Key{Local: k.Remote, Remote: k.Local, Ports: k.Ports<<16 | k.Ports>>16}
}

// Conn is one end of a TCP connection, after Linux 6: RFC 9293 with slow start from ten segments, CUBIC, quick and
// delayed acknowledgements, SACK, losses told by time, tail loss probes. Stream offsets count bytes from 0 and the FIN as one.
type Conn struct {
	st   *Stack
	app  Application
	peer *Conn // the other end, once it is there: only for the tags of what is acknowledged
	unit int32
	dir  int8
	open packet.Tag // of what opened the connection
	key  Key

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

func (e *Conn) local() uint32  { return e.key.Local }
func (e *Conn) remote() uint32 { return e.key.Remote }

// Timers of an Conn, as arguments of Fire.
const (
	timerSend  = iota // retransmission, probe
	timerAck          // delayed acknowledgement
	timerAlive        // keepalive
	timerGone         // forget a closed connection
	timerSACK         // an acknowledgement of what lies beyond a gap
)

// Fire implements clock.Handler.
func (e *Conn) Fire(now int64, arg uint64) {
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
		e.st.Forget(e)
	}
}

func (e *Conn) now() int64 { return e.st.net.Clock.Now() }

// synTimeout is TCP's first (RFC 6298); it doubles with each SYN.
const synTimeout = int64(1e9)

func (e *Conn) sendSYN() {
	e.synAt = e.now()
	e.syns++
	flags := packet.FlagSYN
	if e.state == stateSynReceived {
		flags |= packet.FlagACK
	}
	e.control(flags, e.isn, e.open.As(packet.RoleTCPHandshake), true)
	e.armSend(e.synAt + e.rto)
}

// Input takes a segment for this end, which arrives at a moment: the clock's, or later.
func (e *Conn) Input(s *Segment, at int64) {
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
			e.app.Connected(e)
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
	e.inputData(off, s, at)
}

func (e *Conn) inputSYN(s *Segment) {
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
		e.app.Connected(e)
	case stateSynReceived: // our answer was lost
		e.sendSYN()
	default: // our third segment was lost, or the answer came twice
		e.sendACK()
	}
}

// negotiate takes over what the other end's SYN offers.
func (e *Conn) negotiate(s *Segment) {
	e.ts = e.ts && s.hasTS
	e.tsRecent = s.tsVal
	e.irs = s.seq
	e.mss = min(e.mss, s.mss)
	if e.ts {
		e.mss -= timestampSize
	}
	e.rcvMSS = min(e.mss, defaultRcvMSS)
}

func (e *Conn) becomeOpen() {
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
	if e.st.Keepalive > 0 {
		e.st.net.Clock.Schedule(e.now()+e.st.Keepalive, e, timerAlive)
	}
}

// Close ends what this end sends, after all that was written; what still comes in is answered with a reset.
func (e *Conn) Close() {
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
func (e *Conn) reset() {
	e.control(packet.FlagRST|packet.FlagACK, e.seqOut(e.nxt), e.out.newest(e.open).As(packet.RoleClose), false)
	e.vanish()
}

// fail tells the application that the connection is gone.
func (e *Conn) fail() {
	told := e.closed
	e.vanish()
	if !told {
		e.closed = true
		e.app.Broken(e)
	}
}

// vanish forgets the connection.
func (e *Conn) vanish() {
	e.state = stateClosed
	e.st.Forget(e)
}

// timeWait is how long a closed connection still answers, and waits for the other end to close: Linux's 60 s.
const timeWait = int64(60e9)

// settle lets the connection go, in a while, once this end's FIN is acknowledged.
func (e *Conn) settle() {
	if e.una > e.out.end && e.closed && !e.settled {
		e.settled = true
		e.st.net.Clock.Schedule(e.now()+timeWait, e, timerGone)
	}
}

// aliveTimer probes a connection on which nothing has been heard for the stack's keepalive time.
func (e *Conn) aliveTimer(now int64) {
	if e.state != stateOpen || e.closed {
		return
	}
	due := max(e.lastHeard, e.lastSent) + e.st.Keepalive
	if now >= due && e.una == e.nxt {
		e.control(packet.FlagACK, e.seqOut(e.nxt)-1, e.peerTag(e.rnxt-1).As(packet.RoleKeepalive), false)
		e.lastHeard = now // the next is due as long after it; lastSent is of data
		due = now + e.st.Keepalive
	}
	e.st.net.Clock.Schedule(max(due, now+1), e, timerAlive)
}

// peerTag is the tag of a byte that the other end has sent.
func (e *Conn) peerTag(off int64) packet.Tag {
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
