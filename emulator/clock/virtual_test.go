package clock_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"glasshouse/emulator/clock"
)

func TestVirtualFiresInTotalOrder(t *testing.T) {
	v := clock.NewVirtual(-5)
	r := rand.New(rand.NewPCG(1, 2))
	type fired struct {
		at  int64
		arg uint64
	}
	var got, want []fired
	for i := range uint64(5000) {
		at := r.Int64N(400) - 5
		want = append(want, fired{at, i})
		v.Schedule(at, clock.Func(func(now int64, arg uint64) {
			if now != v.Now() {
				t.Fatalf("fired with %d at %d", now, v.Now())
			}
			got = append(got, fired{now, arg})
		}), i)
	}
	slices.SortStableFunc(want, func(a, b fired) int { return int(a.at - b.at) })
	v.Run(200)
	if v.Now() != 200 || v.Next() <= 200 {
		t.Fatalf("after Run(200) it is %d, the next timer at %d", v.Now(), v.Next())
	}
	v.Run(1000)
	if !slices.Equal(got, want) {
		t.Fatal("not the order of time, then of scheduling")
	}
	if v.Now() != 1000 || v.Next() != clock.Forever {
		t.Fatalf("after Run(1000) it is %d, the next timer at %d", v.Now(), v.Next())
	}
}

func TestVirtualRefusesThePast(t *testing.T) {
	v := clock.NewVirtual(10)
	defer func() {
		if recover() == nil {
			t.Error("a timer in the past was taken")
		}
	}()
	v.Schedule(9, clock.Func(func(int64, uint64) {}), 0)
}

type again struct{ v *clock.Virtual }

func (a *again) Fire(now int64, arg uint64) { a.v.Schedule(now+int64(arg), a, arg) }

func TestVirtualAllocatesNothing(t *testing.T) {
	v := clock.NewVirtual(0)
	a := &again{v}
	for i := range uint64(200) {
		v.Schedule(int64(i), a, i+1)
	}
	if n := testing.AllocsPerRun(1000, func() { v.Run(v.Now() + 10) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkVirtual(b *testing.B) {
	v := clock.NewVirtual(0)
	a := &again{v}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		v.Schedule(r.Int64N(1000), a, 500+r.Uint64N(1000))
	}
	b.ReportAllocs()
	for b.Loop() {
		v.Run(v.Next())
	}
}
