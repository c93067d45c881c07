package virtual

import "math/bits"

// Slowness of the live world's programs and kernels, ns, drawn from quantiles that were fitted to what was measured there:
// how late frames are in lan.pcapng after the tap, how near to each other, how late acknowledgements are, and how many segments
// they cover (noisy-napt and noisy-vpn, homes of five minutes at real-time priority on two cores). Each table has its values at steps
// of an eighth of probability, between which a draw lies evenly: integers only, so that every machine draws the same.
type latency [9]int64

// draw returns one value.
func (t *latency) draw(d draws) int64 {
	x := d.Uint64()
	i := x >> 61
	lo, hi := t[i], t[i+1]
	return lo + int64((x&0xffffffff)*uint64(hi-lo)>>32)
}

// sleeping is how late a program runs after the moment it slept for.
func (n *Net) sleeping() int64 { return latencySleep.draw(n.late) }

// waking is how long a program takes from the arrival of what it waits for to what it does then.
func (n *Net) waking() int64 {
	now := n.clock.Now()
	idle := now - n.awake
	n.awake = now
	return n.lag + latencyWake.draw(n.late) + n.cold(idle)
}

// handing is how long a QUIC stack's threads take to hand on what has come, from the one that reads to the one that sends.
func (n *Net) handing() int64 { return latencyHand.draw(n.late) }

// opening is how long a program takes from an answer to the socket that it opens next.
func (n *Net) opening() int64 { return latencyOpen.draw(n.late) }

// reading is how long a program holds a socket to read what has come.
func (n *Net) reading() int64 { return latencyRead.draw(n.late) }

// computing is what the arithmetic of QUIC's handshake takes.
func (n *Net) computing() int64 { return latencyCompute.draw(n.late) }

// signing is what a TLS server's takes, checking what a client's does.
func (n *Net) signing() int64  { return latencySign.draw(n.late) }
func (n *Net) checking() int64 { return latencyCheck.draw(n.late) }

// Agreeing is what the arithmetic takes with which an end of a tunnel goes through a message of the handshake, and answers it.
func (n *Net) Agreeing() int64 { return latencyAgree.draw(n.late) }

// Late is how much later than a moment a frame is handed to a station: a timer has to wake for it.
func (n *Net) Late(at int64) int64 {
	idle := max(min(at-n.handed, at-n.clock.Now()), 0) // what has brought the frame woke the core
	n.handed = max(at, n.handed)
	return latencyTimer.draw(n.late) + n.cold(idle)
}

// Pace is what handing a frame to a station takes: the next comes to it so much later at the earliest.
func (n *Net) Pace() int64 { return latencyPace.draw(n.late) }

// first is what a thread's first task takes longer after it has had nothing to do for so long: nothing of it is in its core's caches.
func (n *Net) first(idle int64) int64 {
	return n.after(idle, &latencyFirst)
}

// cold is what a thread needs longer to begin where it has had nothing to do for so long: the longer, the deeper its core sleeps.
func (n *Net) cold(idle int64) int64 {
	return n.after(idle, &latencyCold)
}

// after draws how much longer something takes after a pause.
func (n *Net) after(idle int64, thousandths *latency) int64 {
	median := coldAfter[min(bits.Len64(uint64(idle)>>18), len(coldAfter)-1)]
	if median == 0 {
		return 0
	}
	return median * thousandths.draw(n.late) / 1000
}

// coldAfter are medians of that, ns: after less than 2^18 ns (0.26 ms), after less than twice as much, and so on.
var coldAfter = [...]int64{0, 6_000, 12_000, 18_000, 28_000, 44_000, 54_000, 61_000, 66_000, 70_000, 75_000, 81_000}

var (
	latencySleep   = latency{30_000, 50_000, 60_000, 70_000, 80_000, 95_000, 115_000, 150_000, 350_000}
	latencyWake    = latency{20_000, 30_000, 38_000, 45_000, 55_000, 65_000, 80_000, 110_000, 200_000}
	latencyCompute = latency{150_000, 200_000, 230_000, 260_000, 300_000, 350_000, 420_000, 550_000, 1_200_000}
	latencySign    = latency{250_000, 350_000, 390_000, 440_000, 490_000, 550_000, 640_000, 800_000, 1_600_000}
	latencyCheck   = latency{110_000, 150_000, 175_000, 200_000, 235_000, 280_000, 340_000, 450_000, 1_000_000}
	latencyAgree   = latency{250_000, 360_000, 410_000, 450_000, 490_000, 530_000, 600_000, 700_000, 1_200_000}
	latencyHand    = latency{30_000, 70_000, 95_000, 120_000, 145_000, 170_000, 210_000, 280_000, 500_000}
	latencyOpen    = latency{70_000, 110_000, 130_000, 145_000, 160_000, 180_000, 210_000, 270_000, 500_000}
	latencyRead    = latency{750, 1_250, 1_750, 2_250, 3_000, 4_000, 5_500, 8_750, 25_000}
	latencyPace    = latency{9_000, 10_500, 12_000, 13_500, 15_000, 18_000, 24_000, 36_000, 90_000}
	latencyFrame   = latency{2_000, 2_400, 2_700, 3_000, 3_300, 3_800, 4_600, 7_000, 20_000}
	latencyTimer   = latency{12_000, 15_000, 17_000, 19_000, 22_000, 27_000, 34_000, 45_000, 80_000}
	latencyFirst   = latency{220, 240, 270, 320, 400, 460, 520, 600, 1_000}         // thousandths of coldAfter's
	latencyCold    = latency{250, 500, 650, 820, 1_000, 1_200, 1_450, 1_850, 3_000} // thousandths of coldAfter's

	taskCosts = [...]latency{
		TaskDeliver: latencyPace,
		TaskTapDown: {3_000, 3_500, 4_000, 4_500, 5_000, 6_000, 8_000, 12_000, 40_000},
		TaskRead:    latencyFrame,
		TaskUp:      latencyFrame,
		TaskAir:     latencyFrame,
		TaskSeal:    {0, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 35_000, 200_000},
		TaskOpen:    {9_000, 12_000, 15_000, 18_000, 22_000, 27_000, 36_000, 60_000, 200_000},
	}
)
