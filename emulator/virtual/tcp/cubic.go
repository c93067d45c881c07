package tcp

import "math/bits"

// cubic is Linux's usual congestion control (net/ipv4/tcp_cubic.c): its search for the end of slow start, and its curve after it.
type cubic struct {
	round hystart
	least int64 // ns: the shortest round trip seen (delay_min); 0 = none yet

	epoch  int64 // jiffies: when the curve began; 0 = not yet
	lossAt int   // segments: the window at the last loss (last_max_cwnd); 0 = none yet
	origin int   // segments: where the curve is flat
	k      int64 // 1/1024 s: from the epoch to there
	wait   int   // acknowledged segments that let the window grow by one (cnt)
	at     int64 // jiffies: when that was computed
	from   int   // segments: for which window
	acked  int   // segments, for Reno's window
	reno   int   // segments: the window that Reno would have
}

// hystart finds the end of slow start before loss does (Ha and Rhee 2011).
type hystart struct {
	end         int64 // stream offset that ends the round
	start, last int64 // ns: of the round, of its newest acknowledgement in a train
	rtt         int64 // ns: the shortest of the round
	samples     int
	found       bool // once: it is not looked for again before a time-out
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

// The curve's constants in Linux.
const (
	jiffy        = int64(4e6) // ns: CONFIG_HZ is 250
	jiffies      = 250        // a second
	cubicBeta    = 717        // of 1024: what is left after a loss
	cubicScale   = 410        // of 1024: segments a cubed second, ten times
	cubicFactor  = 1 << 40 / cubicScale
	cubicReno    = 15 // eighths: of a window that Reno needs acknowledged for one more, with CUBIC's beta
	cubicFirst   = 20 // acknowledged segments for one more, at most, while no loss is known: 5 % a round trip
	cubicFastest = 2
)

// newCubic is the state of a connection that opens now.
func newCubic(now int64) cubic { return cubic{round: hystart{start: now, last: now}} }

// sample takes the round trip of the newest segment that an acknowledgement covers; true if slow start, with a window of cwnd
// segments, is over (cubictcp_acked, hystart_update).
func (c *cubic) sample(rtt, una, nxt, now int64, cwnd int, slow bool) bool {
	if c.epoch != 0 && now/jiffy+1-c.epoch < jiffies {
		return false
	}
	if c.least == 0 || rtt < c.least {
		c.least = rtt
	}
	h := &c.round
	if h.found || !slow {
		return false
	}
	if una > h.end {
		*h = hystart{end: nxt, start: now, last: now}
	}
	if cwnd < hystartFrom {
		return false
	}
	if now-h.last <= hystartGap {
		h.last = now
		h.found = now-h.start > (c.least+hystartDelay)/2
	}
	if h.rtt == 0 || rtt < h.rtt {
		h.rtt = rtt
	}
	if h.samples < hystartSamples {
		h.samples++
	} else if h.rtt > c.least+min(max(c.least/8, hystartLeast), hystartMost) {
		h.found = true
	}
	return h.found
}

// paused moves the curve by the time in which nothing was on its way, since a moment (cubictcp_cwnd_event).
func (c *cubic) paused(since, now int64) {
	if c.epoch != 0 {
		c.epoch = min(c.epoch+max(now/jiffy-since/jiffy, 0), now/jiffy+1)
	}
}

// lost notes a loss at a window of cwnd segments and returns the new threshold of slow start (cubictcp_recalc_ssthresh).
func (c *cubic) lost(cwnd int) int {
	c.epoch = 0
	if cwnd < c.lossAt { // it shares the path with one that came later
		c.lossAt = cwnd * (1024 + cubicBeta) / 2048
	} else {
		c.lossAt = cwnd
	}
	return max(cwnd*cubicBeta/1024, 2)
}

// needs is how many acknowledged segments let a window of cwnd grow by one, after n more were acknowledged (bictcp_update).
func (c *cubic) needs(cwnd, n int, now int64) int {
	c.acked += n
	at := now/jiffy + 1
	if c.from == cwnd && at-c.at <= jiffies/32 {
		return c.wait
	}
	if c.epoch == 0 || at != c.at {
		c.from, c.at = cwnd, at
		c.follow(cwnd, n, at)
	}
	share := cwnd * cubicReno >> 3
	for c.acked > share {
		c.acked -= share
		c.reno++
	}
	if c.reno > cwnd {
		c.wait = min(c.wait, cwnd/(c.reno-cwnd))
	}
	c.wait = max(c.wait, cubicFastest)
	return c.wait
}

// follow computes wait from the curve, at a moment in jiffies.
func (c *cubic) follow(cwnd, n int, at int64) {
	if c.epoch == 0 {
		c.epoch, c.acked, c.reno = at, n, cwnd
		c.k, c.origin = 0, cwnd
		if c.lossAt > cwnd {
			c.k, c.origin = cubicRoot(cubicFactor*uint64(c.lossAt-cwnd)), c.lossAt
		}
	}
	t := (at - c.epoch + (c.least+jiffy-1)/jiffy) << 10 / jiffies
	off := t - c.k
	if off < 0 {
		off = -off
	}
	off = min(off, 1<<17) // two minutes from there the window is as large as any
	target := c.origin + int(cubicScale*off*off*off>>40)
	if t < c.k {
		target = 2*c.origin - target
	}
	c.wait = 100 * cwnd
	if target > cwnd {
		c.wait = cwnd / (target - cwnd)
	}
	if c.lossAt == 0 {
		c.wait = min(c.wait, cubicFirst)
	}
}

// cubicRoot is the largest number whose cube is not above a.
func cubicRoot(a uint64) int64 {
	x := uint64(0)
	for b := (bits.Len64(a) + 2) / 3; b >= 0; b-- {
		if y := x | 1<<b; y*y*y <= a && bits.Len64(y) <= 21 {
			x = y
		}
	}
	return int64(x)
}
