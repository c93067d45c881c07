package tcp

import "testing"

// ackOf is an acknowledgement as a sender in slow start had it: when, what it covers, what was sent by then, the round trip of its
// newest segment.
type ackOf struct {
	at       float64 // ms
	una, nxt int64
	rtt      float64 // ms
}

func searches(c *cubic, acks []ackOf, cwnd int) int {
	for i, a := range acks {
		if c.sample(int64(a.rtt*1e6), a.una, a.nxt, int64(a.at*1e6), cwnd, true) {
			return i
		}
	}
	return -1
}

// Live, an upload over a path of 33 ms went on growing to 388 and to 401 segments on their way, with round trips of up to 62 ms: each
// round began with one of 33 ms, and its acknowledgements came with pauses.
func TestSlowStartGoesOnWhereARoundBeginsFast(t *testing.T) {
	c := newCubic(0)
	live := []ackOf{
		{100, 14792, 43752, 34.3},
		{140, 17688, 43752, 33.9},
		{143, 43752, 98776, 35.6}, // reaches the end of its round: belongs to it
		{180, 46648, 98776, 33.6},
		{183, 98776, 172048, 36.9},
		{220, 101672, 176392, 33.0},
		{223, 130000, 200000, 35.0},
		{226, 174944, 322704, 38.5},
		{260, 177840, 361800, 34.1},
	}
	if i := searches(&c, live, 100); i >= 0 {
		t.Fatalf("acknowledgement %d ends slow start", i)
	}
	var round []ackOf // of 361800 bytes: 33.3 ms at first, then ever later
	for k := range 60 {
		round = append(round, ackOf{302 + 2.1*float64(k), 200000 + 2896*int64(k), 900000, 33.3 + 0.3*float64(k)})
	}
	if i := searches(&c, round, 300); i >= 0 {
		t.Errorf("acknowledgement %d of a long round ends slow start", i)
	}
}

// A round whose fastest of nine is 4 ms and an eighth slower ends it, and so do acknowledgements that come close on each other for half
// the round trip.
func TestSlowStartEnds(t *testing.T) {
	slow := []ackOf{{0, 1, 1000, 33}}
	for k := range 9 {
		slow = append(slow, ackOf{40 + 3*float64(k), 1001 + int64(k), 5000, 37.2})
	}
	c := newCubic(0)
	if i := searches(&c, slow, 100); i != 9 {
		t.Errorf("acknowledgement %d ends slow start, want 9", i)
	}
	if !c.round.found || c.sample(90e6, 6000, 9000, 200e6, 100, true) {
		t.Error("it is looked for again")
	}
	for _, gap := range []float64{1.9, 2.1} {
		c := newCubic(0)
		train := []ackOf{{0, 1, 1000, 33}}
		for k := range 20 {
			train = append(train, ackOf{40 + gap*float64(k), 1001 + int64(k), 5000, 33.5})
		}
		want := -1
		if gap < 2 {
			want = 10 // 17.1 ms after the first; 17 ms is half of 33 ms and 1 ms
		}
		if i := searches(&c, train, 100); i != want {
			t.Errorf("gaps of %.1f ms: acknowledgement %d ends slow start, want %d", gap, i, want)
		}
	}
}

// After a loss the window comes back to where it was along a cube: 400 segments leave 280, and K is the cube root of 120/0.4 s.
func TestTheWindowComesBackAlongACube(t *testing.T) {
	e := outFor(400, maxWindow, 400)
	e.usage.full = true
	c := &e.cubic
	c.least = 100e6
	if e.ssthresh = c.lost(e.cwnd); e.ssthresh != 280 {
		t.Fatalf("a threshold of %d", e.ssthresh)
	}
	e.cwnd = e.ssthresh
	at := map[int64]int{}
	for now := int64(1e9); now <= 10e9; now += 100e6 { // a round trip, the window acknowledged in tens
		for n := e.cwnd; n > 0; n -= 10 {
			e.grow(10, now)
		}
		at[(now-1e9)/1e8] = e.cwnd
	}
	if c.k < 6820 || c.k > 6880 { // 6.69 s, in 1/1024 s
		t.Errorf("K of %d", c.k)
	}
	for ds, want := range map[int64]int{20: 361, 40: 393, 60: 399, 90: 406} { // 400 - 0.4 (6.69-t)^3, a round trip ahead
		if got := at[ds]; got < want-3 || got > want+3 {
			t.Errorf("%d00 ms after the loss: a window of %d, want %d", ds, got, want)
		}
	}
	if got := c.lost(300); got != 210 || c.lossAt != 255 {
		t.Errorf("a second loss, below the first: a threshold of %d, a flat of %d", got, c.lossAt)
	}
}

// A pause is no time in which the window would have come back: live, a film's second part, 10 s after the loss that ended the first,
// was sent with 260 segments a round trip and not with 340.
func TestAPauseIsNoTimeOfTheCurve(t *testing.T) {
	grown := func(pause int64) int {
		e := outFor(370, maxWindow, 370)
		e.usage.full = true
		e.cubic.least = 98e6
		e.ssthresh = e.cubic.lost(e.cwnd)
		e.cwnd, e.lastSent = e.ssthresh, 2e9
		e.grow(10, 1e9)
		e.segs = nil
		e.restart(2e9 + pause)
		e.cwnd, e.segs = e.ssthresh, make([]sent, e.ssthresh)
		e.usage.full = true
		for range 26 { // a round trip
			e.grow(10, 2e9+pause)
		}
		return e.cwnd - e.ssthresh
	}
	if at, later := grown(0), grown(10e9); at != later || at < 30 || at > 70 {
		t.Errorf("a round trip makes it grow by %d at once, by %d after a pause", at, later)
	}
}

func TestCubicRoot(t *testing.T) {
	for x := range uint64(1 << 21) {
		if x%1021 != 0 {
			continue
		}
		if got := cubicRoot(x * x * x); got != int64(x) {
			t.Fatalf("of the cube of %d: %d", x, got)
		}
	}
	if got := cubicRoot(63); got != 3 {
		t.Errorf("of 63: %d", got)
	}
}
