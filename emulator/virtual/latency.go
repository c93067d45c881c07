package virtual

// Slowness of the live world's programs and kernels, ns, drawn from quantiles that were fitted to what was measured there:
// how late frames are in lan.pcapng after the tap, how near to each other, how late acknowledgements are, and how many segments
// they cover (noisy-napt and noisy-vpn, homes of five minutes at real-time priority on two cores). Each table has its values at steps of an eighth of probability, between which a
// draw lies evenly: integers only, so that every machine draws the same.
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

// waking is how long a program takes from the arrival of what it waits for to what it does then. The first after a while has a core
// to wake.
func (n *Net) waking() int64 {
	t, now := &latencyWake, n.clock.Now()
	if now > n.awake+asleep {
		t = &latencyColdWake
	}
	n.awake = now
	return n.lag + t.draw(n.late)
}

// reading is how long a program holds a socket to read what has come.
func (n *Net) reading() int64 { return latencyRead.draw(n.late) }

// computing is what a handshake's arithmetic takes.
func (n *Net) computing() int64 { return latencyCompute.draw(n.late) }

// Hop is what the gateway's kernel takes to forward a packet.
func (n *Net) Hop() int64 { return latencyHop.draw(n.late) }

// Pace is what handing a frame to a station takes: the next comes to it so much later at the earliest.
func (n *Net) Pace() int64 { return latencyPace.draw(n.late) }

var (
	latencySleep    = latency{30_000, 50_000, 60_000, 70_000, 80_000, 95_000, 115_000, 150_000, 350_000}
	latencyWake     = latency{20_000, 30_000, 38_000, 45_000, 55_000, 65_000, 80_000, 110_000, 250_000}
	latencyColdWake = latency{90_000, 150_000, 180_000, 205_000, 230_000, 255_000, 290_000, 340_000, 480_000}
	latencyCompute  = latency{150_000, 200_000, 230_000, 260_000, 300_000, 350_000, 420_000, 550_000, 1_200_000}
	latencyHop      = latency{10_000, 14_000, 17_000, 20_000, 24_000, 29_000, 37_000, 50_000, 100_000}
	latencyRead     = latency{750, 1_250, 1_750, 2_250, 3_000, 4_000, 5_500, 8_750, 25_000}
	latencyPace     = latency{9_000, 10_500, 12_000, 13_500, 15_000, 18_000, 24_000, 36_000, 90_000}
	latencyTimer    = latency{8_000, 12_000, 15_000, 18_000, 22_000, 27_000, 34_000, 45_000, 80_000}
	latencyCold     = latency{20_000, 40_000, 52_000, 62_000, 73_000, 85_000, 100_000, 125_000, 180_000}

	taskCosts = [...]latency{
		TaskDeliver: {3_000, 3_500, 4_000, 4_500, 5_000, 6_000, 8_000, 12_000, 30_000},
		TaskTapDown: {3_000, 3_500, 4_000, 4_500, 5_000, 6_000, 8_000, 12_000, 40_000},
		TaskAir:     {2_000, 2_400, 2_700, 3_000, 3_300, 3_800, 4_600, 7_000, 20_000},
		TaskSeal:    {10_000, 13_000, 16_000, 19_000, 22_000, 26_000, 33_000, 45_000, 150_000},
	}
)
