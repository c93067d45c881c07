//go:build linux

package clock_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"glasshouse/emulator/clock"
)

func TestWallFiresInOrder(t *testing.T) {
	w, err := clock.NewWall(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := rand.New(rand.NewPCG(1, 2))
	const n = 2000
	type fired struct{ at, now int64 }
	got := make(chan fired, n)
	base := w.Now() + int64(20*time.Millisecond)
	for range n {
		at := base + r.Int64N(int64(50*time.Millisecond))
		w.Schedule(at, clock.Func(func(now int64, arg uint64) { got <- fired{int64(arg), now} }), uint64(at))
	}
	last := int64(0)
	for range n {
		f := <-got
		if f.at < last {
			t.Fatalf("fired %d after %d", f.at, last)
		}
		if f.now < f.at {
			t.Fatalf("fired %d ns early", f.at-f.now)
		}
		last = f.at
	}
	if late := w.Late(); late.N() != n || late.Quantile(0.5) > late.Max() {
		t.Fatalf("lateness: n=%d p50=%d max=%d", late.N(), late.Quantile(0.5), late.Max())
	}
}

func TestWallEqualMomentsKeepOrder(t *testing.T) {
	w, err := clock.NewWall(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	got := make(chan uint64, 100)
	at := w.Now() + int64(5*time.Millisecond)
	for i := range uint64(100) {
		w.Schedule(at, clock.Func(func(_ int64, arg uint64) { got <- arg }), i)
	}
	for i := range uint64(100) {
		if g := <-got; g != i {
			t.Fatalf("place %d: got %d", i, g)
		}
	}
}

func TestWallSleepEndsWithContext(t *testing.T) {
	w, err := clock.NewWall(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	if err := w.Sleep(ctx, w.Now()+int64(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
