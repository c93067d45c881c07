// Package latency models how slow the live world's programs, kernels and threads are: quantiles of what was measured there, and
// threads that serve timers and interfaces one task after the other. A home's hosts, its access point and its path draw from one
// Model, on the goroutine of the home's clock.
//
// Not modelled: what several homes on one machine do to each other; patterns of intervals below a millisecond that threads leave under
// load.
package latency

import (
	"math/bits"
	"math/rand/v2"

	"glasshouse/emulator/clock"
)

// Model draws the latencies of one home, ns.
type Model struct {
	clock   *clock.Virtual
	draws   *rand.PCG
	lag     int64 // how much later than the clock says it is for what is handed over just now
	woken   int64 // when a program was last woken
	handed  int64 // when a station last got a frame
	stirred int64 // when a station last got one, or sent one
}

// New returns the model of a home with a clock and a stream of random numbers.
func New(c *clock.Virtual, draws *rand.PCG) *Model { return &Model{clock: c, draws: draws} }

// Arriving says that what is handed over from now on arrives at a moment that lies after the clock's: it is answered after that. It
// holds until Arrived.
func (m *Model) Arriving(at int64) { m.lag = max(at-m.clock.Now(), 0) }

// Arrived says that what arrived is dealt with.
func (m *Model) Arrived() { m.lag = 0 }

// Now is the moment at which what is handed over arrives: the clock's, or later.
func (m *Model) Now() int64 { return m.clock.Now() + m.lag }

// Stirred notes that a station got a frame, or sent one, at a moment: its core is awake then.
func (m *Model) Stirred(at int64) { m.stirred = at }

// quantiles are fitted to what was measured in the live world, ns: how late frames are in lan.pcapng after the tap, how near to each
// other, how late acknowledgements are, and how many segments they cover (noisy-napt and noisy-vpn, homes of five minutes at real-time
// priority on two cores). Each table has its values at steps of an eighth of probability, between which a draw lies evenly: integers
// only, so that every machine draws the same.
type quantiles [9]int64

// draw returns one value.
func (q *quantiles) draw(r *rand.PCG) int64 {
	x := r.Uint64()
	i := x >> 61
	lo, hi := q[i], q[i+1]
	return lo + int64((x&0xffffffff)*uint64(hi-lo)>>32)
}

// Sleep is how late a program runs after the moment it slept for.
func (m *Model) Sleep() int64 { return sleep.draw(m.draws) }

// Wake is how long a program takes from the arrival of what it waits for to what it does then.
func (m *Model) Wake() int64 {
	now := m.clock.Now()
	idle := now - m.woken
	m.woken = now
	return m.lag + wake.draw(m.draws) + m.cold(idle)
}

// QUICHandover is how long a QUIC stack's threads take to hand on what has come, from the one that reads to the one that sends.
func (m *Model) QUICHandover() int64 { return hand.draw(m.draws) }

// OpenSocket is how long a program takes from an answer to the socket that it opens next.
func (m *Model) OpenSocket() int64 { return open.draw(m.draws) }

// ReadSocket is how long a program holds a socket to read what has come.
func (m *Model) ReadSocket() int64 { return read.draw(m.draws) }

// QUICHandshake is what the arithmetic of QUIC's handshake takes.
func (m *Model) QUICHandshake() int64 { return compute.draw(m.draws) }

// TLSServer is what a TLS server's takes, TLSClient what a client's does.
func (m *Model) TLSServer() int64 { return sign.draw(m.draws) }

// TLSClient is what a TLS client's arithmetic takes.
func (m *Model) TLSClient() int64 { return check.draw(m.draws) }

// TunnelHandshake is what the arithmetic takes with which an end of a tunnel goes through a message of the handshake, and answers it.
func (m *Model) TunnelHandshake() int64 { return agree.draw(m.draws) }

// Deliver is how much later than a moment a frame is handed to a station: a timer has to wake for it.
func (m *Model) Deliver(at int64) int64 {
	idle := max(min(at-m.handed, at-m.clock.Now()), 0) // what has brought the frame woke the core
	m.handed = max(at, m.handed)
	return timer.draw(m.draws) + m.cold(idle)
}

// Pace is what handing a frame to a station takes: the next comes to it so much later at the earliest.
func (m *Model) Pace() int64 { return pace.draw(m.draws) }

// first is what a thread's first task takes longer after it has had nothing to do for so long: nothing of it is in its core's caches.
func (m *Model) first(idle int64) int64 { return m.after(idle, &slowFirst) }

// cold is what a thread needs longer to begin where it has had nothing to do for so long: the longer, the deeper its core sleeps.
func (m *Model) cold(idle int64) int64 { return m.after(idle, &coldStart) }

// after draws how much longer something takes after a pause.
func (m *Model) after(idle int64, thousandths *quantiles) int64 {
	median := coldAfter[min(bits.Len64(uint64(idle)>>18), len(coldAfter)-1)]
	if median == 0 {
		return 0
	}
	return median * thousandths.draw(m.draws) / 1000
}

// coldAfter are medians of that, ns: after less than 2^18 ns (0.26 ms), after less than twice as much, and so on.
var coldAfter = [...]int64{0, 6_000, 12_000, 18_000, 28_000, 44_000, 54_000, 61_000, 66_000, 70_000, 75_000, 81_000}

var (
	sleep     = quantiles{30_000, 50_000, 60_000, 70_000, 80_000, 95_000, 115_000, 150_000, 350_000}
	wake      = quantiles{20_000, 30_000, 38_000, 45_000, 55_000, 65_000, 80_000, 110_000, 200_000}
	compute   = quantiles{150_000, 200_000, 230_000, 260_000, 300_000, 350_000, 420_000, 550_000, 1_200_000}
	sign      = quantiles{250_000, 350_000, 390_000, 440_000, 490_000, 550_000, 640_000, 800_000, 1_600_000}
	check     = quantiles{110_000, 150_000, 175_000, 200_000, 235_000, 280_000, 340_000, 450_000, 1_000_000}
	agree     = quantiles{250_000, 360_000, 410_000, 450_000, 490_000, 530_000, 600_000, 700_000, 1_200_000}
	hand      = quantiles{30_000, 70_000, 95_000, 120_000, 145_000, 170_000, 210_000, 280_000, 500_000}
	open      = quantiles{70_000, 110_000, 130_000, 145_000, 160_000, 180_000, 210_000, 270_000, 500_000}
	read      = quantiles{750, 1_250, 1_750, 2_250, 3_000, 4_000, 5_500, 8_750, 25_000}
	pace      = quantiles{9_000, 10_500, 12_000, 13_500, 15_000, 18_000, 24_000, 36_000, 90_000}
	frame     = quantiles{2_000, 2_400, 2_700, 3_000, 3_300, 3_800, 4_600, 7_000, 20_000}
	timer     = quantiles{12_000, 15_000, 17_000, 19_000, 22_000, 27_000, 34_000, 45_000, 80_000}
	slowFirst = quantiles{220, 240, 270, 320, 400, 460, 520, 600, 1_000}         // thousandths of coldAfter's
	coldStart = quantiles{250, 500, 650, 820, 1_000, 1_200, 1_450, 1_850, 3_000} // thousandths of coldAfter's

	taskCosts = [...]quantiles{
		TaskDeliver: pace,
		TaskTapDown: {3_000, 3_500, 4_000, 4_500, 5_000, 6_000, 8_000, 12_000, 40_000},
		TaskRead:    frame,
		TaskUp:      frame,
		TaskAir:     frame,
		TaskSeal:    {0, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 35_000, 200_000},
		TaskOpen:    {9_000, 12_000, 15_000, 18_000, 22_000, 27_000, 36_000, 60_000, 200_000},
	}
)
