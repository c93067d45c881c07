// Package link has the parts of a link: the queue that sends at a rate, the path's delay, jitter and loss, and the delay line that holds
// packets until their time.
//
// Queue and Path are pure, and their caller serialises them. DelayLine is safe for concurrent use, and delivers on its clock's goroutine.
// Not modelled: reordering, duplication, active queue management.
package link

import "glasshouse/gateway/dice"

// Queue is the WAN queue of one direction: it sends at a rate and drops at its tail. Where the medium is granted in cycles, as
// homes share a cable's or a fibre's uplink, what has come in one cycle leaves in the next, back to back. Pure: time is given
// to it.
type Queue struct {
	rate  int64 // bits a second; 0 = unlimited
	limit int64 // bytes that may wait; 0 = unlimited
	cycle int64 // ns from grant to grant; 0 = it may send at any time
	free  int64 // ns at which the last byte accepted has left
}

// NewQueue returns a queue of rate bits a second (0 = unlimited) that holds at most limit bytes (0 = unlimited) and is granted
// the medium every cycle ns (0 = always). Grants are at multiples of the cycle.
func NewQueue(rate, limit, cycle int64) *Queue { return &Queue{rate: rate, limit: limit, cycle: cycle} }

// Send accepts a frame of size bytes at now (ns) and returns when its last byte has left; ok is false if it was dropped.
func (q *Queue) Send(now int64, size int) (leaves int64, ok bool) {
	if q.cycle > 0 {
		now += q.cycle - now%q.cycle
	}
	start := max(now, q.free)
	if q.rate == 0 {
		q.free = start
		return start, true
	}
	if waiting := (start - now) * q.rate / 8e9; q.limit > 0 && waiting+int64(size) > q.limit {
		return 0, false
	}
	q.free = start + int64(size)*8e9/q.rate
	return q.free, true
}

// Path is the way through the access network in one direction: delay, jitter and loss. Departures stay in order: a
// packet never overtakes another. Pure: time is given to it, and its draws come from its seed.
type Path struct {
	delay, jitter int64
	loss          dice.Odds
	dice          dice.Dice
	last          int64
}

// NewPath returns a path with a delay and a jitter in ns (uniform in [0, jitter], added) and a loss probability.
func NewPath(delay, jitter int64, loss float64, seed1, seed2 uint64) *Path {
	return &Path{delay: delay, jitter: jitter, loss: dice.OddsOf(loss), dice: dice.New(seed1, seed2)}
}

// Send passes a packet that enters at now (ns); ok is false if the path loses it. It draws as often for a lost packet as
// for one that arrives.
func (p *Path) Send(now int64) (arrives int64, ok bool) {
	at := now + p.delay
	if p.jitter > 0 {
		at += p.dice.UpTo(p.jitter)
	}
	if p.loss > 0 && p.dice.Happens(p.loss) {
		return 0, false
	}
	p.last = max(at, p.last)
	return p.last, true
}
