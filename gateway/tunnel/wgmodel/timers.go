package wgmodel

import (
	"time"

	"glasshouse/emulator/clock"
)

// WireGuard's times, ns (WireGuard paper, section 6.1), and what wireguard-go adds to it (device/constants.go). They are numbers of
// our own, so that the model needs no engine; a test compares them with the engine's.
const (
	rekeyAfterTime   = int64(120 * time.Second)
	rejectAfterTime  = int64(180 * time.Second)
	rekeyTimeout     = int64(5 * time.Second)
	keepaliveTimeout = int64(10 * time.Second)
	initiationPause  = int64(20 * time.Millisecond) // between two initiations that are answered
	maxHandshakes    = 18                           // retries until a handshake is given up: 90 s
	maxJitterMs      = 334                          // added to a retry
)

// timerID names a timer of an end.
type timerID uint8

const (
	retransmitHandshake timerID = iota // an initiation was not answered
	sendKeepalive                      // data came, and nothing was sent since
	newHandshake                       // data was sent, and nothing came since
	zeroKeys                           // no new keys for long
	persistentKeepalive
	numTimers
)

// alarm is a timer that may be moved and stopped for every packet at no cost: the clock is asked only for a moment before
// which nothing is due, and looked at again then.
type alarm struct {
	due   int64  // ns; clock.Forever where it does not run
	armed int64  // when the clock calls; clock.Forever where it does not
	turn  uint64 // of the call that is awaited: others are void
}

var _ clock.Handler = (*End)(nil)

func (e *End) pending(t timerID) bool { return e.alarms[t].due != clock.Forever }

func (e *End) stop(t timerID) { e.alarms[t].due = clock.Forever }

// set starts a timer, or moves it.
func (e *End) set(t timerID, now, after int64) {
	a := &e.alarms[t]
	if a.due = now + after; a.due < a.armed {
		e.arm(t)
	}
}

func (e *End) arm(t timerID) {
	a := &e.alarms[t]
	a.turn++
	a.armed = a.due
	e.c.Clock.Schedule(a.due, e, a.turn<<8|uint64(t))
}

// Fire implements clock.Handler.
func (e *End) Fire(now int64, arg uint64) {
	t := timerID(arg & 0xff)
	a := &e.alarms[t]
	if e.closed || arg>>8 != a.turn {
		return
	}
	a.armed = clock.Forever
	switch {
	case a.due == clock.Forever:
	case a.due > now:
		e.arm(t)
	default:
		a.due = clock.Forever
		e.expired(t, now)
		e.flush(now)
	}
}

func (e *End) expired(t timerID, now int64) {
	switch t {
	case retransmitHandshake:
		if e.attempts <= maxHandshakes {
			e.attempts++
			e.initiate(now, true)
			return
		}
		e.stop(sendKeepalive)
		e.unstage(&e.drops.NoHandshake)
		if !e.pending(zeroKeys) {
			e.set(zeroKeys, now, 3*rejectAfterTime)
		}
	case sendKeepalive, persistentKeepalive:
		// The engine remembers that more data came, and sets the timer again. The keepalive, or the handshake that must come first,
		// always stops it before it expires: there is nothing to remember.
		e.sendKeepalive(now)
	case newHandshake:
		e.initiate(now, false)
	case zeroKeys:
		e.current, e.previous, e.next = keypair{}, keypair{}, keypair{}
		e.handshake.local = 0
		e.unstage(&e.drops.NoHandshake)
	case numTimers:
	}
}

// traversed notes that an authenticated packet was sent or received.
func (e *End) traversed(now int64) {
	if e.c.Keepalive > 0 {
		e.set(persistentKeepalive, now, e.c.Keepalive)
	}
}

// withJitter lengthens a time as the engine does, so that two ends do not begin a handshake together for ever.
func withJitter(e *End, now, after int64) int64 { return after + e.jitter(now, after) }

// drawJitter draws whole milliseconds below RekeyTimeoutJitterMaxMs.
func (e *End) drawJitter(int64, int64) int64 {
	return int64(e.rng.Uint64()>>32*maxJitterMs>>32) * int64(time.Millisecond)
}
