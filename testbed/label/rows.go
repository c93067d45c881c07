package label

import (
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// RowTimeout is how long a downlink packet may take from the tap to the LAN: beyond what a kernel keeps a packet for ARP.
const RowTimeout = int64(4e9)

// Rows joins what the tap sees with the truth, which may come later: a downlink packet's LAN frame is known only when it
// has crossed the gateway. It hands rows out in the order of the tap. Safe for concurrent use.
type Rows struct {
	observe func(at int64, dir int8, ip []byte, o *dataset.Observation) // called in the tap's order; fills o
	emit    func(o *dataset.Observation, l packet.Lineage, lost bool)   // called in the same order, once a row is complete

	mu      clock.Guard
	first   int64 // frame of pending[head]
	head    int
	pending []pendingRow
	closed  bool
	scratch dataset.Observation
	late    int64 // rows completed twice or after their time: a fault
}

type pendingRow struct {
	obs     dataset.Observation
	lineage packet.Lineage
	at      int64
	done    bool
	lost    bool
}

// NewRows returns rows that are completed by observe and handed on, in order, by emit.
func NewRows(observe func(int64, int8, []byte, *dataset.Observation), emit func(*dataset.Observation, packet.Lineage, bool)) *Rows {
	return &Rows{observe: observe, emit: emit, first: 1}
}

// GuardBy prepares the rows, before their first packet, for what a clock's goroutines share: where there is one only, no lock is taken.
func (r *Rows) GuardBy(c clock.Clock) { r.mu.For(c) }

// Passing is a packet that passes the tap.
type Passing struct {
	At      int64 // ns
	Dir     int8
	IP      []byte
	Lineage packet.Lineage
	Done    bool // its truth is known: the row is complete
	Lost    bool // it dies behind the tap
}

// Begin passes a packet through the tap and returns its row; 0 when the tap is closed. A row that is not done is
// completed later by complete or lose.
func (r *Rows) Begin(x Passing) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0
	}
	if x.Done && r.head == len(r.pending) { // it need not wait for anything
		r.observe(x.At, x.Dir, x.IP, &r.scratch)
		x.Lineage.Row = r.scratch.Frame
		r.first = x.Lineage.Row + 1
		r.emit(&r.scratch, x.Lineage, x.Lost)
		return x.Lineage.Row
	}
	n := len(r.pending)
	if n == cap(r.pending) {
		r.pending = append(r.pending, pendingRow{})
	} else {
		r.pending = r.pending[:n+1]
	}
	p := &r.pending[n]
	r.observe(x.At, x.Dir, x.IP, &p.obs)
	x.Lineage.Row = p.obs.Frame
	p.lineage, p.at, p.done, p.lost = x.Lineage, x.At, x.Done, x.Lost
	r.drain()
	return x.Lineage.Row
}

// Complete gives a row its truth.
func (r *Rows) Complete(row int64, l packet.Lineage, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.find(row)
	if p == nil || p.done {
		r.late++
		return
	}
	l.Row = row
	p.lineage, p.lost, p.done = l, lost, true
	r.drain()
}

// Attribute gives a row its owner while its LAN frame is still to come.
func (r *Rows) Attribute(row int64, l packet.Lineage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.find(row); p != nil && !p.done {
		l.Row = row
		p.lineage = l
	}
}

// Expire completes as lost the rows that have waited too long at now.
func (r *Rows) Expire(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := r.head; i < len(r.pending); i++ {
		if p := &r.pending[i]; !p.done {
			if now-p.at < RowTimeout {
				break
			}
			p.done, p.lost = true, true
		}
	}
	r.drain()
}

// Close shuts the tap; rows that still wait can be completed. waiting tells how many do.
func (r *Rows) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
}

// Waiting is how many rows still wait for their LAN frame.
func (r *Rows) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending) - r.head
}

// Lateness is how many rows got their truth twice, or too late.
func (r *Rows) Lateness() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.late
}

func (r *Rows) find(row int64) *pendingRow {
	i := row - r.first + int64(r.head)
	if row < r.first || i >= int64(len(r.pending)) {
		return nil
	}
	return &r.pending[i]
}

// drain emits the complete rows at the front. r.mu is held.
func (r *Rows) drain() {
	for r.head < len(r.pending) && r.pending[r.head].done {
		p := &r.pending[r.head]
		r.emit(&p.obs, p.lineage, p.lost)
		r.head++
		r.first++
	}
	if r.head == len(r.pending) {
		r.pending, r.head = r.pending[:0], 0
	} else if r.head > 4096 && r.head*2 > len(r.pending) {
		r.pending = append(r.pending[:0], r.pending[r.head:]...)
		r.head = 0
	}
}
