package truth

import (
	"sync"

	"glasshouse/emulator/packet"
)

// maxSpans bounds the memory of a flow that lives for days: older spans than this many messages are forgotten, far
// beyond what TCP can still retransmit.
const maxSpans = 8192

// span says that the bytes up to end (exclusive, counted from the first byte of the stream) carry one tag.
type span struct {
	end int64
	tag packet.Tag
}

// half is one direction of a flow.
type half struct {
	isn     uint32 // sequence number of the SYN
	synced  bool   // isn is known
	written int64  // stream bytes announced by the sending end
	next    int64  // one past the highest stream byte seen on the wire
	spans   []span
	last    packet.Tag // newest tag announced

	datagrams map[uint64][]packet.Tag // announced UDP payloads not yet seen, by hash
	order     []uint64                // their hashes in order of announcement, to bound the map
}

// Flow is one transport conversation between a device and a remote end, in the LAN's view of addresses. Both ends
// announce what they send before they send it; packets are looked up against that. Safe for concurrent use.
type Flow struct {
	key   Key
	unit  int32
	plain bool // the remote end is a plain server that announces nothing

	mu          sync.Mutex
	open        packet.Tag // the tag of what opened the flow
	up, down    half
	established bool  // the third segment of the handshake was seen
	closedAt    int64 // ns; 0 while open
}

// Key returns the flow's addresses as the LAN sees them.
func (f *Flow) Key() Key { return f.key }

// Unit returns the device that owns the flow.
func (f *Flow) Unit() int32 { return f.unit }

func (f *Flow) half(dir int8) (own, other *half) {
	if dir == packet.Up {
		return &f.up, &f.down
	}
	return &f.down, &f.up
}

// Stream announces n bytes of the stream in direction dir. It is called before the bytes are written.
func (f *Flow) Stream(dir int8, n int, tag packet.Tag) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, _ := f.half(dir)
	h.written += int64(n)
	h.last = tag
	if k := len(h.spans); k > 0 && h.spans[k-1].tag == tag {
		h.spans[k-1].end = h.written
		return
	}
	if len(h.spans) >= maxSpans {
		h.spans = append(h.spans[:0], h.spans[maxSpans/2:]...)
	}
	h.spans = append(h.spans, span{end: h.written, tag: tag})
}

// maxDatagrams bounds the announced datagrams that were never seen on the wire.
const maxDatagrams = 4096

// Datagram announces one UDP payload in direction dir. It is called before the datagram is sent.
func (f *Flow) Datagram(dir int8, payload []byte, tag packet.Tag) {
	sum := hash(payload)
	f.mu.Lock()
	defer f.mu.Unlock()
	h, _ := f.half(dir)
	h.last = tag
	if h.datagrams == nil {
		h.datagrams = make(map[uint64][]packet.Tag)
	}
	if len(h.order) >= maxDatagrams {
		for _, old := range h.order[:maxDatagrams/2] {
			delete(h.datagrams, old)
		}
		h.order = append(h.order[:0], h.order[maxDatagrams/2:]...)
	}
	h.datagrams[sum] = append(h.datagrams[sum], tag)
	h.order = append(h.order, sum)
}

// tagAt returns the tag of the stream byte at offset off, or the opening's tag before the first byte.
func (h *half) tagAt(off int64, open packet.Tag) packet.Tag {
	if off < 0 || len(h.spans) == 0 {
		return open
	}
	lo, hi := 0, len(h.spans)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if h.spans[mid].end > off {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return h.spans[lo].tag
}

// offset turns a sequence number into a stream offset, unwrapped around the newest byte seen.
func (h *half) offset(seq uint32) int64 {
	return h.next + int64(int32(seq-(h.isn+1+uint32(h.next))))
}

// tcp attributes one segment. f.mu is held.
func (f *Flow) tcp(dir int8, seg packet.TCP) (packet.Tag, bool) {
	own, _ := f.half(dir)
	flags := seg.Flags()
	if flags&packet.FlagSYN != 0 {
		own.isn, own.synced = seg.SequenceNumber(), true
		return f.open.As(packet.RoleTCPHandshake), true
	}
	if flags&packet.FlagRST != 0 {
		return own.newest(f.open).As(packet.RoleClose), true
	}
	if !own.synced {
		return packet.Tag{}, false
	}
	off := own.offset(seg.SequenceNumber())
	if payload := len(seg.Payload()); payload > 0 {
		return f.segment(own, off, payload)
	}
	if flags&packet.FlagFIN != 0 {
		return own.newest(f.open).As(packet.RoleClose), true
	}
	return f.pureAck(dir, off, seg)
}

func (f *Flow) segment(own *half, off int64, payload int) (packet.Tag, bool) {
	tag := own.tagAt(off, f.open)
	end := off + int64(payload)
	switch {
	case payload == 1 && off == own.next-1:
		return tag.As(packet.RoleKeepalive), true
	case off < own.next:
		tag.Role = packet.RoleRetransmission
	}
	if end > own.written {
		return packet.Tag{}, false // bytes that the sending end never announced
	}
	if end > own.next {
		own.next = end
	}
	return tag, true
}

func (f *Flow) pureAck(dir int8, off int64, seg packet.TCP) (packet.Tag, bool) {
	own, other := f.half(dir)
	if seg.Flags()&packet.FlagACK == 0 || !other.synced {
		return own.newest(f.open).As(packet.RoleAck), true
	}
	acked := other.offset(seg.AcknowledgmentNumber())
	switch {
	case dir == packet.Up && !f.established && off == 0 && acked == 0:
		f.established = true
		return f.open.As(packet.RoleTCPHandshake), true
	case off == own.next-1 || (own.next == 0 && off == -1):
		return other.tagAt(acked-1, f.open).As(packet.RoleKeepalive), true
	case acked > other.written: // it acknowledges the FIN
		return other.newest(f.open).As(packet.RoleClose), true
	}
	return other.tagAt(acked-1, f.open).As(packet.RoleAck), true
}

// udp attributes one datagram by its bytes. f.mu is held.
func (f *Flow) udp(dir int8, payload []byte) (packet.Tag, bool) {
	own, other := f.half(dir)
	sum := hash(payload)
	if tags := own.datagrams[sum]; len(tags) > 0 {
		tag := tags[0]
		if len(tags) == 1 {
			delete(own.datagrams, sum)
		} else {
			own.datagrams[sum] = tags[1:]
		}
		return tag, true
	}
	if f.plain && dir == packet.Down {
		return other.newest(f.open), true // an answer to what the device asked last
	}
	return packet.Tag{}, false
}

func (h *half) newest(open packet.Tag) packet.Tag {
	if h.written == 0 && h.order == nil {
		return open
	}
	return h.last
}

// Opening returns the tag of what opened the flow.
func (f *Flow) Opening() packet.Tag { return f.open }
