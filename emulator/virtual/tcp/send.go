package tcp

import "glasshouse/emulator/packet"

const (
	initialWindow = 10 // segments: RFC 6928
	maxWindow     = 1 << 30
	minRTO        = int64(200e6) // Linux
	maxRTO        = int64(120e9)
	sendTries     = 15 // Linux's tcp_retries2
)

// sent is a segment that is not acknowledged yet.
type sent struct {
	off    int64
	n      int32 // bytes; the FIN counts as one
	at     int64 // when it was sent last, ns
	again  bool  // it was sent more than once
	sacked bool
	lost   bool
}

// sender is the half of an Conn that sends.
type sender struct {
	out      stream
	isn      uint32
	una, nxt int64
	syns     int
	synAt    int64
	segs     []sent // from una on
	head     int    // index of the first
	sackedN  int
	lostN    int

	cwnd, ssthresh int  // segments
	count          int  // acknowledged in congestion avoidance
	limited        bool // the window, and not the application, stops it just now
	usage          usage
	cubic          cubic
	recover        int64 // stream offset at which recovery is over; 0 = not in recovery
	inLoss         bool  // recovery after a time-out
	reduction      reduction
	rack           rack

	srtt, rttvar, rto int64 // ns
	backoff           int
	sendAt            int64 // when sendTimer is due; 0 = not armed
	sendSet           bool  // a timer is pending, maybe for an earlier moment
	probe             bool  // it is a tail loss probe
	lastSent          int64
}

func (e *Conn) seqOut(off int64) uint32 { return e.isn + 1 + uint32(off) }

// Write puts n bytes on the stream in one write and sends what may go. set, if there is one, spells bytes out.
func (e *Conn) Write(n int, t packet.Tag, text []byte) {
	if e.closed || e.state == stateClosed {
		return
	}
	e.out.grow(n, t).text = text
	e.push()
}

// inFlight is how many segments are in the network.
func (e *Conn) inFlight() int { return len(e.segs) - e.head - e.sackedN - e.lostN }

// push sends lost segments again, then new ones, as far as the windows allow.
func (e *Conn) push() {
	if e.state != stateOpen {
		return
	}
	now := e.now()
	if len(e.segs) == e.head && e.nxt < e.out.end {
		e.restart(now)
	}
	if e.lostN > 0 {
		e.resend(now)
	}
	e.limited = false
	from := e.nxt
	for e.nxt < e.out.end {
		n := e.burst(now)
		if n == 0 {
			break
		}
		for k := range n {
			size := int(min(int64(e.mss), e.out.end-e.nxt))
			if e.st.Apart {
				size = int(min(int64(size), e.out.chunks[e.out.find(e.nxt)].end-e.nxt))
			}
			e.sendData(e.nxt, size, e.out.tagAt(e.nxt, e.open), k == n-1 && n > 1, false)
			e.track(e.nxt, size, now)
			e.nxt += int64(size)
		}
		e.reduction.out += n
		e.pingpongSent(now)
	}
	if full := e.limited || e.inFlight() >= e.cwnd; full || e.nxt > from {
		e.validate(full, now)
	}
	if e.finQueued && e.nxt == e.out.end && e.una <= e.out.end {
		e.sendData(e.nxt, 0, e.out.newest(e.open).As(packet.RoleClose), false, true)
		e.track(e.nxt, 1, now)
		e.nxt++
	}
	switch {
	case e.sendAt != 0:
	case len(e.segs) > e.head:
		e.armLoss(now)
	case e.nxt < e.out.end: // the other end's window is closed (tcp_check_probe_timer)
		e.armSend(now + e.timeOut())
	}
}

// burst says how many segments leave together now, as Linux's segmentation offload has them: what the link carries in about a
// millisecond, two at least. Where the window has room for fewer, it waits for an acknowledgement that is near, but not while it
// makes losses good.
func (e *Conn) burst(now int64) int {
	room := e.cwnd - e.inFlight()
	if room <= 0 {
		e.limited = true
		return 0
	}
	window := e.una + e.peerWindow - e.nxt
	left := e.out.end - e.nxt
	full := int(min(left, window) / int64(e.mss))
	if full == 0 {
		if left > window {
			return 0
		}
		return 1 // the last of a write, below the full size
	}
	want := 2
	if e.srtt > 0 {
		// Segments a round trip, fewer where the threshold is near (tcp_update_pacing_rate).
		rate := 2 * int64(max(e.cwnd, len(e.segs)-e.head))
		if e.cwnd >= e.ssthresh/2 {
			rate = rate * 3 / 5
		}
		want = int(max(rate*tsoTime/e.srtt, 2))
	}
	n := min(want, full)
	if n <= room {
		return n
	}
	if e.recover == 0 && e.head < len(e.segs) && room < e.cwnd/3 && now-e.segs[e.head].at > e.srtt/2 {
		e.limited = true
		return 0
	}
	return room
}

// tsoTime is how much of a connection's rate goes into one burst, ns (net/ipv4/tcp_output.c, sk_pacing_shift 10).
const tsoTime = int64(976_562)

func (e *Conn) track(off int64, n int, now int64) {
	if e.head > 64 && e.head*2 > len(e.segs) {
		e.segs = e.segs[:copy(e.segs, e.segs[e.head:])]
		e.head = 0
	}
	k := len(e.segs)
	e.segs = append(e.segs, sent{})
	s := &e.segs[k]
	s.off, s.n, s.at = off, int32(n), now // in place: a core stalls where it copies what it has just put together
	e.lastSent = now
}

// restart shrinks the window after a pause (tcp_cwnd_restart), which does not count for CUBIC's curve.
func (e *Conn) restart(now int64) {
	e.cubic.paused(e.lastSent, now)
	if now-e.lastSent <= e.rto {
		return
	}
	e.ssthresh = max(e.ssthresh, e.cwnd/2+e.cwnd/4)
	e.usage.used, e.usage.fullAt = 0, now
	for idle := now - e.lastSent - e.rto; idle > 0 && e.cwnd > initialWindow; idle -= e.rto {
		e.cwnd = max(e.cwnd/2, initialWindow)
	}
}

// inputACK takes what a segment says of what was received.
func (e *Conn) inputACK(s *Segment) {
	now := e.now()
	e.lastHeard = now
	ack := e.una + int64(int32(s.ack-e.seqOut(e.una)))
	if ack > e.nxt || ack < e.una {
		return
	}
	e.peerWindow = int64(s.window) << windowScale
	fresh, first, last := 0, int64(-1), int64(-1)
	advanced := ack > e.una
	if advanced {
		fresh, first, last = e.cumulative(ack, now)
	}
	sacked, from, to := e.selective(s, now)
	fresh += sacked
	if first < 0 {
		first = from
	}
	if to >= 0 {
		last = to
	}
	e.timed(first, last, now)
	e.adapt(fresh, advanced, now)
	if advanced || sacked > 0 {
		e.armLoss(now)
	}
	e.push()
	if advanced {
		e.settle()
	}
}

// adapt sets the window after an acknowledgement that tells of fresh segments for the first time (tcp_fastretrans_alert,
// tcp_cong_control).
func (e *Conn) adapt(fresh int, advanced bool, now int64) {
	if e.recover > 0 && e.una >= e.recover {
		if !e.inLoss {
			e.cwnd = max(e.ssthresh, 1)
		}
		e.recover, e.inLoss = 0, false
	}
	lost := e.markLost(now)
	if lost && e.recover == 0 {
		e.enterRecovery(false)
	}
	switch {
	case e.recover > 0 && !e.inLoss:
		e.reduce(fresh, lost, advanced)
	case advanced:
		e.grow(fresh, now)
	}
}

// timed takes the round trips of the first and the last segment that an acknowledgement covers, by when they were sent; -1 = none.
// RFC 6298 has the first, CUBIC the last.
func (e *Conn) timed(first, last, now int64) {
	if first >= 0 {
		e.sampleRTT(now-first, true)
	}
	if last >= 0 && e.cubic.sample(max(now-last, 1e3), e.una, e.nxt, now, e.cwnd, e.cwnd < e.ssthresh) {
		e.ssthresh = e.cwnd
	}
}

// cumulative drops what is acknowledged up to off and returns how many segments were not told of before, and when the first and the
// last of them had been sent, ns; -1 where one was sent more than once (tcp_clean_rtx_queue).
func (e *Conn) cumulative(off, now int64) (n int, first, last int64) {
	first, last = -1, -1
	again := false
	for e.head < len(e.segs) && e.segs[e.head].off+int64(e.segs[e.head].n) <= off {
		s := &e.segs[e.head]
		if s.sacked {
			e.sackedN--
		} else {
			e.rack.arrived(s, now, e.cubic.least)
			n++
		}
		if s.lost {
			e.lostN--
		}
		switch {
		case s.again:
			again = true
		case !s.sacked:
			if last = s.at; first < 0 {
				first = s.at
			}
		}
		e.head++
	}
	if e.head == len(e.segs) {
		e.segs, e.head = e.segs[:0], 0
	}
	e.una = off
	e.backoff = 0
	e.out.release(off)
	if again {
		return n, -1, -1
	}
	return n, first, last
}
