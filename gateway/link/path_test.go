package link_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/gateway/link"
)

func TestQueueSerialises(t *testing.T) {
	q := link.NewQueue(8_000_000, 3000, 0) // one byte a microsecond
	for i, c := range []struct {
		now    int64
		size   int
		leaves int64
		ok     bool
	}{
		{0, 1000, 1_000_000, true},
		{0, 1500, 2_500_000, true},
		{0, 500, 3_000_000, true},
		{0, 1, 0, false},                   // 3000 bytes wait
		{1_000_000, 1000, 4_000_000, true}, // 1000 of them have left
		{1_000_000, 1, 0, false},
		{9_000_000, 3000, 12_000_000, true}, // long empty
	} {
		if leaves, ok := q.Send(c.now, c.size); leaves != c.leaves || ok != c.ok {
			t.Errorf("%d: %d, %v, want %d, %v", i, leaves, ok, c.leaves, c.ok)
		}
	}
	free := link.NewQueue(0, 0, 0)
	if at, ok := free.Send(7, 1500); at != 7 || !ok {
		t.Errorf("a queue without a rate: %d, %v", at, ok)
	}
}

// What a queue sends never exceeds its rate, nor does what waits exceed its limit.
func TestQueueKeepsRateAndLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Int64Range(64_000, 1_000_000_000).Draw(t, "rate")
		limit := rapid.Int64Range(1500, 200_000).Draw(t, "limit")
		q := link.NewQueue(rate, limit, 0)
		var now, last, bytes, began int64
		for range rapid.IntRange(1, 100).Draw(t, "packets") {
			now += rapid.Int64Range(0, 3_000_000).Draw(t, "pause")
			size := rapid.IntRange(60, 1514).Draw(t, "size")
			leaves, ok := q.Send(now, size)
			if !ok {
				continue
			}
			if now >= last {
				began, bytes = now, 0
			}
			bytes += int64(size)
			if leaves <= last || leaves < now {
				t.Fatalf("leaves at %d, now %d, last %d", leaves, now, last)
			}
			// A nanosecond a packet is lost to rounding.
			if ideal := began + bytes*8e9/rate; leaves > ideal || leaves < ideal-100 {
				t.Fatalf("leaves at %d, want %d", leaves, ideal)
			}
			if wait := (leaves - now) * rate / 8e9; wait > limit+1 {
				t.Fatalf("%d bytes wait, the limit is %d", wait, limit)
			}
			last = leaves
		}
	})
}

func TestPathStatistics(t *testing.T) {
	const n, delay, jitter, loss = 200_000, 10_000_000, 2_000_000, 0.03
	p := link.NewPath(delay, jitter, loss, 1, 2)
	var lost int
	var sum, squares float64
	last := int64(0)
	for i := range int64(n) {
		now := i * 10_000_000 // far enough apart that order costs nothing
		at, ok := p.Send(now)
		if !ok {
			lost++
			continue
		}
		d := at - now
		if d < delay || d > delay+jitter {
			t.Fatalf("delay %d", d)
		}
		if at < last {
			t.Fatalf("arrives at %d, before %d", at, last)
		}
		last = at
		sum += float64(d - delay)
		squares += float64(d-delay) * float64(d-delay)
	}
	k := float64(n - lost)
	if got, sigma := float64(lost)/n, math.Sqrt(loss*(1-loss)/n); math.Abs(got-loss) > 4*sigma {
		t.Errorf("loss %.4f, want %.4f ± %.4f", got, loss, sigma)
	}
	mean, sd := sum/k, math.Sqrt(squares/k-sum/k*sum/k)
	if wantSD := jitter / math.Sqrt(12); math.Abs(mean-jitter/2) > 4*wantSD/math.Sqrt(k) || math.Abs(sd-wantSD) > 0.01*wantSD {
		t.Errorf("jitter: mean %.0f, deviation %.0f, want %d, %.0f", mean, sd, jitter/2, wantSD)
	}
}

func TestPathKeepsOrder(t *testing.T) {
	p := link.NewPath(1000, 1_000_000, 0, 3, 4)
	last := int64(0)
	for now := range int64(20_000) {
		at, ok := p.Send(now * 100)
		if !ok || at < last || at < now*100+1000 {
			t.Fatalf("arrives at %d after %d", at, last)
		}
		last = at
	}
}

// A loss takes nothing from what comes after: the same seed draws the same delays.
func TestPathDrawsDoNotDependOnFate(t *testing.T) {
	clean, lossy := link.NewPath(0, 1000, 1e-12, 5, 6), link.NewPath(0, 1000, 0.5, 5, 6)
	lost := 0
	for i := range int64(1000) {
		now := i * 10_000
		want, _ := clean.Send(now)
		if at, ok := lossy.Send(now); !ok {
			lost++
		} else if at != want {
			t.Fatalf("packet %d arrives at %d, want %d", i, at, want)
		}
	}
	if lost < 400 || lost > 600 {
		t.Errorf("%d of 1000 lost at one half", lost)
	}
}

// What comes in one cycle leaves in the next, back to back; a burst that is longer than a cycle goes on.
func TestQueueWaitsForItsGrant(t *testing.T) {
	q := link.NewQueue(8_000_000, 3000, 2_000_000) // one byte a microsecond, a grant each two milliseconds
	for i, c := range []struct {
		now    int64
		size   int
		leaves int64
		ok     bool
	}{
		{100_000, 100, 2_100_000, true},
		{1_999_999, 1000, 3_100_000, true},
		{2_000_000, 1400, 5_400_000, true},  // on the grant itself: too late for it
		{2_500_000, 1000, 6_400_000, true},  // behind it, beyond the cycle's end
		{3_000_000, 1000, 0, false},         // 2400 of 3000 bytes wait for the grant at 4 ms
		{9_000_000, 3000, 13_000_000, true}, // long empty
	} {
		if leaves, ok := q.Send(c.now, c.size); leaves != c.leaves || ok != c.ok {
			t.Errorf("%d: %d, %v, want %d, %v", i, leaves, ok, c.leaves, c.ok)
		}
	}
}
