package tcp

import (
	"math/rand/v2"
	"testing"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

// newStack is a machine whose packets go nowhere.
func newStack() *Stack {
	n := &Network{Clock: clock.NewVirtual(0), Pool: packet.NewLocalPool(), Noise: packet.NewNoise(1, 2), Fill: packet.MaxSize}
	return NewStack(n, Config{TTL: 64, MSS: 1460, Timestamps: true}, rand.NewPCG(1, 2), func(ip []byte, _ packet.Lineage) { n.Pool.Put(ip) })
}

// received gives an end a full segment that nobody has read yet, and returns what an acknowledgement then announces.
func received(e *Conn, n int) int64 {
	e.rnxt += int64(n)
	e.hold(n)
	e.measure(n, 0, e.rnxt)
	e.widen(n)
	return e.window()
}

// opened is a device's end of a connection that has just opened.
func opened(mss int, ts bool) *Conn {
	e := &Conn{mss: mss, ts: ts, dir: packet.Up, unit: 0}
	e.rcvMSS, e.rto = defaultRcvMSS, minRTO
	e.win = newRecvWindow(0, mss, 64240)
	e.win.said = e.window() // the handshake's last segment
	return e
}

// The window grows by two segments for each that comes, until the buffer is full, and lets each be acknowledged by itself. The
// numbers are what the live world's kernel announced (Linux 6.18, lan.pcapng of noisy-napt, each segment read before the next).
func TestReceiveWindowGrows(t *testing.T) {
	for _, c := range []struct {
		mss  int
		ts   bool
		want []int64
	}{
		{1448, true, []int64{67200, 70144, 72960, 75904, 78848, 81664, 84608, 85632, 85632}},
		{1460, false, []int64{67200, 70144, 73088, 76032, 78976, 81792, 84736, 86144, 86144}},
	} {
		e := opened(c.mss, c.ts)
		for i, want := range c.want {
			e.quick = 0
			got := received(e, c.mss)
			if got != want {
				t.Fatalf("segment %d of %d bytes: a window of %d, want %d", i, c.mss, got, want)
			}
			if grew := i+1 < len(c.want); i > 0 && (e.quick&1 == 1) != grew {
				t.Fatalf("segment %d of %d bytes: quick %d", i, c.mss, e.quick)
			}
			e.win.said, e.ackedTo = got, e.rnxt
			e.win.release(e.rnxt)
		}
	}
}

// Segments that wait for the reader take the more room the more they are; the numbers are the live world's.
func TestUnreadSegmentsTakeRoom(t *testing.T) {
	for _, c := range []struct {
		mss  int
		ts   bool
		want []int64
	}{
		{1448, true, []int64{85632, 84352, 83072, 81792}},
		{1460, false, []int64{86144, 84864, 83584, 82304, 81024, 79744}},
	} {
		e := opened(c.mss, c.ts)
		for range 12 {
			e.win.said, e.ackedTo = received(e, c.mss), e.rnxt
			e.win.release(e.rnxt)
		}
		for i, want := range c.want {
			e.win.said = 0 // no edge holds it
			if got := received(e, c.mss); got != want {
				t.Errorf("%d segments of %d bytes wait: a window of %d, want %d", i+1, c.mss, got, want)
			}
		}
	}
}

// The end that answers has its own first window, which small questions neither fill nor widen: 64128 was announced, and no other.
func TestSmallQuestionsDoNotWiden(t *testing.T) {
	e := opened(1448, true)
	e.dir = packet.Down
	e.win.said = 0
	for i := range 5 {
		if got := received(e, 404); got != 64128 || e.quick&1 != 0 && i > 0 {
			t.Fatalf("question %d: a window of %d, quick %d", i, got, e.quick)
		}
		e.win.release(e.rnxt)
		e.quick = 0
	}
}

// The buffer grows by what a round trip brings to the reader: 33628 bytes before the first that could be measured let the live
// world's kernel announce up to 245 kB.
func TestBufferGrowsByARoundTrip(t *testing.T) {
	e := opened(1448, true)
	received(e, 1448)
	e.win.release(e.rnxt)
	clamp := e.win.clamp
	e.rnxt = 33628
	if e.adjust(700e6, 4096); e.win.clamp != clamp || e.win.from != 0 {
		t.Fatal("the buffer grew, or was measured, before a round trip was")
	}
	e.win.trip.sample(68e6, false)
	e.win.read = e.rnxt - 2896
	if e.adjust(786e6, 4096); e.win.clamp != 245129 {
		t.Fatalf("a clamp of %d", e.win.clamp)
	}
	e.rnxt += 40000
	if e.adjust(800e6, 1<<16); e.win.clamp != 245129 {
		t.Fatal("it grew within a round trip")
	}
	if e.adjust(900e6, 4096); e.win.clamp != 245129 || e.win.from == 0 {
		t.Fatal("what waits still was counted as read")
	}
}

// A round trip is measured by the first full segment of an answer, unless an acknowledgement came before it.
func TestReceiversRoundTrip(t *testing.T) {
	e := opened(1448, true)
	e.st = newStack()
	e.st.net.Clock.Run(int64(5e9))
	echo := func(ago uint32, n int) int64 {
		e.win.trip.rtt = 0
		e.echoed(&Segment{hasTS: true, tsEcr: e.tsNow() - ago, payload: n})
		return e.win.trip.rtt
	}
	if got := echo(70, 1448); got != 70e6 {
		t.Errorf("%d ns", got)
	}
	if got := echo(80, 0); got != 0 {
		t.Errorf("an acknowledgement gave %d ns", got)
	}
	if got := echo(80, 1448); got != 0 {
		t.Errorf("a segment behind an acknowledgement of the same echo gave %d ns", got)
	}
	trip := roundTrip{rtt: 80e6}
	trip.sample(160e6, true)
	trip.sample(160e6, false)
	if trip.rtt != 90e6 {
		t.Errorf("longer ones count an eighth, where the reader is not behind: %d ns", trip.rtt)
	}
	if trip.sample(60e6, true); trip.rtt != 60e6 {
		t.Errorf("shorter ones count at once: %d ns", trip.rtt)
	}
}

// Without time stamps a round trip is how long a whole window takes to come, at least.
func TestRoundTripOfAWholeWindow(t *testing.T) {
	e := opened(1460, false)
	e.win.said = 3000
	for i, want := range []int64{0, 0, 0, 30e6, 30e6, 30e6, 30e6} {
		e.wholeWindow(int64(i) * 10e6)
		if e.win.trip.rtt != want {
			t.Fatalf("segment %d: %d ns", i, e.win.trip.rtt)
		}
		e.rnxt += 1000
	}
}

// Where the buffer is full, what nobody has read takes room from the window: an acknowledgement would not move its edge, and waits
// for the reader. The edge never goes back.
func TestUnreadDataHoldsAcknowledgementsBack(t *testing.T) {
	e := opened(1448, true)
	for range 12 {
		e.win.said, e.ackedTo = received(e, 1448), e.rnxt
		e.win.release(e.rnxt)
	}
	received(e, 1448)
	if !e.moves() {
		t.Fatal("one segment is unread as before, and the window does not move")
	}
	said := received(e, 1448)
	if e.moves() {
		t.Fatal("two are unread in a full buffer, and the window moves")
	}
	if e.win.memory = e.win.buffer; e.window() != (e.win.said-2*1448+127)&^127 {
		t.Fatalf("the edge went back: a window of %d after %d", e.window(), said)
	}
	if e.win.release(e.rnxt); !e.moves() {
		t.Fatal("all is read, and the window does not move")
	}
}

// A reader that has made room tells so, where the other end has leave for little.
func TestAReaderOpensTheWindow(t *testing.T) {
	e := opened(1448, true)
	e.scale(1448)
	full := e.win.clamp
	e.win.threshold = full
	for _, c := range []struct {
		said, memory int64
		want         bool
	}{
		{full, 0, false},
		{full / 2, 0, true}, // from half to all
		{full/2 + 128, 0, false},
		{1280, 0, true},                    // crumbs
		{1280, e.win.buffer - 3000, false}, // not yet twice as much
		{0, e.win.buffer, false},           // nobody has read
		{0, 0, true},
	} {
		e.win.said, e.win.memory = c.said, c.memory
		if got := e.opens(); got != c.want {
			t.Errorf("leave for %d, %d of memory taken: %v", c.said, c.memory, got)
		}
	}
}
