package mix

import (
	"bytes"
	"encoding/binary"

	"glasshouse/emulator/packet"
)

// streams reassembles TCP connections as far as needed to find the ends of records and messages.
type streams struct {
	m map[flow]*connection
}

// flow names a direction of a connection: source address and port, destination address and port.
type flow [12]byte

type connection struct {
	kind Protocol // Plain until its first bytes are known, or if they are unknown
	seen bool     // its first bytes are known
	chat bool     // tshark classifies it as XMPP by its port and shows no TLS
	ends [2]half
}

// half is one direction.
type half struct {
	known bool
	next  uint32 // next sequence number
	held  []piece
	tls   records
	http  messages
}

// piece is a segment after a hole.
type piece struct {
	seq  uint32
	data []byte
}

const portXMPP = 5222

// mostHeld is the maximum number of bytes kept after a hole.
const mostHeld = 4096

func newStreams() *streams { return &streams{m: make(map[flow]*connection)} }

// segment processes a TCP segment and returns the protocol of its frame.
func (s *streams) segment(ip packet.IPv4, tcp packet.TCP) Protocol {
	var k flow
	copy(k[:], ip[12:16])
	copy(k[4:], tcp[:2])
	copy(k[6:], ip[16:20])
	copy(k[10:], tcp[2:4])
	seq, flags, data := tcp.SequenceNumber(), tcp.Flags(), tcp.Payload()
	c, dir := s.find(k, flags)
	h := &c.ends[dir]
	if flags&packet.FlagSYN != 0 {
		h.known, h.next = true, seq+1
		return Plain
	}
	if len(data) == 0 {
		return Plain
	}
	if !h.known {
		h.known, h.next = true, seq
	}
	if behind := int32(h.next - seq); behind > 0 { // retransmission or keepalive
		if int(behind) >= len(data) {
			return Plain
		}
		data = data[behind:]
		seq = h.next
	}
	if seq != h.next {
		if len(h.held) < mostHeld {
			h.held = append(h.held, piece{seq, bytes.Clone(data)})
		}
		if c.kind == TLS && int32(seq-h.next) >= int32(h.tls.left) && !h.tls.dead && !isRecord(data) {
			return TLS // beyond the incomplete record, tshark dissects the segment on its own, as "continuation data"
		}
		return Plain
	}
	shown := c.take(h, dir, data)
	for progress := true; progress; {
		progress = false
		for i, p := range h.held {
			if behind := int32(h.next - p.seq); behind >= 0 {
				if int(behind) < len(p.data) {
					shown = max(shown, c.take(h, dir, p.data[behind:]))
				}
				h.held = append(h.held[:i], h.held[i+1:]...)
				progress = true
				break
			}
		}
	}
	return shown
}

// find returns the connection and the direction; 0 is the side seen first, the client. A SYN without ACK starts a new connection.
func (s *streams) find(k flow, flags byte) (*connection, int) {
	var back flow
	copy(back[:], k[6:])
	copy(back[6:], k[:6])
	fresh := flags&(packet.FlagSYN|packet.FlagACK) == packet.FlagSYN
	if c := s.m[k]; c != nil && (!fresh || !c.seen) {
		return c, 0
	}
	if c := s.m[back]; c != nil && !fresh {
		return c, 1
	}
	c := &connection{chat: binary.BigEndian.Uint16(k[4:]) == portXMPP || binary.BigEndian.Uint16(k[10:]) == portXMPP}
	delete(s.m, back)
	s.m[k] = c
	return c, 0
}

// take processes the next bytes in sequence.
func (c *connection) take(h *half, dir int, data []byte) Protocol {
	h.next += uint32(len(data))
	if !c.seen {
		c.seen = true
		if !c.chat {
			c.kind = kindOf(data)
		}
	}
	switch c.kind {
	case TLS:
		if h.tls.take(data) {
			return TLS
		}
	case HTTP:
		if h.http.take(data, dir == 0) {
			return HTTP
		}
	case Plain, DNS:
	}
	return Plain
}

// kindOf returns a connection's protocol by its first bytes: a TLS handshake record (RFC 8446, section 5.1), or an HTTP request.
func kindOf(b []byte) Protocol {
	if len(b) >= 3 && b[0] == 22 && b[1] == 3 && b[2] <= 4 {
		return TLS
	}
	for _, method := range []string{"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "DELETE "} {
		if bytes.HasPrefix(b, []byte(method)) {
			return HTTP
		}
	}
	return Plain
}
