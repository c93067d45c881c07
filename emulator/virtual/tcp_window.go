package virtual

// Linux's receive window (net/ipv4/tcp_input.c: tcp_grow_window, tcp_rcv_space_adjust), which also rules acknowledgements: while
// it grows, each segment is acknowledged by itself.
const (
	firstWindow = 64240     // bytes: 44 segments, what Linux announces at first
	firstClamp  = 86016     // bytes: 168/256 of a buffer of 131072, as the live world's kernel announces before the buffer grows
	mostWindow  = 3 << 20   // bytes: half of the buffer's limit
	firstSpace  = 10 * 1460 // bytes that a round trip must bring for the buffer to grow
	growLeast   = 128       // bytes of a segment that lets the window grow
)

// recvWindow is how much an end lets the other send ahead.
type recvWindow struct {
	threshold int64 // bytes: what is announced
	clamp     int64 // bytes: what the buffer can hold
	space     int64 // bytes that the best round trip brought
	from      int64 // stream offset at which this round trip began
	since     int64 // ns: when
}

func newRecvWindow(now int64) recvWindow {
	return recvWindow{threshold: firstWindow, clamp: firstClamp, space: firstSpace, since: now}
}

// widen lets the window grow by a segment of n bytes.
func (e *endpoint) widen(n int) {
	w := &e.win
	if room := w.clamp - w.threshold; room > 0 && n >= growLeast {
		w.threshold += min(room, int64(2*max(n, e.rcvMSS)))
		e.quick |= 1
	}
}

// adjust lets the buffer grow, once a round trip, to twice what the application read in it, and more where that rises
// (tcp_rcvbuf_grow of Linux 6.18).
func (e *endpoint) adjust(now int64) {
	w := &e.win
	if e.srtt == 0 || now-w.since < e.srtt {
		return
	}
	if read := e.rnxt - w.from; read > w.space {
		window := 2 * read
		window += 2 * (window * (read - w.space) / w.space)
		w.space = read
		w.clamp = max(w.clamp, min(window, mostWindow))
	}
	w.from, w.since = e.rnxt, now
}
