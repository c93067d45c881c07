package virtual

import (
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/feistel"
	"glasshouse/emulator/wire"
)

// quic-go's congestion control: Reno, paced.
const (
	quicSize       = wire.QUICDatagram // bytes of the largest packet: no path that a home has is narrower
	quicWindow     = 32 * quicSize     // at first
	quicLeastWin   = 2 * quicSize
	quicMostWin    = 6 << 20 // what a stream's receiver lets come
	quicBurst      = 10 * quicSize
	quicPacing     = int64(1e6) // least pause
	quicAhead      = int64(2e6) // of the rate, in one burst
	quicNoCeiling  = 1 << 40
	quicStreamHead = 2 // bytes of a STREAM frame that is the last of its packet: type, stream
)

// quicPacket is a packet that was sent.
type quicPacket struct {
	at       int64
	off      int64 // of its stream data
	n        int32 // bytes of it
	control  int32 // bytes of control frames
	size     int32
	state    quicState
	again    bool // its data had been sent before
	closes   bool
	acks     []gap // numbers that it acknowledges, the highest last; nil = none
	ackDelay int64
}

// quicState says what became of a packet that asks for an acknowledgement.
type quicState uint8

const (
	quicQuiet quicState = iota // it does not ask
	quicOut
	quicAcked
	quicLost
)

// quicSender is the half of an end that sends.
type quicSender struct {
	log     []quicPacket // all that was sent, by number
	told    []gap        // all that its acknowledgements said
	oldest  int64        // all packets below are acknowledged or lost
	flying  int          // bytes that are neither
	written int64        // stream bytes that the program has written
	sent    int64        // of these, sent
	again   []gap        // to be sent again
	control int          // bytes of control frames that wait
	probes  int          // packets that may go beyond the window

	window, threshold int   // bytes
	acked             int   // packets, in congestion avoidance
	cut               int64 // highest number sent when the window was last cut
	highest           int64 // acknowledged

	srtt, rttvar, latest int64
	minRTT               int64
	backoff              int
	lossAt               int64 // when a packet that was overtaken counts as lost; 0 = none is
	dueLoss              int64 // when lossTimer is due; 0 = never

	budget int64 // of the pacer, bytes
	spent  int64 // ns: when it was last used; 0 = never
	paced  int64 // when it lets the next packet go

	key   uint64 // hides packets' numbers
	place uint64 // in the noise
}

func newQUICSender(d draws) quicSender {
	return quicSender{window: quicWindow, threshold: quicNoCeiling, cut: -1, highest: -1, key: d.Uint64(), place: d.Uint64()}
}

// varint is the size of a number (RFC 9000, section 16).
func varint(v int64) int {
	switch {
	case v < 1<<6:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<30:
		return 4
	}
	return 8
}

// streamHead is the size of a STREAM frame's head at an offset, with no length: it reaches to the packet's end.
func streamHead(off int64) int {
	if off == 0 {
		return quicStreamHead
	}
	return quicStreamHead + varint(off)
}

// push sends what may go: control frames, lost data, new data; else an acknowledgement that is due.
func (e *quicEnd) push() {
	if e.over || !e.running {
		return
	}
	for e.hasData() && (e.flying < e.window || e.probes > 0) {
		if now := e.now(); e.budgetAt(now) < quicSize && e.probes == 0 {
			e.pause(now)
			break
		}
		e.pack()
	}
	if e.queued {
		e.send(&quicPacket{}, 0, e.c.tag.As(packet.RoleAck))
	}
	e.setLoss()
}

func (e *quicEnd) hasData() bool { return e.control > 0 || len(e.again) > 0 || e.sent < e.written }

// pack sends one packet that asks for an acknowledgement.
func (e *quicEnd) pack() {
	room := quicSize - wire.QUICOverhead(e.dir == packet.Up)
	p := quicPacket{state: quicOut}
	role := packet.RoleData
	frames := 0
	if e.control > 0 {
		p.control, frames, e.control = int32(e.control), e.control, 0
		role = packet.RoleTLSHandshake
	}
	if e.owes {
		room -= e.ackSize()
	}
	if from, to := e.next(); to > from {
		head := streamHead(from)
		if n := min(to-from, int64(room-frames-head)); n > 0 {
			p.off, p.n, p.again = from, int32(n), from < e.sent
			frames += head + int(n)
			role = packet.RoleData
			if p.again {
				role = packet.RoleRetransmission
			}
			e.took(n)
		}
	}
	e.probes = max(e.probes-1, 0)
	e.send(&p, frames, e.c.tag.As(role))
}

// next returns which bytes of the stream go next.
func (e *quicEnd) next() (from, to int64) {
	if len(e.again) > 0 {
		return e.again[0].from, e.again[0].to
	}
	return e.sent, e.written
}

// took notes that n of them have gone.
func (e *quicEnd) took(n int64) {
	if len(e.again) == 0 {
		e.sent += n
		return
	}
	g := &e.again[0]
	if g.from += n; g.from >= g.to {
		e.again = e.again[:copy(e.again, e.again[1:])]
	}
}

// send sends a packet with so many bytes of frames, and with an acknowledgement if one is owed.
func (e *quicEnd) send(p *quicPacket, frames int, t packet.Tag) {
	now := e.now()
	if e.owes && !p.closes {
		frames += e.ackSize()
		e.told = append(e.told, e.heardOf...)
		p.acks, p.ackDelay = e.told[len(e.told)-len(e.heardOf):], now-e.largestAt
		e.owes, e.queued, e.ackAt, e.since = false, false, 0, 0
	}
	up := e.dir == packet.Up
	size := frames + wire.QUICOverhead(up)
	number := int64(len(e.log))
	p.at, p.size = now, int32(size)
	if p.state == quicOut {
		e.flying += size
	}
	e.spend(now, size)
	e.log = append(e.log, *p)
	e.place += uint64(size) + 1
	var b [16]byte
	head := e.c.wire.AppendPacketHead(b[:0], up, number, e.mask(e.c.n.noise.Window(e.place, quicSample)))
	c := e.c
	l := t.Lineage(c.h.unit)
	if up {
		s := c.socket
		c.h.stack.noisy(c.h.addr, s.key.remote, s.key.port, s.key.rport, s.id, head, size, e.place, l)
		s.id++
		return
	}
	s := &c.n.cloud.stack
	s.noisy(c.seen.a, c.seen.b, c.ports[0], c.ports[1], uint16(s.draws.Uint64()), head, size, e.place, l)
}

// quicSample is how many bytes of ciphertext hide a packet's number.
const quicSample = 8

// mask hides packets' numbers, as header protection does: it depends on the ciphertext.
func (e *quicEnd) mask(sample []byte) uint32 {
	return uint32(feistel.Round(uint64(be32(sample))<<32|uint64(be32(sample[4:])), e.key))
}

// rate is what the pacer lets go, bytes a second: five quarters of the window in a round trip.
func (e *quicEnd) rate() int64 {
	if e.srtt == 0 {
		return 1 << 40
	}
	return int64(e.window) * 1_000_000 / max(e.srtt/1000, 1) * 5 / 4
}

func (e *quicEnd) mostBudget() int64 { return max(e.rate()/1000*(quicAhead/1_000_000), quicBurst) }

// budgetAt is how many bytes may go at once.
func (e *quicEnd) budgetAt(now int64) int64 {
	if e.spent == 0 {
		return e.mostBudget()
	}
	return min(e.mostBudget(), e.budget+min(e.rate(), 1<<40)/1000*(now-e.spent)/1_000_000)
}

func (e *quicEnd) spend(now int64, size int) {
	e.budget = max(e.budgetAt(now)-int64(size), 0)
	e.spent = max(now, 1)
}

// pause waits for the pacer.
func (e *quicEnd) pause(now int64) {
	if e.paced != 0 {
		return
	}
	after := max((quicSize-e.budget)*1_000_000_000/max(e.rate(), 1), quicPacing)
	e.paced = max(e.spent+after, now+1)
	e.timer(e.paced+e.c.n.latency.Sleep()/4, quicPace)
}
