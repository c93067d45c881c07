package clock

// timer is one pending call; seq makes the order of equal moments total.
type timer struct {
	at  int64
	seq uint64
	h   Handler
	arg uint64
}

func (t *timer) before(o *timer) bool { return t.at < o.at || (t.at == o.at && t.seq < o.seq) }

// timerHeap is a 4-ary heap by (at, seq).
type timerHeap struct{ s []timer }

func (h *timerHeap) empty() bool { return len(h.s) == 0 }
func (h *timerHeap) min() *timer { return &h.s[0] }

func (h *timerHeap) push(t timer) {
	h.s = append(h.s, t)
	i := len(h.s) - 1
	for i > 0 {
		p := (i - 1) / 4
		if !h.s[i].before(&h.s[p]) {
			break
		}
		h.s[i], h.s[p] = h.s[p], h.s[i]
		i = p
	}
}

func (h *timerHeap) pop() timer {
	top := h.s[0]
	n := len(h.s) - 1
	h.s[0] = h.s[n]
	h.s[n] = timer{}
	h.s = h.s[:n]
	i := 0
	for {
		least := i
		for c := 4*i + 1; c <= 4*i+4 && c < n; c++ {
			if h.s[c].before(&h.s[least]) {
				least = c
			}
		}
		if least == i {
			return top
		}
		h.s[i], h.s[least] = h.s[least], h.s[i]
		i = least
	}
}
