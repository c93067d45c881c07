package virtual

// grow opens the window for n acknowledged segments: slow start, then one segment a round trip.
func (e *endpoint) grow(n int, now int64) {
	if e.cwnd < e.ssthresh {
		if !e.limited && e.cwnd > 2*(e.inFlight()+n) {
			return
		}
		e.cwnd += n
		e.slowStart(now)
		return
	}
	if !e.limited {
		return
	}
	for e.count += n; e.count >= e.cwnd; e.count -= e.cwnd {
		e.cwnd++
	}
}

// HyStart's constants in Linux.
const (
	hystartFrom    = 16         // segments: not below
	hystartSamples = 8          // of the round-trip time
	hystartGap     = int64(2e6) // between acknowledgements of a train
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
		if rtt > e.minRTT/2 {
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
