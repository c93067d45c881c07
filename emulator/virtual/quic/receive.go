package quic

import (
	"slices"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/wire/secure"
)

// quic-go's acknowledgement policy and loss detection (RFC 9002).
const (
	maxAckDelay      = int64(25e6)
	ackEvery         = 2 // packets that ask for one
	packetThreshold  = 3 // packets beyond one tell that it is lost
	maxRanges        = 32
	timerGranularity = int64(1e6) // of timers
)

// interval is a range of packet numbers, or of stream offsets.
type interval struct{ from, to int64 }

// receiver is the half of an end that receives.
type receiver struct {
	heardOf   []interval // numbers of packets that have come, in order
	largest   int64      // of them
	largestAt int64
	since     int        // packets that ask for an acknowledgement, since the last one
	owes      bool       // something is not acknowledged
	queued    bool       // it goes out at once
	ackAt     int64      // or then; 0 = not
	rnxt      int64      // next byte of the stream
	beyond    []interval // what has come beyond it
}

// arrived takes a packet with a short header for the program.
func (e *end) arrived(payload []byte) {
	up := e.dir == packet.Down // the packet's way
	at := secure.QUICHeadSize(up)
	if len(payload) < at+sampleSize {
		return
	}
	peer := e.other()
	number := secure.QUICPacketNumber(payload, up, max(e.largest, 0), peer.mask(payload[at:]))
	if number < 0 || number >= int64(len(peer.log)) {
		e.c.cfg.Unknown()
		return
	}
	e.inbox = append(e.inbox, arrival{number, e.now()})
	e.later(e.c.cfg.Latency.Wake() + e.c.cfg.Latency.QUICHandover())
}

// read reads a packet.
func (e *end) read(a arrival, now int64) {
	p := &e.other().log[a.number]
	if !addRange(&e.heardOf, a.number) {
		return
	}
	if n := len(e.heardOf); n > maxRanges {
		e.heardOf = slices.Delete(e.heardOf, 0, n-maxRanges)
	}
	missing := a.number > e.largest+1
	if a.number > e.largest {
		e.largest, e.largestAt = a.number, a.at
	}
	if p.closes {
		e.forget()
		return
	}
	e.shakeAt = 0 // the peer has keys: the handshake is over there
	if p.acks != nil {
		e.inputACK(p, now)
	}
	if p.state == packetQuiet {
		return
	}
	e.owes = true
	e.since++
	if e.since >= ackEvery || missing || a.number < e.largest {
		e.queued, e.ackAt = true, 0
	} else if !e.queued {
		e.ackAt = a.at + maxAckDelay
		e.timer(e.ackAt+e.c.cfg.Latency.Sleep(), timerAck)
	}
	if p.n > 0 {
		e.inputStream(p.off, p.off+int64(p.n))
	}
}

// addRange adds a number to those that are known; false if it is known.
func addRange(list *[]interval, v int64) bool {
	l := *list
	i := len(l)
	for i > 0 && l[i-1].from > v {
		i--
	}
	if i > 0 && v < l[i-1].to {
		return false
	}
	if i > 0 && l[i-1].to == v {
		l[i-1].to++
		if i < len(l) && l[i].from == v+1 {
			l[i-1].to = l[i].to
			*list = slices.Delete(l, i, i+1)
		}
		return true
	}
	if i < len(l) && l[i].from == v+1 {
		l[i].from = v
		return true
	}
	*list = slices.Insert(l, i, interval{v, v + 1})
	return true
}

// inputStream takes bytes of the stream.
func (e *end) inputStream(from, to int64) {
	if from > e.rnxt {
		i, _ := slices.BinarySearchFunc(e.beyond, interval{from, to}, func(a, b interval) int { return int(a.from - b.from) })
		e.beyond = slices.Insert(e.beyond, i, interval{from, to})
		return
	}
	e.rnxt = max(e.rnxt, to)
	for len(e.beyond) > 0 && e.beyond[0].from <= e.rnxt {
		e.rnxt = max(e.rnxt, e.beyond[0].to)
		e.beyond = slices.Delete(e.beyond, 0, 1)
	}
}

// ackSize is the size of an ACK frame of what has come (RFC 9000, section 19.3).
func (e *end) ackSize() int {
	n := len(e.heardOf)
	size := 1 + varint(e.largest) + varint((e.now()-e.largestAt)/1000>>3) + varint(int64(n-1))
	for i := n - 1; i >= 0; i-- {
		size += varint(e.heardOf[i].to - e.heardOf[i].from - 1)
		if i > 0 {
			size += varint(e.heardOf[i].from - e.heardOf[i-1].to - 1)
		}
	}
	return size
}

// inputACK takes what a packet acknowledges.
func (e *end) inputACK(p *sentPacket, now int64) {
	before := e.flying
	top := p.acks[len(p.acks)-1].to - 1
	if top > e.highest {
		e.highest = top
		if x := &e.log[top]; x.state == packetInFlight {
			r := now - x.at
			if e.minRTT == 0 || r < e.minRTT {
				e.minRTT = r
			}
			if d := min(p.ackDelay, maxAckDelay); r-d >= e.minRTT {
				r -= d
			}
			e.sample(r)
		}
	}
	news := false
	for _, g := range p.acks {
		for v := max(g.from, e.oldest); v < g.to; v++ {
			x := &e.log[v]
			if x.state != packetInFlight {
				if x.state == packetLost { // it was only late
					x.state = packetAcked
				}
				continue
			}
			x.state = packetAcked
			e.flying -= int(x.size)
			e.grow(v, before)
			news = true
		}
	}
	if news {
		e.backoff = 0
	}
	e.findLost(now)
	for e.oldest < int64(len(e.log)) && e.log[e.oldest].state != packetInFlight {
		e.oldest++
	}
}

// sample takes a round-trip time (RFC 9002, section 5).
func (e *end) sample(r int64) {
	e.latest = r
	if e.minRTT == 0 || r < e.minRTT {
		e.minRTT = r
	}
	if e.srtt == 0 {
		e.srtt, e.rttvar = r, r/2
		return
	}
	d := e.srtt - r
	if d < 0 {
		d = -d
	}
	e.rttvar += (d - e.rttvar) / 4
	e.srtt += (r - e.srtt) / 8
}

// grow opens the window for an acknowledged packet, where it was the window that held the sender back.
func (e *end) grow(number int64, flying int) {
	switch {
	case number <= e.cut, e.window >= maxStreamWindow:
	case flying < e.window && (e.window > e.threshold || flying <= e.window/2) && e.window-flying > 3*datagramSize:
	case e.window < e.threshold:
		e.window += datagramSize
	default:
		if e.acked++; e.acked >= e.window/datagramSize {
			e.window += datagramSize
			e.acked = 0
		}
	}
}

// findLost takes packets for lost that were overtaken by three others, or long ago by one.
func (e *end) findLost(now int64) {
	e.lossAt = 0
	delay := max(max(e.latest, e.srtt)*9/8, timerGranularity)
	for v := e.oldest; v < e.highest; v++ {
		x := &e.log[v]
		switch {
		case x.state != packetInFlight:
		case v <= e.highest-packetThreshold || now-x.at >= delay:
			e.lose(v)
		case e.lossAt == 0:
			e.lossAt = x.at + delay
		}
	}
}

// lose has a packet's data sent again.
func (e *end) lose(v int64) {
	x := &e.log[v]
	x.state = packetLost
	e.flying -= int(x.size)
	e.repeat(x)
	if v > e.cut {
		e.window = max(e.window*7/10, minWindow)
		e.threshold = e.window
		e.cut = int64(len(e.log)) - 1
		e.acked = 0
	}
}

func (e *end) repeat(x *sentPacket) {
	if x.n > 0 {
		e.again = append(e.again, interval{x.off, x.off + int64(x.n)})
	}
	e.control += int(x.control)
}

// timeout is how long a packet may stay unanswered before others probe (RFC 9002, section 6.2.1).
func (e *end) timeout() int64 {
	if e.srtt == 0 {
		return firstPTO
	}
	return e.srtt + max(4*e.rttvar, timerGranularity) + maxAckDelay
}

// setLoss sets the timer for losses by time, or for probes.
func (e *end) setLoss() {
	if e.over {
		return
	}
	at := e.lossAt
	if at == 0 && e.flying > 0 {
		newest := int64(0)
		for v := int64(len(e.log)) - 1; v >= e.oldest; v-- {
			if e.log[v].state == packetInFlight {
				newest = e.log[v].at
				break
			}
		}
		at = newest + e.timeout()<<min(e.backoff, 20)
	}
	if at != 0 && at != e.dueLoss {
		e.dueLoss = at
		e.timer(at, timerLoss)
	}
	if at == 0 {
		e.dueLoss = 0
	}
}

// lossTimer repeats what was lost, or probes with two packets.
func (e *end) lossTimer(now int64) {
	switch {
	case e.dueLoss == 0 || now < e.dueLoss:
		return
	case e.lossAt != 0:
		e.findLost(now)
	case e.flying > 0:
		e.backoff++
		for v, left := e.oldest, 2; v < int64(len(e.log)) && left > 0; v++ {
			if x := &e.log[v]; x.state == packetInFlight {
				x.state = packetLost // as far as its data goes: it is sent again
				e.flying -= int(x.size)
				e.repeat(x)
				e.probes++
				left--
			}
		}
	}
	e.dueLoss = 0
	e.push()
}
