package latency

import (
	"math/rand/v2"
	"slices"
	"testing"

	"glasshouse/emulator/clock"
)

// A thread that has slept begins late, and is slow at first: of two frames that come together after a pause the second follows the first
// after 15 to 45 us (of live pairs in lan.pcapng at least 80 of 100), where the next ones take 2 to 20. A frame that a device's kernel
// has just put on its interface finds a core awake.
func TestAThreadThatSleptIsSlowAtFirst(t *testing.T) {
	n := New(clock.NewVirtual(-2e9), rand.NewPCG(1, 0x6c617465))
	median := func(f func(w *Worker) int64) int64 {
		all := make([]int64, 401)
		for i := range all {
			all[i] = f(n.NewWorker())
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	const slept = int64(60e6)
	gap := func(task Task, i int) int64 {
		return median(func(w *Worker) int64 {
			at := w.Turn(slept, task)
			for range i {
				at = w.Turn(slept, task)
			}
			return w.Turn(slept, task) - at
		})
	}
	late := func(task Task) int64 { return median(func(w *Worker) int64 { return w.Turn(slept, task) - slept }) }
	for _, c := range []struct {
		name      string
		got       int64
		low, high int64 // us
	}{
		{"second frame from the air", gap(TaskUp, 0), 15, 45},
		{"third frame from the air", gap(TaskUp, 1), 2, 6},
		{"second frame to the air", gap(TaskAir, 0), 15, 45},
		{"second frame of a device", gap(TaskRead, 0), 2, 6},
		{"first frame to the air", late(TaskAir), 70, 110},
		{"first frame of a device", late(TaskRead), 15, 30},
	} {
		if c.got < c.low*1000 || c.got > c.high*1000 {
			t.Errorf("%s: %d ns, want %d to %d us", c.name, c.got, c.low, c.high)
		}
	}
	n.stirred = slept - 2e6 // a frame went the other way 2 ms ago
	if got := late(TaskUp); got < 35e3 || got > 60e3 {
		t.Errorf("first frame from the air, 2 ms after one to it: %d ns late", got)
	}
}
