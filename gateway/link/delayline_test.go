package link_test

import (
	"sort"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/emulator/clock/clocktest"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/link"
)

func numbered(i int64) *packet.Packet {
	return &packet.Packet{Lineage: packet.Lineage{Event: i}}
}

func TestLineDeliversInOrderOfTimeThenSending(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &clocktest.Manual{}
		type got struct{ event, at int64 }
		var out []got
		l := link.NewDelayLine(c, func(p *packet.Packet) { out = append(out, got{p.Lineage.Event, p.At}) })
		defer l.Close()
		type sent struct{ at, event int64 }
		var want []sent
		n := rapid.IntRange(0, 50).Draw(t, "n")
		for i := range int64(n) {
			at := rapid.Int64Range(0, 20).Draw(t, "at")
			l.Send(numbered(i), at)
			want = append(want, sent{at: at, event: i})
		}
		sort.SliceStable(want, func(i, j int) bool { return want[i].at < want[j].at })
		c.Advance(9)
		held := 0
		for _, w := range want {
			if w.at > 9 {
				held++
			}
		}
		if l.Len() != held {
			t.Fatalf("%d held, want %d", l.Len(), held)
		}
		c.Advance(20)
		if len(out) != n || l.Len() != 0 {
			t.Fatalf("%d delivered of %d", len(out), n)
		}
		for i, w := range want {
			if out[i].event != w.event || out[i].at != w.at {
				t.Fatalf("place %d: %+v, want %+v", i, out[i], w)
			}
		}
	})
}

// A packet that is due at once must not overtake one whose timer is late.
func TestLineInlineKeepsOrder(t *testing.T) {
	c := &clocktest.Manual{}
	var out []int64
	var l *link.DelayLine
	l = link.NewDelayLine(c, func(p *packet.Packet) {
		out = append(out, p.Lineage.Event)
		if p.Lineage.Event == 2 { // sent while a delivery is under way
			l.Send(numbered(4), 0)
		}
	})
	l.InlineWhenDue = true
	defer l.Close()
	l.Send(numbered(1), 0)
	if len(out) != 1 {
		t.Fatal("due and alone, but not delivered inline")
	}
	l.Send(numbered(2), 10)
	c.Set(11) // due, but the timer has not fired
	l.Send(numbered(3), 11)
	if len(out) != 1 {
		t.Fatalf("overtaken: %v", out)
	}
	c.Fire()
	if want := []int64{1, 2, 4, 3}; len(out) != 4 || out[1] != want[1] || out[2] != want[2] || out[3] != want[3] {
		t.Fatalf("%v, want %v", out, want) // 4 asked for time 0, so it goes before 3
	}
	l.Send(numbered(5), 11)
	if len(out) != 5 {
		t.Error("empty again, but not inline")
	}
}

func TestLineFromManyGoroutines(t *testing.T) {
	c := &clocktest.Manual{}
	got := map[int64]int{}
	l := link.NewDelayLine(c, func(p *packet.Packet) { got[p.Lineage.Event]++ })
	var wg sync.WaitGroup
	for g := range int64(4) {
		wg.Go(func() {
			for i := range int64(500) {
				l.Send(numbered(g*500+i), i%7)
			}
		})
	}
	wg.Wait()
	c.Advance(10)
	if len(got) != 2000 || l.Len() != 0 {
		t.Fatalf("%d delivered", len(got))
	}
	l.Send(numbered(1), 100)
	l.Close()
	l.Send(numbered(2), 100)
	c.Advance(200)
	if len(got) != 2000 || l.Len() != 0 {
		t.Error("delivered after Close")
	}
}
