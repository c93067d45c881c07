package clock

// timer is one pending call.
type timer struct {
	at  int64
	seq uint64
	h   Handler
	arg uint64
}

// timerHeap is a 4-ary heap by time, then by the timers' numbers, which their clock gives them. Its nodes are small and hold no pointers: what a timer
// calls lies in a slot beside it.
type timerHeap struct {
	nodes []timerNode
	slots []timerSlot
	free  []uint32
}

// timerNode orders by at, then by key: the timer's number above its slot's.
type timerNode struct {
	at  int64
	key uint64
}

type timerSlot struct {
	h   Handler
	arg uint64
}

// slotBits leaves room for 16 million timers at once, and 10^12 in all.
const slotBits = 24

func (n timerNode) before(o timerNode) bool { return n.at < o.at || (n.at == o.at && n.key < o.key) }

func (h *timerHeap) empty() bool { return len(h.nodes) == 0 }

// first is the moment of the first timer; there must be one.
func (h *timerHeap) first() int64 { return h.nodes[0].at }

func (h *timerHeap) push(at int64, seq uint64, handler Handler, arg uint64) {
	slot := uint32(len(h.slots))
	if k := len(h.free); k > 0 {
		slot = h.free[k-1]
		h.free = h.free[:k-1]
		h.slots[slot] = timerSlot{handler, arg}
	} else {
		if slot >= 1<<slotBits {
			panic("too many timers at once")
		}
		h.slots = append(h.slots, timerSlot{handler, arg})
	}
	n := timerNode{at: at, key: seq<<slotBits | uint64(slot)}
	i := len(h.nodes)
	h.nodes = append(h.nodes, n)
	for i > 0 {
		p := (i - 1) / 4
		if !n.before(h.nodes[p]) {
			break
		}
		h.nodes[i] = h.nodes[p]
		i = p
	}
	h.nodes[i] = n
}

func (h *timerHeap) pop() timer {
	top := h.nodes[0]
	last := len(h.nodes) - 1
	n := h.nodes[last]
	h.nodes = h.nodes[:last]
	if last > 0 {
		h.sink(n)
	}
	slot := uint32(top.key & (1<<slotBits - 1))
	s := &h.slots[slot]
	t := timer{at: top.at, seq: top.key >> slotBits, h: s.h, arg: s.arg}
	h.free = append(h.free, slot) // the handler stays until the slot is used again: it is alive for longer anyway
	return t
}

// sink puts n in the place of the first node, which is gone.
func (h *timerHeap) sink(n timerNode) {
	nodes, i := h.nodes, 0
	for {
		c := 4*i + 1
		if c >= len(nodes) {
			break
		}
		least := c
		if c+4 <= len(nodes) {
			q := nodes[c : c+4 : c+4]
			if q[1].before(q[0]) {
				least = c + 1
			}
			k := 2
			if q[3].before(q[2]) {
				k = 3
			}
			if q[k].before(nodes[least]) {
				least = c + k
			}
		} else {
			for k := c + 1; k < len(nodes); k++ {
				if nodes[k].before(nodes[least]) {
					least = k
				}
			}
		}
		if !nodes[least].before(n) {
			break
		}
		nodes[i] = nodes[least]
		i = least
	}
	nodes[i] = n
}
