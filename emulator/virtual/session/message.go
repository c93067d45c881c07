package session

import (
	"math/rand/v2"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/tcp"
	"glasshouse/emulator/wire"
	"glasshouse/emulator/wire/secure"
)

// plainWrite is the largest write of a program that sends without TLS: the live world's.
const plainWrite = 1 << 16

// wireSize is what a message takes on the stream, bytes.
func (s *Session) wireSize(m *script.Message) int64 {
	if s.cfg.Service.Transport == profile.TransportHTTP {
		if m.Dir == packet.Up {
			return int64(len(s.request(m)))
		}
		head, body := wire.AppendHTTPResponse(nil, m.Size)
		return int64(len(head) + body)
	}
	if s.version == 0 {
		return int64(m.Size)
	}
	return s.recordsSize(m.Size)
}

// send writes a message as its transport has it.
func (d *side) send(m *script.Message, t packet.Tag) {
	switch {
	case d.mqtt != nil:
		d.sendMQTT(m.Size, t)
	case d.s.cfg.Service.Transport == profile.TransportHTTP && m.Dir == packet.Up:
		b := d.s.request(m)
		d.e.Write(len(b), t, b)
	case d.s.cfg.Service.Transport == profile.TransportHTTP:
		head, body := wire.AppendHTTPResponse(nil, m.Size)
		d.plain(len(head)+body, t, head)
	case d.s.version == 0:
		d.plain(m.Size, t, nil)
	default:
		for rest := m.Size; rest > 0; rest -= secure.MaxPlaintext {
			d.sendRecord(min(rest, secure.MaxPlaintext), t)
		}
	}
}

// plain writes n bytes that begin with head.
func (d *side) plain(n int, t packet.Tag, head []byte) {
	for ; n > 0; n -= plainWrite {
		d.e.Write(min(n, plainWrite), t, head)
		head = nil
	}
}

// sendMQTT writes the packets of a message at once. What tells what they are is spelled out, payloads are noise.
func (d *side) sendMQTT(size int, t packet.Tag) {
	e := d.e
	if e.Closed() {
		return
	}
	var b [tcp.ChunkHead]byte
	for rest := size; rest > 0; {
		head, n := d.mqtt.AppendPacketHead(b[:0], d.s.cfg.Draws, size, rest)
		e.Queue(n, t).Spell(head)
		rest -= n
	}
	e.Flush()
}

// sendRecord writes one record of application data: its header is spelled out, the rest is noise.
func (d *side) sendRecord(n int, t packet.Tag) {
	e := d.e
	if e.Closed() {
		return
	}
	c := e.Queue(n+secure.RecordOverhead(d.s.version), t)
	c.Spell(secure.AppendRecordHeader(c.Head(), d.s.version, n, d.record))
	d.record++
	e.Flush()
}

// request is the text of a request in the clear, whose path names the session. It is the same whenever it is asked for, so
// that both ends know how long it is.
func (s *Session) request(m *script.Message) []byte {
	if s.askedOf == m.Size && s.asked != nil {
		return s.asked
	}
	place := s.client.e.Place()
	token := wire.AppendRandom(nil, rand.NewPCG(place, 0x746f6b65), wire.HTTPTokenSize)
	s.asked, s.askedOf = wire.AppendHTTPRequest(nil, rand.NewPCG(place, uint64(m.Size)), s.cfg.Service.Host, token, m.Size), m.Size
	return s.asked
}
