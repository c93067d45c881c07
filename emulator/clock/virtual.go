package clock

import (
	"fmt"
	"math/bits"
)

// Virtual is the virtual world's clock: time stands still while a handler runs, and jumps to the next timer after it. All of
// a home runs on the one goroutine that calls Run; nothing here is safe for concurrent use.
//
// Timers fire by time, then in the order of scheduling. Those of lanes wait in their lanes, whose heads are kept in order. Of the
// others the near ones lie in a wheel of short slots, each sorted when its turn comes; the far ones, of protocols, lie in a heap
// until the wheel reaches them.
type Virtual struct {
	now int64
	seq uint64

	lanes []laneHead // those in which timers wait; the next to fire comes last

	turn  []ref // the slot whose turn it is, in order
	next  int   // index of the first that has not fired
	slot  int64 // its number: time / slotSpan
	due   int64 // number of the next slot that holds timers, of the wheel or the heap; noSlot = none
	head  [slots]int32
	used  [slots / 64]uint64      // which slots hold timers
	words [slots / 64 / 64]uint64 // which words of used are not 0
	far   timerHeap

	nodes []node
	free  int32 // first free node; -1 = none
}

var _ Clock = (*Virtual)(nil)

// node is a timer in the wheel.
type node struct {
	at   int64
	seq  uint64
	h    Handler
	arg  uint64
	next int32 // of its slot, or of the free ones; -1 = the last
}

// ref points to a timer of the slot whose turn it is.
type ref struct {
	at  int64
	seq uint64
	n   int32
}

func (r *ref) before(o *ref) bool { return r.at < o.at || (r.at == o.at && r.seq < o.seq) }

// The wheel reaches slots * slotSpan = 1 s ahead: a packet's way through a home, and most of TCP's timers.
const (
	slotShift = 17 // a slot spans 2^17 ns
	slots     = 1 << 13
	noSlot    = Forever
)

// NewVirtual returns a clock that stands at start, ns of script time.
func NewVirtual(start int64) *Virtual {
	v := &Virtual{now: start, slot: start >> slotShift, due: noSlot, free: -1}
	for i := range v.head {
		v.head[i] = -1
	}
	return v
}

// Now implements Clock.
func (v *Virtual) Now() int64 { return v.now }

// Schedule implements Clock. A timer in the past is a fault of the program: it panics.
func (v *Virtual) Schedule(at int64, h Handler, arg uint64) {
	v.check(at)
	v.seq++
	v.put(at, v.seq, h, arg)
}

func (v *Virtual) check(at int64) {
	if at < v.now {
		panic(fmt.Sprintf("a timer for %d ns is set at %d ns", at, v.now))
	}
}

func (v *Virtual) put(at int64, seq uint64, h Handler, arg uint64) {
	s := at >> slotShift
	if s >= v.slot+slots {
		v.due = min(v.due, s)
		v.far.push(at, seq, h, arg)
		return
	}
	i := v.free
	if i >= 0 {
		v.free = v.nodes[i].next
	} else {
		i = int32(len(v.nodes))
		v.nodes = append(v.nodes, node{})
	}
	n := &v.nodes[i]
	n.at, n.seq, n.h, n.arg = at, seq, h, arg
	if s <= v.slot {
		v.insert(ref{at, seq, i})
		return
	}
	v.due = min(v.due, s)
	k := s & (slots - 1)
	n.next = v.head[k]
	v.head[k] = i
	v.used[k>>6] |= 1 << (k & 63)
	v.words[k>>12] |= 1 << (k >> 6 & 63)
}

// insert puts a timer among those of the slot whose turn it is.
func (v *Virtual) insert(r ref) {
	v.turn = append(v.turn, r)
	i := len(v.turn) - 1
	for ; i > v.next && r.before(&v.turn[i-1]); i-- {
		v.turn[i] = v.turn[i-1]
	}
	v.turn[i] = r
}

// Run fires the timers that are due until a moment, that moment included, in order; then it is that moment.
func (v *Virtual) Run(until int64) {
	for {
		limit, k := until, len(v.lanes)-1
		if k >= 0 {
			limit = min(limit, v.lanes[k].at)
		}
		if v.next < len(v.turn) || v.advance(limit) {
			r := v.turn[v.next]
			if r.at < limit || r.at == limit && (k < 0 || r.at < v.lanes[k].at || r.seq < v.lanes[k].seq) {
				v.fire(r)
				continue
			}
		}
		if k < 0 || v.lanes[k].at > until {
			break
		}
		v.fireLane()
	}
	v.now = max(v.now, until)
}

// fire fires the first timer of the slot whose turn it is.
func (v *Virtual) fire(r ref) {
	v.next++
	n := &v.nodes[r.n]
	h, arg := n.h, n.arg
	n.next = v.free
	v.free = r.n
	v.now = r.at
	h.Fire(r.at, arg)
}

// advance turns the wheel to the next slot that holds timers; false where none does that begins until a moment. None is left
// of the slot whose turn it was.
func (v *Virtual) advance(until int64) bool {
	s := v.due
	if s > until>>slotShift {
		return false
	}
	v.turn, v.next = v.turn[:0], 0
	v.slot = s
	k := s & (slots - 1)
	for i := v.head[k]; i >= 0; {
		n := &v.nodes[i]
		v.turn = append(v.turn, ref{n.at, n.seq, i})
		i = n.next
	}
	v.head[k] = -1
	if v.used[k>>6] &^= 1 << (k & 63); v.used[k>>6] == 0 {
		v.words[k>>12] &^= 1 << (k >> 6 & 63)
	}
	v.sort()
	for !v.far.empty() && v.far.first()>>slotShift < s+slots { // the wheel reaches further now
		t := v.far.pop()
		v.put(t.at, t.seq, t.h, t.arg)
	}
	v.due = v.following()
	if !v.far.empty() {
		v.due = min(v.due, v.far.first()>>slotShift)
	}
	return true
}

// sort orders the slot whose turn it is. Its timers come newest first, so that they are nearly in reverse.
func (v *Virtual) sort() {
	t := v.turn
	for i, j := 0, len(t)-1; i < j; i, j = i+1, j-1 {
		t[i], t[j] = t[j], t[i]
	}
	for i := 1; i < len(t); i++ {
		r := t[i]
		k := i
		for ; k > 0 && r.before(&t[k-1]); k-- {
			t[k] = t[k-1]
		}
		t[k] = r
	}
}

// following returns the number of the wheel's next slot that holds timers; noSlot if none does.
func (v *Virtual) following() int64 {
	from := (v.slot + 1) & (slots - 1)
	word := from >> 6
	if set := v.used[word] >> (from & 63); set != 0 {
		return v.slot + 1 + int64(bits.TrailingZeros64(set))
	}
	for i := range int64(len(v.words)) + 1 { // from the next word on, around, to those before from
		w := (word + 1 + i*64) & (slots/64 - 1)
		at, set := w>>6, v.words[w>>6]
		if i == 0 {
			set &^= 1<<(w&63) - 1
		}
		if set != 0 {
			w = at<<6 + int64(bits.TrailingZeros64(set))
			k := w<<6 + int64(bits.TrailingZeros64(v.used[w]))
			return v.slot + 1 + (k-from)&(slots-1)
		}
	}
	return noSlot
}

// Next returns the moment of the next timer; Forever if there is none.
func (v *Virtual) Next() int64 {
	at := Forever
	if k := len(v.lanes) - 1; k >= 0 {
		at = v.lanes[k].at
	}
	if v.next < len(v.turn) || v.advance(at) {
		at = min(at, v.turn[v.next].at)
	}
	return at
}

// OneGoroutine tells whether all handlers of a clock, and all that schedule them, run on one goroutine, so that what they
// share needs no lock.
func OneGoroutine(c Clock) bool {
	_, ok := c.(*Virtual)
	return ok
}

// At calls f at a moment, or now if it has passed.
func (v *Virtual) At(at int64, f func()) {
	v.Schedule(max(at, v.now), Func(func(int64, uint64) { f() }), 0)
}
