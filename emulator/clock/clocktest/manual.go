// Package clocktest has a clock for tests that need to say when time passes and when timers fire. No program uses it.
package clocktest

import (
	"sort"
	"sync"

	"glasshouse/emulator/clock"
)

// Manual is a clock that the test moves. The zero value stands at 0. Timers may fire late, as a wall clock's do. Safe for concurrent use.
type Manual struct {
	mu     sync.Mutex
	now    int64
	timers []timer
}

type timer struct {
	at  int64
	h   clock.Handler
	arg uint64
}

var _ clock.Clock = (*Manual)(nil)

// Now implements clock.Clock.
func (c *Manual) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Schedule implements clock.Clock.
func (c *Manual) Schedule(at int64, h clock.Handler, arg uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timers = append(c.timers, timer{at, h, arg})
}

// Pending is how many timers have not fired yet.
func (c *Manual) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// Set moves time without firing.
func (c *Manual) Set(now int64) {
	c.mu.Lock()
	c.now = now
	c.mu.Unlock()
}

// Fire fires all timers that are due.
func (c *Manual) Fire() {
	for {
		c.mu.Lock()
		sort.SliceStable(c.timers, func(i, j int) bool { return c.timers[i].at < c.timers[j].at })
		if len(c.timers) == 0 || c.timers[0].at > c.now {
			c.mu.Unlock()
			return
		}
		t := c.timers[0]
		c.timers = c.timers[1:]
		now := c.now
		c.mu.Unlock()
		t.h.Fire(now, t.arg)
	}
}

// Advance moves time to a moment and fires each timer on the way at its time.
func (c *Manual) Advance(to int64) {
	for {
		c.mu.Lock()
		next := to
		for _, t := range c.timers {
			next = min(next, max(t.at, c.now))
		}
		c.now = next
		c.mu.Unlock()
		c.Fire()
		if next == to {
			return
		}
	}
}
