package tcp

import (
	"encoding/binary"

	"glasshouse/emulator/packet"
)

// Segment is a TCP segment as it arrived.
type Segment struct {
	seq, ack     uint32
	flags        byte
	window       uint32
	tsVal, tsEcr uint32
	hasTS        bool
	mss          int
	sack         [3][2]uint32
	sacks        int
	payload      int
}

// Parse reads a segment; l4 begins with its header and ends with its payload.
func Parse(l4 []byte) (s Segment, ok bool) {
	t, ok := packet.ParseTCP(l4)
	if !ok {
		return s, false
	}
	s.seq, s.ack = t.SequenceNumber(), t.AcknowledgmentNumber()
	s.flags, s.window, s.payload = t.Flags(), uint32(t.Window()), len(l4)-t.DataOffset()
	o := t.Options()
	if len(o) == timestampSize && o[0] == packet.OptionNoOperation && o[1] == packet.OptionNoOperation &&
		o[2] == packet.OptionTimestamps { // the usual case: time stamps alone
		s.hasTS, s.tsVal, s.tsEcr = true, binary.BigEndian.Uint32(o[4:]), binary.BigEndian.Uint32(o[8:])
		return s, true
	}
	for len(o) > 0 {
		switch o[0] {
		case packet.OptionEnd:
			return s, true
		case packet.OptionNoOperation:
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return s, true
		}
		v := o[2:o[1]]
		switch {
		case o[0] == packet.OptionMSS && len(v) == 2:
			s.mss = int(binary.BigEndian.Uint16(v))
		case o[0] == packet.OptionTimestamps && len(v) == 8:
			s.hasTS, s.tsVal, s.tsEcr = true, binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
		case o[0] == packet.OptionSACK:
			for ; len(v) >= 8 && s.sacks < len(s.sack); v = v[8:] {
				s.sack[s.sacks] = [2]uint32{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
				s.sacks++
			}
		}
		o = o[o[1]:]
	}
	return s, true
}

// Opens tells whether the segment is the first of a connection: a SYN without an acknowledgement.
func (s *Segment) Opens() bool { return s.flags&(packet.FlagSYN|packet.FlagACK) == packet.FlagSYN }

// Payload is how many bytes of the stream it carries.
func (s *Segment) Payload() int { return s.payload }
