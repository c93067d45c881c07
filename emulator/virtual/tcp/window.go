package tcp

import (
	"math/bits"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

// Linux's receive window (6.18: net/ipv4/tcp_input.c, tcp_output.c), which also rules acknowledgements: while it grows, each segment
// is acknowledged by itself. A buffer is counted in bytes of memory, a window in bytes of payload.
const (
	firstMost    = 65535 // bytes: whole segments up to it are announced at first (tcp_select_initial_window)
	firstRatio   = 128   // 256ths of the memory that are payload, until a segment of some size comes (TCP_DEFAULT_SCALING_RATIO)
	firstSegment = 10    // segments that a round trip must bring for the buffer to grow
	growLeast    = 128   // bytes of a segment that lets the window grow
)

// What a packet takes in the kernel's memory, bytes: its descriptor, its shared part and its headroom (include/linux/skbuff.h on
// 64 bits). A device's frames come by a TAP interface, into pieces of pages (tun_build_skb), and those that wait for the
// reader share a descriptor; a server's packets come by a TUN interface, each into a block of its own (kmalloc).
const (
	skbDescriptor = 256
	skbShared     = 320
	skbHeadroom   = 64
	skbFragments  = 17 // packets that share a descriptor, at most
)

// recvWindow is how much an end lets the other send ahead.
type recvWindow struct {
	buffer    int64 // bytes of memory that what is not read may take (sk_rcvbuf)
	memory    int64 // bytes of memory that it takes
	parked    int64 // bytes of memory that what lies beyond a gap takes
	pieces    int   // packets that it came in
	ratio     int64 // 256ths of memory that are payload (scaling_ratio)
	clamp     int64 // bytes: the most that may be announced (window_clamp)
	threshold int64 // bytes: what may be announced where there is room (rcv_ssthresh)
	said      int64 // bytes: what the last acknowledgement announced (rcv_wnd)
	read      int64 // stream offset up to which the application has read
	space     int64 // bytes that the best round trip brought (rcvq_space)
	from      int64 // stream offset at which this round trip began
	since     int64 // ns: when
	trip      roundTrip
}

// roundTrip is what a receiver knows of the round trip (rcv_rtt_est).
type roundTrip struct {
	rtt   int64  // ns; 0 = nothing yet
	echo  uint32 // the newest time stamp that was echoed
	end   int64  // stream offset at which a whole window will have come
	began int64  // ns: when it began to
	going bool
}

// newRecvWindow is an end's when its connection opens: a segment of the buffer is kept back (tcp_init_buffer_space).
func newRecvWindow(now int64, mss int, said int64) recvWindow {
	w := recvWindow{buffer: policy.ReceiveBufferFirst, ratio: firstRatio, said: said, space: int64(firstSegment * mss), since: now}
	w.clamp = w.fits(w.buffer) - int64(mss)
	w.threshold = min(said, w.clamp)
	return w
}

// firstWindow is what is announced at first: a SYN counts segments without options, what answers one with time stamps does not.
func (e *Conn) firstWindow(answers bool) int64 {
	mss := e.st.MSS
	if answers && e.ts {
		mss -= timestampSize
	}
	return int64(firstMost / mss * mss)
}

// fits is how much payload has room in memory.
func (w *recvWindow) fits(memory int64) int64 { return memory * w.ratio >> 8 }

// room is what the buffer has left beside what nobody has read yet.
func (e *Conn) room() int64 {
	return max(min(e.win.clamp, e.win.fits(e.win.buffer-e.win.memory-e.win.parked)), 0)
}

// window is what an acknowledgement would announce now: never less than the other end already has leave for (tcp_select_window).
func (e *Conn) window() int64 {
	w := max(min(e.win.threshold, e.room()), e.win.said-(e.rnxt-e.ackedTo))
	return (w + 1<<windowScale - 1) >> windowScale << windowScale
}

// moves tells whether an acknowledgement would move the window's right edge. One that would not waits for the application to
// read (__tcp_ack_snd_check).
func (e *Conn) moves() bool { return min(e.win.threshold, e.room())+1<<windowScale-1 >= e.win.said }

// opens tells whether a reader has made so much room that the other end must hear of it, data to acknowledge or not: twice what it
// has leave for, where that is at most half of what the buffer can hold (__tcp_cleanup_rbuf).
func (e *Conn) opens() bool {
	left, w := e.win.said-(e.rnxt-e.ackedTo), min(e.win.threshold, e.room())
	return !e.finIn && 2*left <= e.win.clamp && w > 0 && w >= 2*left
}

// truesize is the memory of a packet with n bytes of payload.
func (e *Conn) truesize(n int) int64 {
	size := packet.IPv4Size + packet.TCPSize + n
	if e.ts {
		size += timestampSize
	}
	if e.dir == packet.Up {
		return int64(skbDescriptor + skbShared + cacheLines(packet.EthernetHeader+size+skbHeadroom))
	}
	return int64(skbDescriptor + 1<<bits.Len(uint(cacheLines(size+skbHeadroom)+skbShared-1)))
}

// cacheLines rounds up to whole ones, of 64 bytes.
func cacheLines(n int) int { return (n + 63) &^ 63 }

// hold takes the memory of a segment of n bytes, until it is read.
func (e *Conn) hold(n int) {
	w := &e.win
	w.memory += e.truesize(n)
	if e.dir == packet.Up && w.pieces%skbFragments != 0 {
		w.memory -= skbDescriptor
	}
	w.pieces++
}

// release gives back the memory of what the application has read, which is all that has come in order.
func (w *recvWindow) release(to int64) { w.read, w.memory, w.pieces = to, 0, 0 }

// scale notes which part of the memory of a full segment, of n bytes, is payload (tcp_measure_rcv_mss).
func (e *Conn) scale(n int) {
	w := &e.win
	ratio := max(int64(n)<<8/e.truesize(n), 1)
	if ratio == w.ratio {
		return
	}
	w.ratio = ratio
	clamp := w.fits(w.buffer)
	if clamp < w.clamp {
		w.threshold = min(w.threshold, clamp)
	} else {
		w.threshold = max(w.threshold, min(w.said, clamp))
	}
	w.clamp = clamp
	w.space = min(w.space, clamp)
}

// widen lets the window grow by a segment of n bytes in order, unless it is small.
func (e *Conn) widen(n int) {
	if n >= growLeast {
		e.stretch(n)
	}
}

// stretch lets the window grow by a segment of n bytes, where the buffer has room (tcp_grow_window).
func (e *Conn) stretch(n int) {
	w := &e.win
	if room := e.room() - w.threshold; room > 0 {
		w.threshold += min(room, int64(2*max(n, e.rcvMSS)))
		e.quick |= 1
	}
}

// park takes the memory of a segment of n bytes beyond a gap, for which window and buffer grow as for one in order: what waits
// for the gap to close is no lack of a reader (tcp_data_queue_ofo). One that joins another shares its descriptor.
func (e *Conn) park(n int, joins bool) {
	w := &e.win
	if w.parked += e.truesize(n); joins && e.dir == packet.Up {
		w.parked -= skbDescriptor
	}
	e.stretch(n)
	e.expand(w.space)
}

// unpark moves memory to that of what waits for the reader: closed of all bytes beyond gaps lie in order now.
func (w *recvWindow) unpark(closed, all int64) {
	if all > 0 {
		moved := w.parked * closed / all
		w.parked -= moved
		w.memory += moved
	}
}

// adjust lets the buffer grow, once a round trip, to twice what the application read in it, less what still waits, and more where
// that rises (tcp_rcv_space_adjust, tcp_rcvbuf_grow). It is asked when the reader has taken a first piece of what is there.
func (e *Conn) adjust(now int64, piece int) {
	w := &e.win
	if w.trip.rtt == 0 || now-w.since < w.trip.rtt {
		return
	}
	piece = min(piece, e.rcvMSS*skbFragments)
	if e.dir == packet.Down {
		piece = min(piece, e.rcvMSS)
	}
	at := min(w.read+int64(piece), e.rnxt)
	if read := at - w.from - (e.rnxt - at); read > w.space {
		e.expand(read)
	}
	w.from, w.since = at, now
}

// expand makes the buffer large enough for a sender that has brought so many bytes in a round trip, where it was as many as space
// before, and for what lies beyond a gap (tcp_rcvbuf_grow).
func (e *Conn) expand(read int64) {
	w := &e.win
	window := 2 * read
	window += 2 * (window * (read - w.space) / w.space)
	w.space = read
	if n := len(e.parts); n > 0 {
		window += e.parts[n-1].to - e.rnxt
	}
	if buffer := min(window<<8/w.ratio, policy.ReceiveBufferMost); buffer > w.buffer {
		w.buffer, w.clamp = buffer, w.fits(buffer)
	}
}

// echoed measures a round trip by the time stamp of a full segment: how long ago this end sent what it echoes. An acknowledgement
// that has come before with the same echo spoils it (tcp_rcv_rtt_measure_ts).
func (e *Conn) echoed(s *Segment) {
	t := &e.win.trip
	if s.tsEcr == t.echo {
		return
	}
	t.echo = s.tsEcr
	if ms := int32(e.tsNow() - s.tsEcr); s.payload >= e.rcvMSS && ms > 0 {
		t.sample(int64(ms)*1e6, e.rnxt > e.win.read)
	}
}

// wholeWindow measures a round trip by how long a whole window takes to come (tcp_rcv_rtt_measure).
func (e *Conn) wholeWindow(now int64) {
	t := &e.win.trip
	if t.going {
		if e.rnxt < t.end {
			return
		}
		t.sample(max(now-t.began, 1e3), true)
	}
	t.going, t.end, t.began = true, e.rnxt+e.win.said, now
}

// sample takes a measurement: a smaller one counts at once, a larger one little, or not at all, as where the reader is behind.
func (t *roundTrip) sample(ns int64, least bool) {
	switch {
	case t.rtt == 0 || ns < t.rtt:
		t.rtt = ns
	case !least:
		t.rtt += (ns - t.rtt) / 8
	}
}
