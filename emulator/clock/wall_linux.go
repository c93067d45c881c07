package clock

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Wall is the live world's clock: script time is the monotonic time since start. It wakes handlers from a locked thread
// that sleeps on a timerfd with one nanosecond of timer slack: about 30 us late at the median, where time.Sleep is up to 1 ms.
type Wall struct {
	start time.Time // carries the monotonic reading
	base  int64     // CLOCK_MONOTONIC at start, ns
	fd    int
	done  chan struct{}

	mu     sync.Mutex
	heap   timerHeap
	seq    uint64
	armed  int64 // script time for which the timerfd is set; Forever if not
	closed bool
	late   Lateness
}

var _ Clock = (*Wall)(nil)

// NewWall starts a clock whose time 0 is start. Close ends its goroutine.
func NewWall(start time.Time) (*Wall, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	w := &Wall{start: start, base: ts.Nano() - int64(time.Since(start)), fd: fd, done: make(chan struct{}), armed: Forever}
	go w.run()
	return w, nil
}

// Start returns the wall time of script time 0.
func (w *Wall) Start() time.Time { return w.start }

// Now implements Clock.
func (w *Wall) Now() int64 { return int64(time.Since(w.start)) }

// Schedule implements Clock.
func (w *Wall) Schedule(at int64, h Handler, arg uint64) {
	w.mu.Lock()
	w.seq++
	w.heap.push(at, w.seq, h, arg)
	if at < w.armed && !w.closed {
		w.arm(at)
	}
	w.mu.Unlock()
}

// Sleep returns at script time at, or earlier with the context's error.
func (w *Wall) Sleep(ctx context.Context, at int64) error {
	if at <= w.Now() {
		return ctx.Err()
	}
	wake := make(chan struct{})
	w.Schedule(at, Func(func(int64, uint64) { close(wake) }), 0)
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Late returns how late handlers were fired so far.
func (w *Wall) Late() Lateness {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.late
}

// Close ends the clock: pending handlers never fire. It returns when no handler runs any more.
func (w *Wall) Close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		w.arm(0)
	}
	w.mu.Unlock()
	<-w.done
	return nil
}

// arm sets the timerfd; w.mu is held.
func (w *Wall) arm(at int64) {
	w.armed = at
	abs := max(w.base+at, 1)
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(abs)}
	_ = unix.TimerfdSettime(w.fd, unix.TFD_TIMER_ABSTIME, &spec, nil)
}

func (w *Wall) run() {
	runtime.LockOSThread() // never unlocked: the thread's timer slack is its own, and it ends with the goroutine
	defer close(w.done)
	defer func() { _ = unix.Close(w.fd) }()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	var buf [8]byte
	for {
		w.mu.Lock()
		for {
			if w.closed {
				w.mu.Unlock()
				return
			}
			now := w.Now()
			if w.heap.empty() || w.heap.first() > now {
				break
			}
			t := w.heap.pop()
			w.late.add(now - t.at)
			w.mu.Unlock()
			t.h.Fire(now, t.arg)
			w.mu.Lock()
		}
		if w.heap.empty() {
			w.armed = Forever
		} else {
			w.arm(w.heap.first())
		}
		w.mu.Unlock()
		_, _ = unix.Read(w.fd, buf[:]) // blocks until the timer expires; arm wakes it earlier
	}
}
