package virtual

// usage is how much of its congestion window a sender fills (tcp_cwnd_validate): one that does not is not let grow.
type usage struct {
	full   bool  // it filled it, in this window
	out    int   // segments: the most that were on their way, in this window
	end    int64 // stream offset that ends this window
	used   int   // segments: the most that were on their way since it was last full
	fullAt int64 // ns: when that was
}

// validate notes what is on its way after something was sent, or could not be.
func (e *endpoint) validate(full bool, now int64) {
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
func (e *endpoint) fills() bool {
	return e.usage.full || e.cwnd < e.ssthresh && e.cwnd < 2*e.usage.out
}

// searching is how many acknowledged segments let CUBIC's window grow by one, at most, while it knows of no loss: 5 % a round trip.
const searching = 20

// grow opens the window for n acknowledged segments: slow start, then one segment a round trip, or more while CUBIC searches.
func (e *endpoint) grow(n int, now int64) {
	slow := e.cwnd < e.ssthresh
	if slow {
		e.slowStart(now)
	}
	if !e.fills() {
		return
	}
	if slow {
		k := min(n, max(e.ssthresh-e.cwnd, 0))
		e.cwnd += k
		if n -= k; n == 0 {
			return
		}
	}
	per := e.cwnd
	if !e.knows {
		per = min(per, searching)
	}
	e.count += n
	e.cwnd += e.count / per
	e.count %= per
}

// HyStart's constants in Linux.
const (
	hystartFrom    = 16         // segments: not below
	hystartSamples = 8          // of the round-trip time
	hystartGap     = int64(2e6) // between acknowledgements of a train
	hystartDelay   = int64(1e6) // that offloading adds to a train, at most
	hystartLeast   = int64(4e6) // threshold of delay
	hystartMost    = int64(16e6)
)

func (e *endpoint) slowStart(now int64) {
	h := &e.round
	if e.una >= h.end {
		*h = hystart{end: e.nxt, start: now, last: now}
	}
	if e.cwnd < hystartFrom || e.minRTT == 0 {
		return
	}
	rtt := now - h.start
	if now-h.last <= hystartGap {
		h.last = now
		if rtt > (e.minRTT+hystartDelay)/2 {
			e.ssthresh = e.cwnd
			return
		}
	}
	if h.samples < hystartSamples {
		if h.samples == 0 || e.lastRTT() < h.rtt {
			h.rtt = e.lastRTT()
		}
		h.samples++
	} else if h.rtt > e.minRTT+min(max(e.minRTT/8, hystartLeast), hystartMost) {
		e.ssthresh = e.cwnd
	}
}

func (e *endpoint) lastRTT() int64 { return e.rttNow }

// sampleRTT follows RFC 6298 with Linux's floor: RTO = SRTT + max(4 RTTVAR, 200 ms).
func (e *endpoint) sampleRTT(r int64, usable bool) {
	if !usable {
		return
	}
	e.rttNow = r
	if e.minRTT == 0 || r < e.minRTT {
		e.minRTT = r
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
