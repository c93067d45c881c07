package quic

import (
	"encoding/binary"
	"math/rand/v2"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/feistel"
	"glasshouse/emulator/wire/secure"
)

// quic-go's congestion control: Reno, paced.
const (
	datagramSize    = secure.QUICDatagram // bytes of the largest packet: no path that a home has is narrower
	initialWindow   = 32 * datagramSize   // at first
	minWindow       = 2 * datagramSize
	maxStreamWindow = 6 << 20 // what a stream's receiver lets come
	pacerBurst      = 10 * datagramSize
	pacerPause      = int64(1e6) // least pause
	pacerAhead      = int64(2e6) // of the rate, in one burst
	noThreshold     = 1 << 40
	streamFrameHead = 2 // bytes of a STREAM frame that is the last of its packet: type, stream
)

// sentPacket is a packet that was sent.
type sentPacket struct {
	at       int64
	off      int64 // of its stream data
	n        int32 // bytes of it
	control  int32 // bytes of control frames
	size     int32
	state    packetState
	again    bool // its data had been sent before
	closes   bool
	acks     []interval // numbers that it acknowledges, the highest last; nil = none
	ackDelay int64
}

// packetState says what became of a packet that asks for an acknowledgement.
type packetState uint8

const (
	packetQuiet packetState = iota // it does not ask
	packetInFlight
	packetAcked
	packetLost
)

// sender is the half of an end that sends.
type sender struct {
	log     []sentPacket // all that was sent, by number
	told    []interval   // all that its acknowledgements said
	oldest  int64        // all packets below are acknowledged or lost
	flying  int          // bytes that are neither
	written int64        // stream bytes that the program has written
	sent    int64        // of these, sent
	again   []interval   // to be sent again
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

	head [16]byte // of the packet that is being sent
}

func newSender(d *rand.PCG) sender {
	return sender{window: initialWindow, threshold: noThreshold, cut: -1, highest: -1, key: d.Uint64(), place: d.Uint64()}
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
		return streamFrameHead
	}
	return streamFrameHead + varint(off)
}

// push sends what may go: control frames, lost data, new data; else an acknowledgement that is due.
func (e *end) push() {
	if e.over || !e.running {
		return
	}
	for e.hasData() && (e.flying < e.window || e.probes > 0) {
		if now := e.now(); e.budgetAt(now) < datagramSize && e.probes == 0 {
			e.pause(now)
			break
		}
		e.pack()
	}
	if e.queued {
		e.send(&sentPacket{}, 0, e.c.as(packet.RoleAck))
	}
	e.setLoss()
}

func (e *end) hasData() bool { return e.control > 0 || len(e.again) > 0 || e.sent < e.written }

// pack sends one packet that asks for an acknowledgement.
func (e *end) pack() {
	room := datagramSize - secure.QUICOverhead(e.dir == packet.Up)
	p := sentPacket{state: packetInFlight}
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
	e.send(&p, frames, e.c.as(role))
}

// next returns which bytes of the stream go next.
func (e *end) next() (from, to int64) {
	if len(e.again) > 0 {
		return e.again[0].from, e.again[0].to
	}
	return e.sent, e.written
}

// took notes that n of them have gone.
func (e *end) took(n int64) {
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
func (e *end) send(p *sentPacket, frames int, l packet.Lineage) {
	now := e.now()
	if e.owes && !p.closes {
		frames += e.ackSize()
		e.told = append(e.told, e.heardOf...)
		p.acks, p.ackDelay = e.told[len(e.told)-len(e.heardOf):], now-e.largestAt
		e.owes, e.queued, e.ackAt, e.since = false, false, 0, 0
	}
	up := e.dir == packet.Up
	size := frames + secure.QUICOverhead(up)
	number := int64(len(e.log))
	p.at, p.size = now, int32(size)
	if p.state == packetInFlight {
		e.flying += size
	}
	e.spend(now, size)
	e.log = append(e.log, *p)
	e.place += uint64(size) + 1
	head := e.c.cfg.Wire.AppendPacketHead(e.head[:0], up, number, e.mask(e.c.cfg.Noise.Window(e.place, sampleSize)))
	e.socket().SendNoise(head, size, e.place, l)
}

// sampleSize is how many bytes of ciphertext hide a packet's number.
const sampleSize = 8

// mask hides packets' numbers, as header protection does: it depends on the ciphertext.
func (e *end) mask(sample []byte) uint32 {
	return uint32(feistel.Round(uint64(binary.BigEndian.Uint32(sample))<<32|uint64(binary.BigEndian.Uint32(sample[4:])), e.key))
}

// rate is what the pacer lets go, bytes a second: five quarters of the window in a round trip.
func (e *end) rate() int64 {
	if e.srtt == 0 {
		return 1 << 40
	}
	return int64(e.window) * 1_000_000 / max(e.srtt/1000, 1) * 5 / 4
}

func (e *end) mostBudget() int64 { return max(e.rate()/1000*(pacerAhead/1_000_000), pacerBurst) }

// budgetAt is how many bytes may go at once.
func (e *end) budgetAt(now int64) int64 {
	if e.spent == 0 {
		return e.mostBudget()
	}
	return min(e.mostBudget(), e.budget+min(e.rate(), 1<<40)/1000*(now-e.spent)/1_000_000)
}

func (e *end) spend(now int64, size int) {
	e.budget = max(e.budgetAt(now)-int64(size), 0)
	e.spent = max(now, 1)
}

// pause waits for the pacer.
func (e *end) pause(now int64) {
	if e.paced != 0 {
		return
	}
	after := max((datagramSize-e.budget)*1_000_000_000/max(e.rate(), 1), pacerPause)
	e.paced = max(e.spent+after, now+1)
	e.timer(e.paced+e.c.cfg.Latency.Sleep()/4, timerPace)
}
