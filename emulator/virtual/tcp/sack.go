package tcp

import "slices"

// Linux's rules for what is told of bytes beyond a gap (net/ipv4/tcp_input.c).
const (
	sackBlocks  = 4          // remembered
	sackUsual   = 2          // more of them, and what waits goes out before a new one pushes it away
	sackAtOnce  = 3          // acknowledgements of one gap that do not wait
	sackHeld    = 44         // that do, at most
	sackDelay   = int64(1e6) // ns: how long, at most
	sackOfRound = 20         // and not longer than this part of a round trip
)

// gap is a range of stream bytes.
type gap struct{ from, to int64 }

// meets tells whether two ranges overlap or touch.
func (g gap) meets(o gap) bool { return g.from <= o.to && o.from <= g.to }

// with is the range that holds both, where they meet.
func (g gap) with(o gap) gap { return gap{min(g.from, o.from), max(g.to, o.to)} }

// disorder is what has come beyond a gap.
type disorder struct {
	parts  []gap // all of it, in order
	beyond []gap // the parts that acknowledgements tell of, the newest first
	held   int   // acknowledgements that wait to go out as one
	due    int64 // when it goes; 0 = none waits
	dups   int   // acknowledgements since rnxt was at
	at     int64
}

// keep notes bytes beyond a gap.
func (e *Conn) keep(g gap) {
	d := &e.disorder
	apart := len(d.parts)
	i, _ := slices.BinarySearchFunc(d.parts, g, func(a, b gap) int { return int(a.from - b.from) })
	d.parts = slices.Insert(d.parts, i, g)
	for k := max(i-1, 0); k+1 < len(d.parts); {
		if a, b := &d.parts[k], d.parts[k+1]; b.from <= a.to {
			a.to = max(a.to, b.to)
			d.parts = slices.Delete(d.parts, k+1, k+2)
		} else {
			k++
		}
	}
	e.tell(g)
	if n := int(g.to - g.from); n > 0 {
		e.park(n, len(d.parts) <= apart)
	}
}

// tell puts the block that a new segment makes or lengthens before the others (tcp_sack_new_ofo_skb).
func (e *Conn) tell(g gap) {
	d := &e.disorder
	i := slices.IndexFunc(d.beyond, g.meets)
	if i >= 0 {
		g = g.with(d.beyond[i])
		d.beyond[i] = g
	}
	if d.held > 0 && (i >= sackUsual || i < 0 && len(d.beyond) >= sackUsual) {
		e.sendACK()
	}
	switch {
	case i >= 0:
		d.beyond = slices.Delete(d.beyond, i, i+1)
	case len(d.beyond) == sackBlocks:
		d.beyond = d.beyond[:sackBlocks-1]
	}
	for k := 0; k < len(d.beyond); { // it may reach others now
		if b := d.beyond[k]; g.meets(b) {
			g = g.with(b)
			d.beyond = slices.Delete(d.beyond, k, k+1)
		} else {
			k++
		}
	}
	d.beyond = slices.Insert(d.beyond, 0, g)
}

// join takes what lies at rnxt by now out of the disorder.
func (e *Conn) join() {
	d := &e.disorder
	n, closed, all := 0, int64(0), int64(0)
	for i, g := range d.parts {
		if all += g.to - g.from; g.from <= e.rnxt {
			e.rnxt = max(e.rnxt, g.to)
			n, closed = i+1, all
		}
	}
	e.win.unpark(closed, all)
	d.parts = slices.Delete(d.parts, 0, n)
	d.beyond = slices.DeleteFunc(d.beyond, func(g gap) bool { return len(d.parts) == 0 || g.from <= e.rnxt })
}

// holdACK lets an acknowledgement wait a moment for others that tell of the same gap (__tcp_ack_snd_check).
func (e *Conn) holdACK(now int64) {
	d := &e.disorder
	if d.at != e.rnxt {
		d.at, d.dups = e.rnxt, 0
	}
	if d.held >= sackHeld || d.dups < sackAtOnce {
		if d.held < sackHeld {
			d.dups++
		}
		e.sendACK()
		return
	}
	if d.held++; d.due != 0 {
		return
	}
	rtt := e.win.trip.rtt
	if e.srtt > 0 {
		rtt = min(rtt, e.srtt)
	}
	d.due = now + min(rtt/sackOfRound, sackDelay)
	e.st.net.Clock.Schedule(d.due, e, timerSACK)
}

func (e *Conn) sackTimer(now int64) {
	if d := &e.disorder; d.due == now && e.state == stateOpen {
		e.sendACK()
	}
}
