package clock_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"glasshouse/emulator/clock"
)

// crowd schedules timers at random, by lanes and by themselves, and notes what fires.
type crowd struct {
	t     *testing.T
	v     *clock.Virtual
	r     *rand.Rand
	lanes []*clock.Lane
	ends  []int64 // of each lane: its newest timer
	set   []crowded
	fired []crowded
}

type crowded struct {
	at int64
	n  uint64 // in the order of scheduling
}

// spans are how far ahead timers are set, ns: within a slot of the wheel, within the wheel, beyond it.
var spans = []int64{1, 1000, 20_000, 3e6, 2e8, 9e9}

func (c *crowd) schedule() {
	at := c.v.Now() + c.r.Int64N(spans[c.r.IntN(len(spans))])
	n := uint64(len(c.set))
	k := c.r.IntN(len(c.lanes) + 3)
	if k >= len(c.lanes) {
		c.set = append(c.set, crowded{at, n})
		c.v.Schedule(at, c, n)
		return
	}
	if c.r.IntN(8) > 0 { // now and then a lane's times go back
		at = max(c.v.Now(), c.ends[k]) + c.r.Int64N(2)*c.r.Int64N(50_000)
	}
	c.ends[k] = at
	c.set = append(c.set, crowded{at, n})
	c.lanes[k].Schedule(at, n)
}

func (c *crowd) Fire(now int64, n uint64) {
	if now != c.v.Now() {
		c.t.Fatalf("fired with %d at %d", now, c.v.Now())
	}
	c.fired = append(c.fired, crowded{now, n})
	if len(c.set) < 200_000 {
		for range c.r.IntN(3) {
			c.schedule()
		}
	}
}

func TestLanesKeepTheTotalOrder(t *testing.T) {
	for seed := range uint64(20) {
		v := clock.NewVirtual(-7)
		c := &crowd{t: t, v: v, r: rand.New(rand.NewPCG(seed, 1))}
		for range 1 + seed%5 {
			c.lanes = append(c.lanes, clock.NewLane(v, c))
		}
		c.ends = make([]int64, len(c.lanes))
		for len(c.set) < 20_000 {
			for range c.r.IntN(40) {
				c.schedule()
			}
			until := v.Now() + c.r.Int64N(spans[c.r.IntN(len(spans))])
			if next := v.Next(); c.r.IntN(4) == 0 && next != clock.Forever {
				until = next
			}
			v.Run(until)
		}
		v.Run(clock.Forever / 4)
		slices.SortStableFunc(c.set, func(a, b crowded) int { return int(min(max(a.at-b.at, -1), 1)) })
		if !slices.Equal(c.fired, c.set) {
			t.Fatalf("seed %d: not the order of time, then of scheduling", seed)
		}
		if v.Next() != clock.Forever {
			t.Fatalf("seed %d: a timer is left for %d", seed, v.Next())
		}
	}
}

func TestLaneRefusesThePast(t *testing.T) {
	v := clock.NewVirtual(10)
	defer func() {
		if recover() == nil {
			t.Error("a timer in the past was taken")
		}
	}()
	clock.NewLane(v, clock.Func(func(int64, uint64) {})).Schedule(9, 0)
}

type inLane struct{ l *clock.Lane }

func (a *inLane) Fire(now int64, arg uint64) { a.l.Schedule(now+100, arg) }

func TestLaneAllocatesNothing(t *testing.T) {
	v := clock.NewVirtual(0)
	a := &inLane{}
	a.l = clock.NewLane(v, a)
	for i := range int64(100) {
		a.l.Schedule(i, 0)
	}
	if n := testing.AllocsPerRun(1000, func() { v.Run(v.Now() + 10) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkLanes has as many timers as BenchmarkVirtual, in eight lanes.
func BenchmarkLanes(b *testing.B) {
	v := clock.NewVirtual(0)
	for i := range int64(8) {
		a := &inLane{}
		a.l = clock.NewLane(v, a)
		for k := range int64(25) {
			a.l.Schedule(i+k*4, 0)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		v.Run(v.Next())
	}
}
