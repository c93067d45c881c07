package virtual_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
)

// warnings are those of tshark's that say nothing against a capture. The others, and every error, fail the test.
var warnings = []string{
	"Connection reset (RST)", "Previous segment(s) not captured (common at capture start)", "This frame is a (suspected) out-of-order segment",
	"Failed to create decryption context", // QUIC beyond its Initials
	"DNS query retransmission",            // a resolver that had no answer asks again
}

const (
	severityWarn  = 6291456 // tshark's PI_WARN
	severityError = 8388608
)

// half is one direction of a TCP connection, in the order of the tap.
type half struct {
	top   int64      // the next sequence number that was not seen
	holes [][2]int64 // below it, and not seen
	open  bool
}

// segment notes bytes from seq to next, and tells whether any of them lie below the top.
func (h *half) segment(seq, next int64) (below, gap bool) {
	if !h.open {
		h.open, h.top = true, seq
	}
	if seq > h.top {
		h.holes, gap = append(h.holes, [2]int64{h.top, seq}), true
	}
	below = seq < h.top
	var left [][2]int64
	for _, hole := range h.holes {
		if before := [2]int64{hole[0], min(hole[1], seq)}; before[0] < before[1] {
			left = append(left, before)
		}
		if after := [2]int64{max(hole[0], next), hole[1]}; after[0] < after[1] {
			left = append(left, after)
		}
	}
	h.holes, h.top = left, max(h.top, next)
	return below, gap
}

// witness compares what tshark says of one capture with truth.
type witness struct {
	t       *testing.T
	file    string
	truth   func(frame int64) *dataset.Row // nil where a frame has no row
	halves  map[[2]int64]*half             // by stream and source port
	over    map[int64]bool                 // streams that were reset
	trouble map[int64]bool                 // streams that lost something, or sent it again, in truth
	doubts  map[int64]int64                // streams with duplicate acknowledgements, and the first frame of these
	seen    map[string]int
	told    int
	sealed  bool // a row shows the tunnel's bytes, not the frame's
}

func newWitness(t *testing.T, file string, truth func(int64) *dataset.Row) *witness {
	t.Helper()
	return &witness{
		t: t, file: file, truth: truth, halves: make(map[[2]int64]*half), over: make(map[int64]bool), trouble: make(map[int64]bool),
		doubts: make(map[int64]int64), seen: make(map[string]int),
	}
}

func (w *witness) fault(d dissected, what string) {
	if w.told++; w.told <= 20 {
		w.t.Errorf("%s: frame %s %s; truth %+v; %q", w.file, d[0], what, w.truth(d.number("frame.number")), []string(d))
	}
}

// Frame judges one frame.
func (w *witness) Frame(d dissected) {
	w.seen["frames"]++
	protocols := strings.Split(d.get("frame.protocols"), ":")
	for _, p := range slices.Compact(slices.Sorted(slices.Values(protocols))) {
		w.seen[p]++
	}
	if slices.Contains(protocols, "_ws.malformed") {
		w.fault(d, "is malformed")
	}
	for _, sum := range dissectFields[4:10] {
		if slices.Contains(strings.Split(d.get(sum), "|"), "0") {
			w.fault(d, "has a wrong checksum: "+sum)
		}
	}
	messages := strings.Split(d.get("_ws.expert.message"), "|")
	for i, s := range strings.Split(d.get("_ws.expert.severity"), "|") {
		n, _ := strconv.Atoi(s)
		if n >= severityError || n == severityWarn && !slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(messages[i], w) }) {
			w.fault(d, "has something against it: "+messages[i])
		}
	}
	if d.is("tcp.stream") && !slices.Contains(protocols, "icmp") {
		w.segment(d)
	}
	w.application(d, protocols)
}

// sentAgain tells what truth says: a SYN or a FIN keeps its role when it is sent again, and so does what opens a connection anew.
func sentAgain(r *dataset.Row, flags int64) bool {
	return r.Role == "retransmission" || r.Role == "reconnect" || flags&3 != 0
}

// segment holds tshark's analysis of TCP, and what the sequence numbers say themselves, against truth.
func (w *witness) segment(d dissected) {
	stream, row := d.number("tcp.stream"), w.truth(d.number("frame.number"))
	key := [2]int64{stream, d.number("tcp.srcport")}
	h := w.halves[key]
	if h == nil {
		h = new(half)
		w.halves[key] = h
	}
	flags := d.number("tcp.flags")
	if flags&4 != 0 {
		w.over[stream] = true
	}
	if d.is("tcp.analysis.ack_lost_segment") {
		w.fault(d, "acknowledges what was not seen")
	}
	if d.is("tcp.analysis.duplicate_ack") && w.doubts[stream] == 0 {
		w.doubts[stream] = d.number("frame.number")
	}
	below, gap, length := false, false, d.number("tcp.len")
	probe := row != nil && row.Role == "keepalive" // begins one byte early on purpose
	if seq := d.number("tcp.seq"); flags&4 == 0 && !probe {
		below, gap = h.segment(seq, max(seq, d.number("tcp.nxtseq"))) // an acknowledgement's number shows a gap too
		below = below && (length > 0 || flags&3 != 0)
	}
	if gap != d.is("tcp.analysis.lost_segment") && flags&7 == 0 {
		w.fault(d, "comes after a gap, to tshark or by its number, but not to both")
	}
	if gap {
		w.seen["gaps"]++
		w.trouble[stream] = true
	}
	if row == nil {
		return
	}
	if row.Lost || row.Role == "retransmission" || below { // a FIN that is sent again keeps its role
		w.trouble[stream] = true
	}
	switch again := sentAgain(row, flags); {
	case (below || d.again()) && !again:
		w.fault(d, "is sent again, and truth does not know")
	case row.Role == "retransmission" && length > 0 && below != d.again():
		w.fault(d, "is sent again in truth, and not to tshark")
	case row.Role == "retransmission" && below:
		w.seen["retransmissions"]++
	case row.Role == "retransmission":
		w.seen["first seen when sent again"]++ // the first was lost before the tap, at a burst's end
	}
}

// application holds protocols against their own rules: answers belong to questions, Initials open.
func (w *witness) application(d dissected, protocols []string) {
	count := func(field, name string) {
		for v := range strings.SplitSeq(d.get(field), "|") {
			if v != "" {
				w.seen[name+" "+v]++
			}
		}
	}
	count("tls.handshake.type", "handshake")
	count("tls.handshake.extensions_alpn_str", "alpn")
	count("dns.flags.response", "dns response")
	count("ntp.flags.mode", "ntp mode")
	count("http.request.method", "http")
	count("mqtt.msgtype", "mqtt")
	if d.get("dns.flags.response") == "1" && (!d.is("dns.response_to") || d.get("dns.flags.rcode") != "0") {
		w.fault(d, "answers no question of DNS's, or with an error")
	}
	if slices.Contains(strings.Split(d.get("quic.long.packet_type"), "|"), "0") {
		w.seen["quic initial"]++
		if !d.is("quic.frame_type") {
			w.fault(d, "is an Initial that does not open")
		}
	}
	if row := w.truth(d.number("frame.number")); row != nil && !w.sealed {
		for _, p := range []string{dataset.AppDNS, dataset.AppNTP} { // of a datagram, its own bytes say all
			if slices.Contains(protocols, p) != (row.AppProto == p) && !slices.Contains(protocols, "icmp") {
				w.fault(d, "is "+p+" to tshark or in its row, but not to both")
			}
		}
	}
}

// end tells what is left over: bytes that never came although their connection lived on, acknowledgements sent twice without a cause.
func (w *witness) end() {
	for key, h := range w.halves {
		if len(h.holes) > 0 && !w.over[key[0]] {
			w.t.Errorf("%s: stream %d, port %d: bytes %v never came", w.file, key[0], key[1], h.holes)
		}
	}
	for stream, frame := range w.doubts {
		if !w.trouble[stream] {
			w.t.Errorf("%s: frame %d acknowledges twice, and nothing was lost in stream %d", w.file, frame, stream)
		}
	}
}

func (w *witness) want(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if w.seen[name] == 0 {
			w.t.Errorf("%s: no %s is recognised", w.file, name)
		}
	}
}
