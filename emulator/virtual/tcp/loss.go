package tcp

import (
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

// resend sends what is marked as lost.
func (e *Conn) resend(now int64) {
	for i := e.head; i < len(e.segs) && e.lostN > 0; i++ {
		s := &e.segs[i]
		if !s.lost {
			continue
		}
		if e.inFlight() >= e.cwnd {
			return
		}
		s.lost = false
		e.lostN--
		e.again(s, now)
		e.reduction.out++
	}
}

// again sends a segment once more.
func (e *Conn) again(s *sent, now int64) {
	s.again, s.at = true, now
	n := int(s.n)
	fin := s.off+int64(n) > e.out.end
	t := e.out.tagAt(s.off, e.open).As(packet.RoleRetransmission)
	if fin {
		n--
		t = e.out.newest(e.open).As(packet.RoleClose)
		if n > 0 {
			t = t.As(packet.RoleRetransmission)
		}
	}
	e.sendData(s.off, n, t, false, fin)
	e.lastSent = now
}

// selective marks what SACK blocks cover and returns how many segments are new, and when the first and the last of those that were
// sent once had been sent, ns, or -1.
func (e *Conn) selective(s *Segment, now int64) (n int, first, last int64) {
	first, last = -1, -1
	for i := range s.sacks {
		from := e.una + int64(int32(s.sack[i][0]-e.seqOut(e.una)))
		to := e.una + int64(int32(s.sack[i][1]-e.seqOut(e.una)))
		for k := e.head; k < len(e.segs); k++ {
			x := &e.segs[k]
			if x.off >= from && x.off+int64(x.n) <= to && !x.sacked {
				x.sacked = true
				if x.lost {
					x.lost = false
					e.lostN--
				}
				e.sackedN++
				e.rack.arrived(x, now, e.cubic.least)
				n++
				if !x.again {
					if last = x.at; first < 0 {
						first = x.at
					}
				}
			}
		}
	}
	return n, first, last
}

// rack tells losses by time (RFC 8985): what was sent before something that has arrived is lost.
type rack struct {
	at, end int64 // ns: when the newest of what arrived was sent; stream offset of its end
	rtt     int64 // ns: of what arrived last
}

// arrived notes a segment that the other end has (tcp_rack_advance). What was sent again and arrives in less than the shortest round
// trip was the first copy: it tells nothing.
func (r *rack) arrived(x *sent, now, least int64) {
	if x.again && now-x.at < least {
		return
	}
	r.rtt = now - x.at
	if end := x.off + int64(x.n); x.at > r.at || x.at == r.at && end > r.end {
		r.at, r.end = x.at, end
	}
}

// over tells whether a segment is lost by now.
func (r *rack) over(x *sent, now int64) bool {
	return (x.at < r.at || x.at == r.at && x.off+int64(x.n) < r.end) && now-x.at >= r.rtt
}

// reordering is how many segments beyond a gap tell that it is a loss (RFC 6675's DupThresh).
const reordering = 3

// markLost marks the segments that were sent before one that has arrived, once so many have; true if there is a new one
// (tcp_rack_detect_loss).
func (e *Conn) markLost(now int64) (found bool) {
	if e.sackedN < reordering && e.recover == 0 {
		return false
	}
	for k := e.head; k < len(e.segs); k++ {
		if x := &e.segs[k]; !x.sacked && !x.lost && e.rack.over(x, now) {
			x.lost = true
			e.lostN++
			found = true
		}
	}
	return found
}

func (e *Conn) enterRecovery(timeout bool) {
	e.reduction = reduction{from: e.cwnd}
	if !timeout || e.recover == 0 {
		e.ssthresh = e.cubic.lost(e.cwnd)
	}
	e.recover = e.nxt
	e.inLoss = timeout
	if timeout {
		e.cwnd = 1
		e.cubic = newCubic(e.now())
		e.cubic.round.end = e.nxt
	}
}

// reduction brings the window down to the threshold in proportion to what arrives (RFC 6937, as in tcp_cwnd_reduction).
type reduction struct {
	from      int // segments: the window when the loss was told
	delivered int // segments since
	out       int // segments sent since
}

// reduce opens the window for what an acknowledgement lets go: n segments that it tells of for the first time.
func (e *Conn) reduce(n int, lost, advanced bool) {
	if n == 0 {
		return
	}
	r, out := &e.reduction, e.inFlight()
	r.delivered += n
	var send int
	if room := e.ssthresh - out; room < 0 {
		send = (e.ssthresh*r.delivered+r.from-1)/r.from - r.out
	} else {
		send = max(r.delivered-r.out, n)
		if advanced && !lost {
			send++
		}
		send = min(send, room)
	}
	if r.out == 0 {
		send = max(send, 1)
	}
	e.cwnd = out + max(send, 0)
}

// armLoss sets the timer for the oldest segment in flight: a tail loss probe after two round trips (RFC 8985, section 7), or a
// retransmission.
func (e *Conn) armLoss(now int64) {
	if len(e.segs) == e.head {
		e.sendAt = 0
		return
	}
	rto := e.timeOut()
	e.probe = false
	at := now + rto
	if e.recover == 0 && e.backoff == 0 && e.sackedN == 0 && e.srtt > 0 {
		pto := 2 * e.srtt
		if len(e.segs)-e.head == 1 {
			pto += minRTO
		} else {
			pto += int64(2e6)
		}
		if pto < rto {
			e.probe, at = true, now+pto
		}
	}
	e.armSend(at)
}

// timeOut is how long the sender waits for an answer, longer each time that none comes.
func (e *Conn) timeOut() int64 { return min(e.rto<<min(e.backoff, 20), maxRTO) }

// armSend sets the one timer of the sender. A pending one that fires too early sets itself anew.
func (e *Conn) armSend(at int64) {
	if e.sendSet && e.sendPending <= at {
		e.sendAt = at
		return
	}
	e.sendAt, e.sendPending, e.sendSet = at, at, true
	e.st.net.Clock.Schedule(at, e, timerSend)
}

func (e *Conn) sendTimer(now int64) {
	if now < e.sendPending { // an earlier moment was asked for since
		return
	}
	e.sendSet = false
	switch {
	case e.state == stateClosed || e.sendAt == 0:
		return
	case now < e.sendAt:
		e.armSend(e.sendAt)
		return
	}
	e.sendAt = 0
	if e.state != stateOpen {
		if e.syns >= policy.SYNTries {
			e.fail()
			return
		}
		e.rto *= 2
		e.sendSYN()
		return
	}
	if len(e.segs) == e.head {
		if e.nxt < e.out.end {
			e.probeWindow()
		}
		return
	}
	if e.probe {
		e.probe = false
		e.again(&e.segs[len(e.segs)-1], now)
		e.armSend(now + e.rto)
		return
	}
	e.timeout(now)
}

// probeWindow asks whether the other end's window is open again: what told so may be lost (tcp_send_probe0).
func (e *Conn) probeWindow() {
	if e.backoff++; e.backoff > sendTries {
		e.fail()
		return
	}
	e.control(packet.FlagACK, e.seqOut(e.nxt)-1, e.out.tagAt(e.nxt, e.open).As(packet.RoleKeepalive), false)
	e.push()
}

// timeout takes all that is in flight for lost.
func (e *Conn) timeout(now int64) {
	if e.backoff++; e.backoff > sendTries {
		e.fail()
		return
	}
	e.enterRecovery(true)
	e.lostN = 0
	for k := e.head; k < len(e.segs); k++ {
		if x := &e.segs[k]; !x.sacked {
			x.lost = true
			e.lostN++
		}
	}
	e.push()
	e.armLoss(now)
}
