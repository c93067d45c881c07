package link

import (
	"sync"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

// DelayLine holds packets until their time and then delivers them, in order of time and, at equal times, of sending: the order
// of its clock's timers, of which each packet has one. No allocation a packet on the steady path. Safe for concurrent use;
// deliveries are made on the clock's goroutine, one at a time, but for those that InlineWhenDue allows.
type DelayLine struct {
	// InlineWhenDue lets Send deliver at once, on its caller's goroutine, what is due when nothing is held and no delivery is
	// under way, so that order is kept for a single sender. It is set before the first Send.
	InlineWhenDue bool

	clock   clock.Clock
	lane    *clock.Lane
	deliver func(*packet.Packet)

	mu     clock.Guard
	slots  []packet.Packet // one that is free keeps its last buffer alive until it is used again
	free   []uint32        // slots that hold nothing
	held   int             // packets that wait or are being delivered
	closed bool

	fired  packet.Packet // is being delivered by Fire
	inline sync.Pool     // of those that Send delivers
}

// NewDelayLine returns an empty line. Its receiver may change the packet that it is handed, and must not keep it: it copies what it needs
// later.
func NewDelayLine(c clock.Clock, deliver func(*packet.Packet)) *DelayLine {
	l := &DelayLine{clock: c, deliver: deliver}
	l.mu.For(c)
	l.lane = clock.NewLane(c, l)
	return l
}

// Send delivers p at time at (ns of script time), with p.At set to it: a clock that lets timers off late does not change when
// the line has delivered, only when its receiver hears of it. It owns the packet from now on, and keeps a copy of p.
func (l *DelayLine) Send(p *packet.Packet, at int64) { l.SendRow(p, at, p.Lineage.Row) }

// SendRow is Send with another Row in the lineage. What changes in p is set in its slot and not before: a core stalls where it copies
// what it has just written in other pieces.
func (l *DelayLine) SendRow(p *packet.Packet, at, row int64) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	if l.InlineWhenDue && l.held == 0 && at <= l.clock.Now() {
		l.mu.Unlock()
		l.DeliverNow(p, at, row)
		return
	}
	slot := uint32(len(l.slots))
	if n := len(l.free); n > 0 {
		slot = l.free[n-1]
		l.free = l.free[:n-1]
		l.slots[slot] = *p
	} else {
		l.slots = append(l.slots, *p)
	}
	l.slots[slot].At, l.slots[slot].Lineage.Row = at, row
	l.held++
	l.lane.Schedule(at, uint64(slot)) // under the lock, so that equal times keep the order of sending
	l.mu.Unlock()
}

// DeliverNow delivers a copy of p.
func (l *DelayLine) DeliverNow(p *packet.Packet, at, row int64) {
	q, ok := l.inline.Get().(*packet.Packet)
	if !ok {
		q = new(packet.Packet)
	}
	*q = *p
	q.At, q.Lineage.Row = at, row
	l.deliver(q)
	l.inline.Put(q)
}

// Fire implements clock.Handler: it delivers the packet in a slot.
func (l *DelayLine) Fire(_ int64, slot uint64) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.fired = l.slots[slot]
	l.free = append(l.free, uint32(slot))
	l.mu.Unlock()
	l.deliver(&l.fired)
	l.mu.Lock()
	if !l.closed {
		l.held--
	}
	l.mu.Unlock()
}

// Len is how many packets are held.
func (l *DelayLine) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// Close drops what is held and all that comes later.
func (l *DelayLine) Close() {
	l.mu.Lock()
	l.closed, l.slots, l.free, l.held = true, nil, nil, 0
	l.mu.Unlock()
}
