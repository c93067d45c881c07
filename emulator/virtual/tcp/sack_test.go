package tcp

import (
	"slices"
	"testing"
)

// What is told of bytes beyond gaps begins with the newest, as RFC 2018 asks: a sender learns of each, however many gaps there are.
func TestTheNewestBlockIsToldFirst(t *testing.T) {
	e := opened(1448, true)
	for _, c := range []struct {
		in   gap
		want []gap
	}{
		{gap{10, 20}, []gap{{10, 20}}},
		{gap{30, 40}, []gap{{30, 40}, {10, 20}}},
		{gap{20, 25}, []gap{{10, 25}, {30, 40}}},
		{gap{50, 60}, []gap{{50, 60}, {10, 25}, {30, 40}}},
		{gap{70, 80}, []gap{{70, 80}, {50, 60}, {10, 25}, {30, 40}}},
		{gap{90, 95}, []gap{{90, 95}, {70, 80}, {50, 60}, {10, 25}}},
		{gap{60, 70}, []gap{{50, 80}, {90, 95}, {10, 25}}},
	} {
		if e.keep(c.in); !slices.Equal(e.beyond, c.want) {
			t.Errorf("after %v: %v, want %v", c.in, e.beyond, c.want)
		}
	}
	if want := []gap{{10, 25}, {30, 40}, {50, 80}, {90, 95}}; !slices.Equal(e.parts, want) {
		t.Errorf("parts %v, want %v", e.parts, want)
	}
	e.rnxt = 10
	if e.join(); e.rnxt != 25 || !slices.Equal(e.beyond, []gap{{50, 80}, {90, 95}}) {
		t.Errorf("up to %d, told of %v", e.rnxt, e.beyond)
	}
	e.rnxt = 90
	if e.join(); e.rnxt != 95 || len(e.beyond)+len(e.parts) != 0 {
		t.Errorf("up to %d, told of %v", e.rnxt, e.beyond)
	}
}

// What comes beyond a gap lets the window grow, each acknowledged by itself meanwhile, and the buffer by what the gap keeps waiting;
// its memory waits for the reader once the gap is closed.
func TestTheWindowGrowsBeyondAGap(t *testing.T) {
	e := opened(1448, true)
	received(e, 1448)
	e.win.release(e.rnxt)
	buffer, threshold := e.win.buffer, e.win.threshold
	for k := range int64(100) {
		e.quick = 0
		e.keep(gap{e.rnxt + 1448*(k+1), e.rnxt + 1448*(k+2)})
		if k < 4 && (e.quick&1 == 0 || e.win.threshold != threshold+2896*(k+1)) {
			t.Fatalf("segment %d: quick %d, up to %d announced", k, e.quick, e.win.threshold)
		}
	}
	if want := (2*int64(firstSegment*1448) + 1448*101) << 8 / e.win.ratio; e.win.buffer != want || want <= buffer {
		t.Errorf("a buffer of %d, want %d", e.win.buffer, want)
	}
	parked := e.win.parked
	if want := 100*(e.truesize(1448)-skbDescriptor) + skbDescriptor; parked != want {
		t.Errorf("%d bytes are taken beyond the gap, want %d", parked, want)
	}
	e.rnxt += 1448
	e.join()
	if e.win.parked != 0 || e.win.memory != parked || e.rnxt != 102*1448 {
		t.Errorf("up to %d: %d bytes beyond a gap, %d for the reader", e.rnxt, e.win.parked, e.win.memory)
	}
	e.keep(gap{e.rnxt + 10, e.rnxt + 10}) // a FIN beyond a gap has no bytes
	e.rnxt += 10
	if e.join(); len(e.parts) != 0 || e.win.parked != 0 {
		t.Errorf("%v is left, %d bytes", e.parts, e.win.parked)
	}
}

// The window comes down to 7 of 10 in step with what arrives, and what was sent before something that has arrived is lost, the second
// copy too.
func TestLossesAreMadeGoodInStep(t *testing.T) {
	e := outFor(400, maxWindow, 400)
	for k := range e.segs {
		e.segs[k] = sent{off: int64(k), n: 1, at: int64(k)}
	}
	e.nxt = 400
	for k := 1; k < 400; k += 2 { // each second one is lost, as in a queue that is full
		e.segs[k].sacked = true
		e.sackedN++
		e.rack.arrived(&e.segs[k], 1e6+int64(k), 0)
	}
	if !e.markLost(1e6+399) || e.lostN != 200 {
		t.Fatalf("%d are lost", e.lostN)
	}
	e.reduction, e.ssthresh, e.recover = reduction{from: 400}, 280, 400
	e.reduce(3, true, false)
	if out := e.inFlight(); out != 0 || e.cwnd != 3 {
		t.Errorf("%d on their way, a window of %d", out, e.cwnd)
	}
	e.lostN -= 3
	for k := range 3 {
		e.segs[2*k].lost, e.segs[2*k].again, e.segs[2*k].at = false, true, 2e6
	}
	e.reduction.out = 3
	if e.reduce(10, false, false); e.cwnd != 3+10 {
		t.Errorf("a window of %d, want 13", e.cwnd)
	}
	if e.markLost(9e6) {
		t.Error("a second copy is lost before anything that was sent later has come")
	}
	late := sent{off: 400, n: 1, at: 3e6}
	e.rack.arrived(&late, 4e6, 0)
	if !e.markLost(4e6) || e.lostN != 200 {
		t.Errorf("%d are lost, want the second copies too", e.lostN)
	}

	e = outFor(400, 280, 400)
	e.reduction = reduction{from: 400}
	sent := 0
	for range 100 {
		e.sackedN++
		e.reduce(1, false, false)
		n := e.cwnd - e.inFlight()
		sent += n
		e.reduction.out += n
		e.segs = append(e.segs, outFor(0, 0, n).segs...)
	}
	if sent != 70 {
		t.Errorf("%d sent for 100 that arrived, want 70", sent)
	}
}
