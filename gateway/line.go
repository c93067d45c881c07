package gateway

import (
	"sync"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

// Line holds packets until their time and then delivers them, in order of time and, at equal times, of sending. It is a
// 4-ary heap over a Clock: no allocation a packet on the steady path. Safe for concurrent use; deliveries are made on the
// clock's goroutine, one at a time, but for those that InlineWhenDue allows.
type Line struct {
	// InlineWhenDue lets Send deliver at once, on its caller's goroutine, what is due when nothing is held and no delivery is
	// under way, so that order is kept for a single sender. It is set before the first Send.
	InlineWhenDue bool

	clock   clock.Clock
	deliver func(packet.Packet)

	mu     sync.Mutex
	heap   []held
	seq    uint64
	busy   bool // Fire is delivering
	closed bool
}

type held struct {
	at  int64
	seq uint64
	p   packet.Packet
}

func (h *held) before(o *held) bool { return h.at < o.at || (h.at == o.at && h.seq < o.seq) }

// NewLine returns an empty line.
func NewLine(c clock.Clock, deliver func(packet.Packet)) *Line {
	return &Line{clock: c, deliver: deliver}
}

// Send delivers p at time at (ns of script time), with p.At set to the moment of delivery. It owns p from now on.
func (l *Line) Send(p packet.Packet, at int64) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	if l.InlineWhenDue && !l.busy && len(l.heap) == 0 {
		if now := l.clock.Now(); at <= now {
			l.mu.Unlock()
			p.At = now
			l.deliver(p)
			return
		}
	}
	l.seq++
	l.push(held{at: at, seq: l.seq, p: p})
	l.mu.Unlock()
	l.clock.Schedule(at, l, 0)
}

// Fire implements clock.Handler: it delivers what is due.
func (l *Line) Fire(now int64, _ uint64) {
	for {
		l.mu.Lock()
		if l.busy = !l.closed && len(l.heap) > 0 && l.heap[0].at <= now; !l.busy {
			l.mu.Unlock()
			return
		}
		h := l.pop()
		l.mu.Unlock()
		h.p.At = now
		l.deliver(h.p)
	}
}

// Len is how many packets are held.
func (l *Line) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.heap)
}

// Close drops what is held and all that comes later.
func (l *Line) Close() {
	l.mu.Lock()
	l.closed, l.heap = true, nil
	l.mu.Unlock()
}

func (l *Line) push(h held) {
	l.heap = append(l.heap, h)
	i := len(l.heap) - 1
	for i > 0 {
		p := (i - 1) / 4
		if !l.heap[i].before(&l.heap[p]) {
			break
		}
		l.heap[i], l.heap[p] = l.heap[p], l.heap[i]
		i = p
	}
}

func (l *Line) pop() held {
	top := l.heap[0]
	n := len(l.heap) - 1
	l.heap[0] = l.heap[n]
	l.heap[n] = held{}
	l.heap = l.heap[:n]
	i := 0
	for {
		least := i
		for c := 4*i + 1; c <= 4*i+4 && c < n; c++ {
			if l.heap[c].before(&l.heap[least]) {
				least = c
			}
		}
		if least == i {
			return top
		}
		l.heap[i], l.heap[least] = l.heap[least], l.heap[i]
		i = least
	}
}
