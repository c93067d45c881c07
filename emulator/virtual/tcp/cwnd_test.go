package tcp

import "testing"

// outFor makes an end that has n segments on their way.
func outFor(cwnd, ssthresh, n int) *Conn {
	e := &Conn{}
	e.cwnd, e.ssthresh, e.rto = cwnd, ssthresh, minRTO
	e.segs = make([]sent, n)
	return e
}

// A sender whose application has little to say grows its window in slow start up to twice what was on its way, and in congestion
// avoidance only where it fills it.
func TestAWindowGrowsWhereItIsUsed(t *testing.T) {
	for _, c := range []struct {
		name                string
		cwnd, ssthresh, out int
		full                bool
		want                int
	}{
		{"slow start, full", 20, maxWindow, 20, true, 24},
		{"slow start, more than half", 20, maxWindow, 11, false, 24},
		{"slow start, half", 20, maxWindow, 10, false, 20},
		{"slow start ends on its way", 20, 22, 20, true, 22},
		{"avoidance, not full", 20, 10, 15, false, 20},
	} {
		e := outFor(c.cwnd, c.ssthresh, c.out)
		e.validate(c.full, 0)
		if e.grow(4, 1); e.cwnd != c.want {
			t.Errorf("%s: a window of %d, want %d", c.name, e.cwnd, c.want)
		}
	}
	e := outFor(20, 10, 20)
	e.validate(true, 0)
	for range 5 {
		e.grow(4, 1)
	}
	if e.cwnd != 21 {
		t.Errorf("avoidance, full: a window of %d after 20 segments", e.cwnd)
	}
	e = outFor(400, 10, 400)
	e.validate(true, 0)
	for range 100 {
		e.grow(4, 1)
	}
	if e.cwnd != 420 {
		t.Errorf("a round trip, no loss known: a window of %d, want 420", e.cwnd)
	}
}

// A window that was not filled for a while comes half the way down to what was used, but not below the first one.
func TestAnUnusedWindowShrinks(t *testing.T) {
	e := outFor(60, 40, 20)
	e.validate(false, 1e6)
	if e.cwnd != 60 {
		t.Fatalf("at once: %d", e.cwnd)
	}
	e.validate(false, minRTO)
	if e.cwnd != 40 || e.ssthresh != 45 {
		t.Errorf("a window of %d, a threshold of %d", e.cwnd, e.ssthresh)
	}
	e = outFor(12, 40, 2)
	e.validate(false, minRTO)
	if e.cwnd != 11 {
		t.Errorf("a window of %d", e.cwnd)
	}
}

// After a pause a window begins anew, however often the connection was asked meanwhile whether it is alive.
func TestKeepaliveIsNoData(t *testing.T) {
	e := opened(1448, true)
	e.st, e.state, e.cwnd, e.ssthresh = newStack(), stateOpen, 400, 400
	e.st.Keepalive = int64(15e9)
	for at := int64(15e9); at <= 60e9; at += 15e9 {
		e.st.net.Clock.Run(at)
		e.aliveTimer(at)
	}
	if e.lastHeard != 60e9 {
		t.Fatalf("asked last at %d ns", e.lastHeard)
	}
	if e.restart(61e9); e.cwnd != initialWindow {
		t.Errorf("a window of %d after a minute", e.cwnd)
	}
}
