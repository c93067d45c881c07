package virtual

import (
	"testing"
	"time"

	"glasshouse/devices"
)

// The window grows by two segments for each that comes, until the buffer is full, and lets each be acknowledged by itself; the
// buffer grows by what a round trip brings. The live world's kernel announced 64240, 67160, 70080, ... 86144 bytes at first.
func TestReceiveWindowGrows(t *testing.T) {
	const full = 1460
	e := &endpoint{}
	e.win, e.rcvMSS, e.srtt = newRecvWindow(0), full, 20e6
	for i, want := range []int64{67160, 70080, 73000, 75920, 78840, 81760, 84680, firstClamp} {
		e.quick = 0
		if e.widen(full); e.win.threshold != want || e.quick != 1 {
			t.Fatalf("segment %d: a window of %d, want %d; quick %d", i, e.win.threshold, want, e.quick)
		}
	}
	e.quick = 0
	if e.widen(full); e.win.threshold != firstClamp || e.quick != 0 {
		t.Fatalf("a full buffer: a window of %d, quick %d", e.win.threshold, e.quick)
	}
	e.rnxt, e.win.read = 2*firstSpace, 2*firstSpace
	if e.adjust(19e6); e.win.clamp != firstClamp {
		t.Fatalf("within a round trip: a clamp of %d", e.win.clamp)
	}
	e.adjust(20e6) // twice as much as before: 4, and twice 4 times the rise
	if want := int64(3 * 4 * firstSpace); e.win.clamp != want {
		t.Fatalf("a clamp of %d, want %d", e.win.clamp, want)
	}
	e.rnxt, e.win.read = e.rnxt+firstSpace, e.win.read+firstSpace
	if e.adjust(40e6); e.win.clamp != 12*firstSpace {
		t.Fatalf("a slower round trip changed the clamp to %d", e.win.clamp)
	}
	if e.widen(growLeast - 1); e.win.threshold != firstClamp {
		t.Fatal("a small segment let the window grow")
	}
}

// Where the buffer is full, what nobody has read takes room from the window: an acknowledgement would not move its edge, and waits
// for the reader. The edge never goes back.
func TestUnreadDataHoldsAcknowledgementsBack(t *testing.T) {
	e := &endpoint{}
	e.win = newRecvWindow(0)
	e.win.threshold, e.win.said = firstClamp, firstClamp
	if !e.moves() {
		t.Fatal("nothing is unread, and the window does not move")
	}
	e.rnxt = 3000
	if e.moves() {
		t.Fatal("3000 bytes are unread in a full buffer, and the window moves")
	}
	const left = 83072 // 86016 less 3000, up to a multiple of 128
	if w := e.window(); w != left {
		t.Fatalf("a window of %d, want %d", w, left)
	}
	if e.win.clamp = firstClamp - 20000; e.window() != left {
		t.Fatalf("the edge went back: a window of %d", e.window())
	}
	e.win.clamp, e.win.read = firstClamp, e.rnxt
	if !e.moves() {
		t.Fatal("all is read, and the window does not move")
	}
	e.win.threshold, e.win.read = firstClamp-4000, 0
	e.win.said = e.win.threshold
	if !e.moves() {
		t.Fatal("a window that the buffer does not bound waits for the reader")
	}
}

// A reader that has made room tells so, where the other end has leave for little.
func TestAReaderOpensTheWindow(t *testing.T) {
	e := &endpoint{}
	e.win = newRecvWindow(0)
	e.win.threshold = firstClamp
	for _, c := range []struct {
		said, unread int64
		want         bool
	}{
		{firstClamp, 0, false},
		{firstClamp / 2, 0, true}, // from half to all
		{firstClamp/2 + 128, 0, false},
		{1280, 0, true},                  // crumbs
		{1280, firstClamp - 2000, false}, // not yet twice as much
		{0, firstClamp, false},           // nobody has read
		{0, 0, true},
	} {
		e.rnxt, e.ackedTo, e.win.said = c.unread, c.unread, c.said
		if got := e.opens(); got != c.want {
			t.Errorf("leave for %d, %d unread: %v", c.said, c.unread, got)
		}
	}
}

// A long transfer on a line that loses packets ends well: a window that has closed, while a gap was open and its successors waited,
// opens again, and where the word of it is lost the sender asks.
func TestLongTransfersUnderLoss(t *testing.T) {
	for seed := range uint64(30) {
		for _, loss := range []int{5, 20} {
			for _, dir := range []int8{devices.Up, devices.Down} {
				l := newLAN(t, seed, loss, "one")
				l.check = false
				a := activity(1e9, "raw", true, devices.Message{Dir: devices.Up, Size: 100}, devices.Message{Dir: dir, Size: 3 << 20})
				outcome := ""
				l.net.Host(0).Perform(&a, 0, func(o string, _ int64) { outcome = o })
				l.clock.Run(int64(5 * time.Minute))
				if outcome != "ok" {
					t.Errorf("seed %d, %d of 1000 lost, direction %d: outcome %q", seed, loss, dir, outcome)
				}
			}
		}
	}
}
