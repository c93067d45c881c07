package tcp

import "glasshouse/emulator/packet"

// Linux's acknowledgement policy (net/ipv4/tcp_input.c, tcp_output.c, tcp_timer.c).
const (
	leastDelay    = int64(40e6)  // of a delayed acknowledgement, ns; also the first
	mostDelay     = int64(200e6) // where the connection is interactive
	quickMost     = 16           // acknowledgements at once
	defaultRcvMSS = 536          // bytes: the first estimate of the peer's segments
	leastRcvMSS   = 88           // bytes: and the least
)

// receiver is the half of an Conn that receives.
type receiver struct {
	irs        uint32
	rnxt       int64 // next byte expected
	finIn      bool  // the peer's FIN has been reached
	finAt      int64 // its offset, if it has been seen; finSeen
	finSeen    bool
	peerWindow int64
	settled    bool
	lastHeard  int64
	win        recvWindow
	disorder

	ackedTo     int64 // rnxt when the last acknowledgement went out
	owes        bool  // data has come that is not acknowledged
	rcvMSS      int
	lastSize    int  // bytes of the newest segment, where it was below that
	quick       int  // acknowledgements that go out at once
	interactive bool // data was sent in reply: acknowledgements ride on it
	pushed      bool // a segment below the full size has come
	pushedTwice bool
	ato         int64
	lastData    int64
	ackAt       int64 // when the delayed one is due; 0 = not armed
	ackSet      bool
	ackPending  int64
	locked      int64 // ns: until when the program holds the socket, reading
	deferred    bool  // an acknowledgement goes out when it lets go

	sendPending int64
}

func (e *Conn) offsetIn(seq uint32) int64 {
	return e.rnxt + int64(int32(seq-(e.irs+1+uint32(e.rnxt))))
}

// ackNumber is the next sequence number expected.
func (e *Conn) ackNumber() uint32 {
	n := e.irs + 1 + uint32(e.rnxt)
	if e.finIn {
		n++
	}
	return n
}

// inputData takes a segment's payload, or its FIN, that stand at off.
func (e *Conn) inputData(off int64, s *Segment, at int64) {
	now, n, flags := e.now(), s.payload, s.flags
	if e.app.Arriving(at); e.state == stateClosed {
		return
	}
	e.lastHeard = now
	end := off + int64(n)
	if flags&packet.FlagFIN != 0 && !e.finSeen {
		e.finSeen, e.finAt = true, end
	}
	switch {
	case e.finIn || end < e.rnxt || (end == e.rnxt && n > 0): // a repetition
		e.enterQuick()
		e.sendACK()
		return
	case off > e.rnxt:
		e.keep(gap{off, end})
		if e.quick > 0 && !e.interactive {
			e.sendACK()
		} else {
			e.holdACK(now)
		}
		return
	}
	e.rnxt = end
	filled := len(e.parts) > 0
	if filled {
		e.join()
		filled = len(e.parts) == 0
	}
	if n > 0 {
		e.hold(n)
		e.measure(n, flags, now)
		e.widen(n)
	}
	e.finIn = e.finSeen && e.rnxt >= e.finAt
	if e.finIn && !e.closed { // tcp_fin: what the application says next will carry the acknowledgement
		e.interactive = true
	}
	e.owes = true
	switch atOnce := filled || (e.finIn && e.closed) || (e.rnxt-e.ackedTo > int64(e.rcvMSS) && e.moves()) || (e.quick > 0 && !e.interactive); {
	case atOnce && at < e.locked: // net.ipv4.tcp_backlog_ack_defer
		e.deferred = true
	case atOnce:
		e.sendACK()
	case len(e.parts) > 0:
		e.holdACK(now)
	default:
		e.delayACK(now)
	}
	if n > 0 {
		e.app.Received(e)
	}
	if e.finIn && e.state == stateOpen {
		e.app.Ended(e)
		e.settle()
	}
}

// measure follows the peer's Segment sizes and rhythm.
func (e *Conn) measure(n int, flags byte, now int64) {
	last, options := e.lastSize, 0
	e.lastSize = 0
	if e.ts {
		options = timestampSize
	}
	whole := n+options >= defaultRcvMSS || n+options >= leastRcvMSS && flags&packet.FlagPSH == 0 // the other end may have no larger ones
	switch {
	case n >= e.rcvMSS:
		if n != e.rcvMSS {
			e.scale(n)
		}
		e.rcvMSS = min(n, e.mss)
		if flags&packet.FlagPSH != 0 {
			e.pushed = true
		}
	case whole && n == last: // twice in a row
		e.rcvMSS = n
	default:
		if whole {
			e.lastSize = n
		}
		e.pushedTwice = e.pushed
		e.pushed = true
	}
	e.wholeWindow(now)
	pause := now - e.lastData
	switch {
	case e.ato == 0:
		e.quickAgain()
		e.ato = leastDelay
	case pause <= leastDelay/2:
		e.ato = e.ato/2 + leastDelay/2
	case pause < e.ato:
		e.ato = min(e.ato/2+pause, e.rto)
	case pause > e.rto:
		e.quickAgain()
	}
	e.lastData = now
}

// quickAgain lets the next acknowledgements go out at once.
func (e *Conn) quickAgain() {
	k := int(e.win.said) / (2 * e.rcvMSS)
	e.quick = max(e.quick, min(max(k, 2), quickMost))
}

// enterQuick does so whatever the connection was like.
func (e *Conn) enterQuick() {
	e.quickAgain()
	e.interactive = false
	e.ato = leastDelay
}

// pingpongSent notes that data went out soon after data had come in: an interactive connection.
func (e *Conn) pingpongSent(now int64) {
	if e.lastData > 0 && now-e.lastData < e.ato {
		e.interactive = true
	}
}

// sendACK sends an acknowledgement by itself.
func (e *Conn) sendACK() {
	t := e.peerTag(e.rnxt - 1).As(packet.RoleAck)
	switch {
	case e.rnxt == 0 && e.dir == packet.Up && !e.finIn:
		t = e.open.As(packet.RoleTCPHandshake)
	case e.finIn:
		t = e.peerNewest().As(packet.RoleClose)
	}
	e.control(packet.FlagACK, e.seqOut(e.nxt), t, false)
	e.acked()
}

func (e *Conn) peerNewest() packet.Tag {
	if e.peer == nil {
		return e.open
	}
	return e.peer.out.newest(e.open)
}

// acked notes that an acknowledgement has gone out, alone or on data.
func (e *Conn) acked() {
	if e.quick > 0 {
		e.quick--
		if e.quick == 0 {
			e.ato = leastDelay
		}
	}
	e.ackedTo = e.rnxt
	e.owes, e.pushed, e.pushedTwice = false, false, false
	e.ackAt = 0
	e.held, e.due = 0, 0
}

// delayACK sets the timer of an acknowledgement that waits for data to ride on.
func (e *Conn) delayACK(now int64) {
	ato := e.ato
	if ato > leastDelay {
		most := int64(500e6)
		if e.interactive || e.pushed {
			most = mostDelay
		}
		if e.srtt > 0 {
			most = min(most, max(e.srtt, leastDelay))
		}
		ato = min(ato, most)
	}
	at := now + ato
	if e.ackAt != 0 { // one is pending: it is not put off
		return
	}
	e.ackAt = at
	if e.ackSet && e.ackPending <= at {
		return
	}
	e.ackPending, e.ackSet = at, true
	e.st.net.Clock.Schedule(at, e, timerAck)
}

func (e *Conn) ackTimer(now int64) {
	if now < e.ackPending {
		return
	}
	e.ackSet = false
	switch {
	case e.state != stateOpen || e.ackAt == 0:
		return
	case now < e.ackAt:
		e.ackPending, e.ackSet = e.ackAt, true
		e.st.net.Clock.Schedule(e.ackAt, e, timerAck)
		return
	}
	if !e.interactive {
		e.ato = min(2*e.ato, e.rto)
	} else {
		e.interactive = false
		e.ato = leastDelay
	}
	e.sendACK()
}

// Consumed tells the stack that the application has read all that came, in pieces of some bytes: it may acknowledge at once. What
// comes until the socket is let go, a moment later, is acknowledged then, all together.
func (e *Conn) Consumed(until int64, piece int) {
	if e.rnxt > e.win.read {
		e.adjust(e.now(), piece)
	}
	e.win.release(e.rnxt)
	if e.state != stateOpen {
		return
	}
	if e.owes && (e.rnxt-e.ackedTo > int64(e.rcvMSS) || e.pushedTwice || (e.pushed && !e.interactive)) {
		e.sendACK()
	}
	if e.opens() {
		e.sendACK()
	}
	e.locked = until
}

// Unlock lets go of the socket.
func (e *Conn) Unlock() {
	e.locked = 0
	if e.deferred && e.state == stateOpen && e.owes {
		e.sendACK()
	}
	e.deferred = false
}
