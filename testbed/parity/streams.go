package parity

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"slices"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// carried is what the truth says of the bytes in a LAN frame.
type carried struct {
	event int64
	unit  string
	dir   int8
	data  bool // application data: neither handshake nor reconnect nor close
}

// flows reads what each event of a home said from the LAN's capture, where a tunnel hides nothing. Streams are put together
// again, so that losses and retransmissions leave no mark; within TLS, a message is a record's content.
func (h *homeRun) flows() (map[flowID]*spoken, error) {
	by := make(map[int64]carried)
	for i := range h.rows {
		r := &h.rows[i]
		if r.LANFrame == 0 || r.Event == packet.EventNone {
			continue
		}
		role := r.Role == packet.RoleData.String() || r.Role == packet.RoleRetransmission.String()
		by[r.LANFrame] = carried{event: r.Event, unit: r.Unit, dir: r.Dir, data: role}
	}
	c, err := pcapng.Open(filepath.Join(h.d.HomePath(h.home), dataset.FileLAN))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	l := &listener{parts: make(map[flowPart]*spoken), conns: make(map[connID]*conn)}
	for n := int64(1); ; n++ {
		f, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if x, ok := by[n]; ok {
			l.Frame(f.Data, x)
		}
	}
	for _, c := range l.conns {
		for side := range c.halves {
			l.flush(c, side)
		}
	}
	return l.join(), nil
}

// connID names a connection by the addresses that the LAN sees.
type connID struct{ device, remote netip.AddrPort }

// conn is a TCP connection that is being read.
type conn struct {
	id     connID
	tls    bool
	begun  bool // the first byte of the stream was seen: it tells whether this is TLS
	crypt  int  // bytes that a record of application data is longer than its content
	agreed bool // in TLS 1.3: the client's Finished was seen; what was encrypted before is handshake
	halves [2]half
}

// half is one direction of a connection.
type half struct {
	synced  bool
	next    uint32
	waiting []piece // beyond a gap
	buf     []byte  // of TLS: the record that is not whole yet
	owner   carried // of its first byte
	plain   int     // of other streams: bytes of the message that is not over yet
}

type piece struct {
	seq  uint32
	data []byte
	x    carried
}

// listener puts streams together and notes what they say.
type listener struct {
	parts map[flowPart]*spoken
	conns map[connID]*conn
}

// flowPart is the part of a flow that one of the device's ports carries.
type flowPart struct {
	flowID
	device netip.AddrPort
}

func (l *listener) note(id connID, x carried, app, wire int, datagram bool) {
	if !x.data {
		return
	}
	p := flowPart{flowID{event: x.event, unit: x.unit, remote: id.remote, dir: x.dir, datagram: datagram}, id.device}
	if l.parts[p] == nil {
		l.parts[p] = &spoken{}
	}
	l.parts[p].say(app, wire)
}

// join puts the parts of each flow one after the other. Their order is that of the messages' sizes: which of an event's
// connections to one remote end comes first is the network's.
func (l *listener) join() map[flowID]*spoken {
	parts := make(map[flowID][]*spoken)
	for p, s := range l.parts {
		parts[p.flowID] = append(parts[p.flowID], s)
	}
	flows := make(map[flowID]*spoken, len(parts))
	for id, list := range parts {
		slices.SortFunc(list, func(a, b *spoken) int { return slices.Compare(a.sizes, b.sizes) })
		all := list[0]
		for _, s := range list[1:] {
			all.sizes = append(all.sizes, s.sizes...)
			all.app, all.wire = all.app+s.app, all.wire+s.wire
		}
		flows[id] = all
	}
	return flows
}

// Frame takes an Ethernet frame of IPv4. Fragments are left out: no service of ours sends any.
func (l *listener) Frame(b []byte, x carried) {
	ip, ok := packet.IPv4Of(b)
	if !ok || !ip.Complete() || ip.Fragment() {
		return
	}
	u, ok := packet.ParseUDP(ip.Payload())
	if !ok {
		return
	}
	src := netip.AddrPortFrom(ip.SourceAddr(), u.SourcePort()) // TCP's ports lie in the same places
	dst := netip.AddrPortFrom(ip.DestinationAddr(), u.DestinationPort())
	id, side := connID{src, dst}, 0
	if x.dir == packet.Down {
		id, side = connID{dst, src}, 1
	}
	switch ip.Protocol() {
	case packet.ProtoUDP:
		l.note(id, x, len(u.Payload()), len(u.Payload()), true)
	case packet.ProtoTCP:
		if t, ok := packet.ParseTCP(ip.Payload()); ok {
			l.segment(id, side, t, x)
		}
	}
}

func (l *listener) segment(id connID, side int, t packet.TCP, x carried) {
	seq, syn, data := t.SequenceNumber(), t.Flags()&packet.FlagSYN != 0, t.Payload()
	c := l.conns[id]
	if c == nil {
		c = &conn{id: id}
		l.conns[id] = c
	}
	if syn && side == 0 && (!c.halves[0].synced || c.halves[0].next != seq+1) { // the port is used anew
		for s := range c.halves {
			l.flush(c, s)
		}
		*c = conn{id: id}
	}
	h := &c.halves[side]
	if syn {
		h.synced, h.next = true, seq+1
		return
	}
	if !h.synced || len(data) == 0 {
		return
	}
	h.waiting = append(h.waiting, piece{seq, slices.Clone(data), x})
	for again := true; again; {
		again = false
		for i, p := range h.waiting {
			old := int32(h.next - p.seq)
			if old < 0 {
				continue
			}
			h.waiting = slices.Delete(h.waiting, i, i+1)
			if int(old) < len(p.data) {
				h.next = p.seq + uint32(len(p.data))
				l.bytes(c, side, p.data[old:], p.x)
			}
			again = true
			break
		}
	}
}

// bytes takes the next bytes of a stream.
func (l *listener) bytes(c *conn, side int, b []byte, x carried) {
	if !c.begun {
		c.begun, c.tls = true, b[0] == recordHandshake
	}
	h := &c.halves[side]
	if !c.tls {
		l.flush(c, 1-side) // whoever answers has heard the message out
		if h.plain > 0 && h.owner != x {
			l.flush(c, side)
		}
		h.owner = x
		h.plain += len(b)
		return
	}
	if len(h.buf) == 0 {
		h.owner = x
	}
	h.buf = append(h.buf, b...)
	for len(h.buf) >= recordHeader {
		n := recordHeader + int(binary.BigEndian.Uint16(h.buf[3:]))
		if len(h.buf) < n {
			return
		}
		l.record(c, side, h.buf[:n], h.owner)
		h.buf = h.buf[n:]
		h.owner = x
	}
}

// flush ends the message of a stream without records.
func (l *listener) flush(c *conn, side int) {
	h := &c.halves[side]
	if h.plain > 0 {
		l.note(c.id, h.owner, h.plain, h.plain, false)
	}
	h.plain = 0
}

// TLS records (RFC 5246, section 6.2; RFC 8446, section 5) and the hello that chooses the version.
const (
	recordHeader      = 5
	recordHandshake   = 22
	recordApplication = 23
	serverHello       = 2
	aeadTag           = 16
	explicitNonce     = 8 // of GCM in TLS 1.2 (RFC 5288, section 3)
	innerType         = 1 // in TLS 1.3
)

func (l *listener) record(c *conn, side int, b []byte, x carried) {
	switch b[0] {
	case recordHandshake:
		if body := b[recordHeader:]; side == 1 && len(body) > 0 && body[0] == serverHello {
			c.crypt = cryptOf(body)
		}
	case recordApplication:
		if c.crypt == aeadTag+innerType && !c.agreed {
			c.agreed = side == 0
			return
		}
		l.note(c.id, x, len(b)-recordHeader-c.crypt, len(b), false)
	}
}

// cryptOf reads from a ServerHello by how many bytes a record is longer than its content: tag and content type in TLS 1.3,
// tag and explicit nonce for GCM in TLS 1.2, tag alone for ChaCha20 there (RFC 7905).
func cryptOf(hello []byte) int {
	const fixed = 4 + 2 + 32 // handshake header, version, random
	if len(hello) < fixed+1 {
		return 0
	}
	p := hello[fixed:]
	if p = p[min(1+int(p[0]), len(p)):]; len(p) < 3 { // past the session's id
		return 0
	}
	suite := binary.BigEndian.Uint16(p)
	switch {
	case suite>>8 == 0x13: // TLS 1.3's own suites
		return aeadTag + innerType
	case suite == 0xcca8 || suite == 0xcca9 || suite == 0xccaa:
		return aeadTag
	}
	return aeadTag + explicitNonce
}
