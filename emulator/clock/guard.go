package clock

import "sync"

// Guard is a mutex that costs nothing where a clock runs all on one goroutine. The zero value is a mutex.
type Guard struct {
	mu  sync.Mutex
	off bool
}

// Lock implements sync.Locker.
func (g *Guard) Lock() {
	if !g.off {
		g.mu.Lock()
	}
}

// Unlock implements sync.Locker.
func (g *Guard) Unlock() {
	if !g.off {
		g.mu.Unlock()
	}
}

// For prepares a guard, before its first use, for what is shared under a clock.
func (g *Guard) For(c Clock) { g.off = OneGoroutine(c) }
