package tcp

import (
	"encoding/binary"

	"glasshouse/emulator/packet"
)

const (
	timestampSize = 12
	windowScale   = 7 // what Linux offers where a buffer may grow to 6 MiB
)

// header starts a segment of payload bytes with opts bytes of options in a new buffer and returns the IP packet. Sequence and
// acknowledgement numbers, window and time stamps are set; flags, options and the checksum are left.
func (e *Conn) header(opts, payload int, flags byte, seq uint32) []byte {
	total := packet.IPv4Size + packet.TCPSize + opts + payload
	b := e.st.net.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+total]
	ack := uint32(0)
	if flags&packet.FlagACK != 0 {
		ack = e.ackNumber()
	}
	said := e.window()
	window := uint16(said >> windowScale)
	switch {
	case flags&packet.FlagSYN != 0:
		window = uint16(e.firstWindow(flags&packet.FlagACK != 0))
	case flags&packet.FlagRST != 0:
		window = 0
	default:
		e.win.said = said
	}
	packet.TCP(b[packet.IPv4Size:]).Encode(&packet.TCPFields{
		SourcePort: uint16(e.key.Ports >> 16), DestinationPort: uint16(e.key.Ports), Sequence: seq, Acknowledgment: ack,
		DataOffset: packet.TCPSize + opts, Flags: flags, Window: window,
	})
	return b
}

// seal writes the checksums and sends the packet. sum is the payload's, room how many bytes of options and payload were summed
// by the caller.
func (e *Conn) seal(b []byte, opts int, sum uint16, l packet.Lineage) {
	t := packet.TCP(b[packet.IPv4Size:])
	if !e.st.net.NoChecksums {
		t.SetChecksum(packet.Sum(packet.PseudoHeader4(e.local(), e.remote(), packet.ProtoTCP, len(t))+uint64(sum), t[:packet.TCPSize+opts]))
	}
	id := e.ipID
	if f := t.Flags(); f&packet.FlagRST != 0 || f&(packet.FlagSYN|packet.FlagACK) == packet.FlagSYN|packet.FlagACK {
		id = 0 // Linux: no socket of its own yet, or no longer
	} else {
		e.ipID++
	}
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: len(b), Protocol: packet.ProtoTCP, TTL: e.st.TTL, ID: id, Source: e.local(), Destination: e.remote(), DontFragment: true,
	})
	e.st.send(b, l)
}

// control sends a segment without payload.
func (e *Conn) control(flags byte, seq uint32, t packet.Tag, syn bool) {
	var o [40]byte
	n := 0
	switch {
	case syn:
		n = e.synOptions(o[:], flags)
	case flags&packet.FlagRST != 0:
	case e.ts:
		n = e.timestamps(o[:])
		fallthrough
	default:
		n += e.sackOption(o[n:])
	}
	b := e.header(n, 0, flags, seq)
	copy(b[packet.IPv4Size+packet.TCPSize:], o[:n])
	e.seal(b, n, 0, t.Lineage(e.unit))
}

// synOptions writes the options in Linux's order.
func (e *Conn) synOptions(o []byte, flags byte) int {
	mss := e.st.MSS
	o[0], o[1], o[2], o[3] = 2, 4, byte(mss>>8), byte(mss)
	var n int
	if e.ts {
		o[4], o[5], o[6], o[7] = 4, 2, 8, 10
		binary.BigEndian.PutUint32(o[8:], e.tsNow())
		binary.BigEndian.PutUint32(o[12:], 0)
		if flags&packet.FlagACK != 0 {
			binary.BigEndian.PutUint32(o[12:], e.tsRecent)
		}
		n = 16
	} else {
		o[4], o[5], o[6], o[7] = 1, 1, 4, 2
		n = 8
	}
	o[n], o[n+1], o[n+2], o[n+3] = 1, 3, 3, windowScale
	return n + 4
}

func (e *Conn) timestamps(o []byte) int {
	o[0], o[1], o[2], o[3] = 1, 1, 8, 10
	binary.BigEndian.PutUint32(o[4:], e.tsNow())
	binary.BigEndian.PutUint32(o[8:], e.tsRecent)
	return timestampSize
}

// tsNow is the time stamp clock: ms, from a place of the connection's own.
func (e *Conn) tsNow() uint32 { return e.tsOffset + uint32(e.now()/1e6) }

// sackOption tells which bytes beyond a gap have arrived (RFC 2018).
func (e *Conn) sackOption(o []byte) int {
	k := min(len(e.beyond), 3)
	if k == 0 {
		return 0
	}
	o[0], o[1], o[2], o[3] = 1, 1, 5, byte(2+8*k)
	for i := range k {
		r := e.beyond[i]
		binary.BigEndian.PutUint32(o[4+8*i:], e.irs+1+uint32(r.from))
		binary.BigEndian.PutUint32(o[8+8*i:], e.irs+1+uint32(r.to))
	}
	return 4 + 8*k
}

// sendData sends [off, off+n) of the stream, and with it the FIN where fin is set; push marks the last one of a burst.
func (e *Conn) sendData(off int64, n int, t packet.Tag, push, fin bool) {
	opts := 0
	if e.ts {
		opts = timestampSize
	}
	flags := packet.FlagACK
	if push || n > 0 && (off+int64(n) == e.out.end || e.out.boundary(off+int64(n))) {
		flags |= packet.FlagPSH
	}
	if fin {
		flags |= packet.FlagFIN
	}
	b := e.header(opts, n, flags, e.seqOut(off))
	at := packet.IPv4Size + packet.TCPSize
	if opts > 0 {
		e.timestamps(b[at:])
		at += opts
	}
	sum := uint16(0)
	if n > 0 {
		e.out.read(off, n, b[at:], e.st.net.Room(at))
		if !e.st.net.NoChecksums {
			sum = e.out.sum(off, n)
		}
	}
	e.acked()
	e.seal(b, opts, sum, t.Lineage(e.unit))
}
