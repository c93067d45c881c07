// Package clock is the one notion of time in both worlds: nanoseconds since the start of the script.
//
// Core code is handed a Clock and never asks the machine for the time. Wall is the live world's clock; the virtual
// world's is an event heap behind the same interface.
package clock

import "math"

// Forever is a moment that never comes.
const Forever int64 = math.MaxInt64

// Handler receives a timer. It takes a number and not a closure, so that a packet on its way costs no allocation.
type Handler interface {
	// Fire is called once, at or after the moment asked for. now is the clock's time; arg is what Schedule was given.
	Fire(now int64, arg uint64)
}

// Clock tells script time and wakes handlers.
type Clock interface {
	// Now returns nanoseconds since the start of the script. It never goes back.
	Now() int64
	// Schedule calls h.Fire(now, arg) once when Now() >= at. Handlers due at one moment fire in the order in which they were scheduled.
	// All handlers of one clock fire on one goroutine: they must not block.
	Schedule(at int64, h Handler, arg uint64)
}

// Func makes a Handler of a function, for timers that are rare.
type Func func(now int64, arg uint64)

// Fire implements Handler.
func (f Func) Fire(now int64, arg uint64) { f(now, arg) }
