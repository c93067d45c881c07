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
	threshold int64 // bytes: what may be announced; what nobody has read comes off (rcv_ssthresh)
	clamp     int64 // bytes: what the buffer can hold
	said      int64 // bytes: what the last acknowledgement announced
	read      int64 // stream offset up to which the application has read
	space     int64 // bytes that the best round trip brought
	from      int64 // stream offset at which this round trip began
	since     int64 // ns: when
}

func newRecvWindow(now int64) recvWindow {
	return recvWindow{threshold: firstWindow, clamp: firstClamp, said: firstWindow, space: firstSpace, since: now}
}

// room is what the buffer has left beside what nobody has read yet.
func (e *endpoint) room() int64 { return max(e.win.clamp-(e.rnxt-e.win.read), 0) }

// window is what an acknowledgement would announce now: never less than the other end already has leave for (tcp_select_window).
func (e *endpoint) window() int64 {
	w := max(min(e.win.threshold, e.room()), e.win.said-(e.rnxt-e.ackedTo))
	return (w + 1<<windowScale - 1) >> windowScale << windowScale
}

// moves tells whether an acknowledgement would move the window's right edge. One that would not waits for the application to
// read (__tcp_ack_snd_check).
func (e *endpoint) moves() bool { return min(e.win.threshold, e.room())+1<<windowScale-1 >= e.win.said }

// opens tells whether a reader has made so much room that the other end must hear of it, data to acknowledge or not: twice what it
// has leave for, where that is at most half of what the buffer can hold (__tcp_cleanup_rbuf).
func (e *endpoint) opens() bool {
	left, w := e.win.said-(e.rnxt-e.ackedTo), min(e.win.threshold, e.room())
	return !e.finIn && 2*left <= e.win.clamp && w > 0 && w >= 2*left
}

// widen lets the window grow by a segment of n bytes.
func (e *endpoint) widen(n int) {
	w := &e.win
	if room := e.room() - w.threshold; room > 0 && n >= growLeast {
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
	if read := w.read - w.from; read > w.space {
		window := 2 * read
		window += 2 * (window * (read - w.space) / w.space)
		w.space = read
		w.clamp = max(w.clamp, min(window, mostWindow))
	}
	w.from, w.since = w.read, now
}
