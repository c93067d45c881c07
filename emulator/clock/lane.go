package clock

// Lane schedules the timers of one handler whose times mostly do not go back, as those of packets in a queue do. Under a Virtual
// clock the lane, and not each of its timers, takes a place among what is due. Timers fire in the order in which Clock.Schedule
// would have fired them, whatever their times.
type Lane struct {
	c    Clock
	v    *Virtual // nil: each timer is the clock's own
	h    Handler
	ring []laneTimer // a power of two
	head uint        // the first
	n    uint        // how many wait
	last int64       // time of the newest
}

type laneTimer struct {
	at  int64
	seq uint64
	arg uint64
}

// laneHead is a lane's first timer, among the lanes of a clock.
type laneHead struct {
	at   int64
	seq  uint64
	lane *Lane
}

func (h *laneHead) before(o *laneHead) bool { return h.at < o.at || (h.at == o.at && h.seq < o.seq) }

const laneSize = 16 // timers that a lane has room for at first

// NewLane returns a lane of a clock for a handler.
func NewLane(c Clock, h Handler) *Lane {
	v, _ := c.(*Virtual)
	return &Lane{c: c, v: v, h: h, ring: make([]laneTimer, laneSize)}
}

// Schedule calls the handler as Clock.Schedule does.
func (l *Lane) Schedule(at int64, arg uint64) {
	v := l.v
	if v == nil || l.n > 0 && at < l.last {
		l.c.Schedule(at, l.h, arg)
		return
	}
	v.check(at)
	v.seq++
	if l.n == uint(len(l.ring)) {
		l.grow()
	}
	l.ring[(l.head+l.n)&uint(len(l.ring)-1)] = laneTimer{at, v.seq, arg}
	l.n++
	l.last = at
	if l.n == 1 {
		v.lanes = append(v.lanes, laneHead{})
		v.place(laneHead{at, v.seq, l}, len(v.lanes)-1)
	}
}

func (l *Lane) grow() {
	ring := make([]laneTimer, 2*len(l.ring))
	k := copy(ring, l.ring[l.head:])
	copy(ring[k:], l.ring[:l.head])
	l.ring, l.head = ring, 0
}

// place puts a head among those of the lanes, of which place i, at or after its own, is free. The next to fire is the last.
func (v *Virtual) place(h laneHead, i int) {
	for ; i > 0 && v.lanes[i-1].before(&h); i-- {
		v.lanes[i] = v.lanes[i-1]
	}
	v.lanes[i] = h
}

// fireLane fires the first timer of the lane that is next, which is the last of v.lanes.
func (v *Virtual) fireLane() {
	k := len(v.lanes) - 1
	l, at := v.lanes[k].lane, v.lanes[k].at
	mask := uint(len(l.ring) - 1)
	arg := l.ring[l.head&mask].arg
	l.head = (l.head + 1) & mask
	if l.n--; l.n > 0 {
		t := &l.ring[l.head]
		v.place(laneHead{t.at, t.seq, l}, k)
	} else {
		v.lanes = v.lanes[:k]
	}
	v.now = at
	l.h.Fire(at, arg)
}
