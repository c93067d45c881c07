package tcp

// usage is how much of its congestion window a sender fills (tcp_cwnd_validate): one that does not is not let grow.
type usage struct {
	full   bool  // it filled it, in this window
	out    int   // segments: the most that were on their way, in this window
	end    int64 // stream offset that ends this window
	used   int   // segments: the most that were on their way since it was last full
	fullAt int64 // ns: when that was
}

// validate notes what is on its way after something was sent, or could not be.
func (e *Conn) validate(full bool, now int64) {
	u, out := &e.usage, len(e.segs)-e.head
	if e.una >= u.end || full || !u.full && out > u.out {
		u.full, u.out, u.end = full, out, e.nxt
	}
	if e.fills() {
		u.used, u.fullAt = 0, now
		return
	}
	if u.used = max(u.used, out); now-u.fullAt >= e.rto && e.recover == 0 { // tcp_cwnd_application_limited
		if used := max(u.used, initialWindow); used < e.cwnd {
			e.ssthresh = max(e.ssthresh, e.cwnd*3/4)
			e.cwnd = (e.cwnd + used) / 2
		}
		u.used, u.fullAt = 0, now
	}
}

// fills tells whether the window is used so far that it may grow: in slow start to twice what was on its way.
func (e *Conn) fills() bool {
	return e.usage.full || e.cwnd < e.ssthresh && e.cwnd < 2*e.usage.out
}

// grow opens the window for n acknowledged segments: slow start, then along CUBIC's curve (cubictcp_cong_avoid, tcp_cong_avoid_ai).
func (e *Conn) grow(n int, now int64) {
	if !e.fills() {
		return
	}
	if e.cwnd < e.ssthresh {
		k := min(n, e.ssthresh-e.cwnd)
		e.cwnd += k
		if n -= k; n == 0 {
			return
		}
	}
	per := e.cubic.needs(e.cwnd, n, now)
	if e.count >= per {
		e.count = 0
		e.cwnd++
	}
	e.count += n
	e.cwnd += e.count / per
	e.count %= per
}

// sampleRTT follows RFC 6298 with Linux's floor: RTO = SRTT + max(4 RTTVAR, 200 ms).
func (e *Conn) sampleRTT(r int64, usable bool) {
	if !usable {
		return
	}
	if e.srtt == 0 {
		e.srtt, e.rttvar = r, r/2
	} else {
		d := r - e.srtt
		e.srtt += d / 8
		if d < 0 {
			d = -d
		}
		e.rttvar += (d - e.rttvar) / 4
	}
	e.rto = min(e.srtt+max(4*e.rttvar, minRTO), maxRTO)
}
