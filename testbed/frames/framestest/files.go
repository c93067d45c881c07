package framestest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
)

// Link types, as files name them.
const (
	LinkNull     = 0
	LinkEthernet = 1
	LinkPPP      = 9
	LinkRaw      = 101
	LinkLoop     = 108
	LinkSLL      = 113
	LinkUSB      = 220
	LinkSLL2     = 276
)

// Wrap puts a link's header before a packet.
func Wrap(link uint16, p Packet) []byte {
	ether := uint16(0x0800)
	family := byte(2)
	if p.IP[0]>>4 == 6 {
		ether, family = 0x86dd, 30
	}
	var b []byte
	switch link {
	case LinkEthernet:
		b = Ethernet(p, ether)
	case LinkNull:
		b = []byte{family, 0, 0, 0}
	case LinkLoop:
		b = []byte{0, 0, 0, family}
	case LinkPPP:
		b = []byte{0xff, 3, 0, 0x21}
	case LinkSLL:
		b = append([]byte{0, 4, 0, 1, 0, 6}, p.Src[:]...)
		b = binary.BigEndian.AppendUint16(append(b, 0, 0), ether)
	case LinkSLL2:
		b = binary.BigEndian.AppendUint16(nil, ether)
		b = append(b, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6)
		b = append(append(b, p.Src[:]...), 0, 0)
	}
	return append(b, p.IP...)
}

// Ethernet is a frame's header, with tags between the addresses and the EtherType: each is 16 bits.
func Ethernet(p Packet, tags ...uint16) []byte {
	b := append(append([]byte(nil), p.Dst[:]...), p.Src[:]...)
	for _, t := range tags {
		b = binary.BigEndian.AppendUint16(b, t)
	}
	return b
}

// SNAP is a frame of IEEE 802.3 with LLC and SNAP.
func SNAP(p Packet) []byte {
	b := Ethernet(p, uint16(8+len(p.IP)))
	return append(append(b, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0), p.IP...)
}

// Magic numbers of classic pcap.
const (
	Micro    = 0xa1b2c3d4
	Nano     = 0xa1b23c4d
	Modified = 0xa1b2cd34
)

// Frame is what a file holds.
type Frame struct {
	At     int64
	Data   []byte
	Length int // on the wire; 0 = all of Data
}

// Frames wraps packets for a link.
func Frames(link uint16, packets []Packet) []Frame {
	var out []Frame
	for _, p := range packets {
		out = append(out, Frame{At: p.At, Data: Wrap(link, p)})
	}
	return out
}

// Classic is a pcap file.
func Classic(order binary.AppendByteOrder, magic uint32, link uint16, frames []Frame) []byte {
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(order.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = order.AppendUint32(order.AppendUint32(b, 1<<18), uint32(link))
	for _, f := range frames {
		fraction := f.At % 1e9
		if magic != Nano {
			fraction /= 1000
		}
		b = order.AppendUint32(order.AppendUint32(b, uint32(f.At/1e9)), uint32(fraction))
		b = order.AppendUint32(order.AppendUint32(b, uint32(len(f.Data))), uint32(max(f.Length, len(f.Data))))
		if magic == Modified {
			b = append(b, 0, 0, 0, 2, 8, 0, 0, 0)
		}
		b = append(b, f.Data...)
	}
	return b
}

// Pcap is a file as most tools write it, with times in ns.
func Pcap(link uint16, packets []Packet) []byte {
	return Classic(binary.LittleEndian, Nano, link, Frames(link, packets))
}

// Interface is one of a pcapng file's.
type Interface struct {
	Link       uint16
	Resolution byte  // 0 = not said: µs
	Offset     int64 // s
	Snaplen    uint32
}

// NG writes pcapng files.
type NG struct {
	order  binary.AppendByteOrder
	b      []byte
	ifaces []Interface
}

// NewNG begins a file.
func NewNG(order binary.AppendByteOrder) *NG {
	w := &NG{order: order}
	body := order.AppendUint32(nil, 0x1a2b3c4d)
	body = append(order.AppendUint16(order.AppendUint16(body, 1), 0), bytes.Repeat([]byte{0xff}, 8)...)
	w.Block(0x0a0d0d0a, body)
	return w
}

// Block appends a block of any type.
func (w *NG) Block(kind uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	w.b = w.order.AppendUint32(w.order.AppendUint32(w.b, kind), uint32(12+len(body)))
	w.b = w.order.AppendUint32(append(w.b, body...), uint32(12+len(body)))
}

// Interface appends an interface.
func (w *NG) Interface(i Interface) {
	body := w.order.AppendUint32(w.order.AppendUint16(w.order.AppendUint16(nil, i.Link), 0), i.Snaplen)
	if i.Resolution != 0 {
		body = append(w.order.AppendUint16(w.order.AppendUint16(body, 9), 1), i.Resolution, 0, 0, 0)
	}
	if i.Offset != 0 {
		body = w.order.AppendUint64(w.order.AppendUint16(w.order.AppendUint16(body, 14), 8), uint64(i.Offset))
	}
	w.Block(1, append(body, 0, 0, 0, 0))
	w.ifaces = append(w.ifaces, i)
}

// Packet appends a frame of an interface.
func (w *NG) Packet(id int, f Frame) {
	at := uint64(f.At - w.ifaces[id].Offset*1e9)
	switch r := w.ifaces[id].Resolution; {
	case r == 0:
		at /= 1000
	case r&0x80 != 0:
		at = at/1e9<<(r&0x7f) | (at%1e9)<<(r&0x7f)/1e9
	default:
		for range 9 - int(r) {
			at /= 10
		}
	}
	body := w.order.AppendUint32(w.order.AppendUint32(w.order.AppendUint32(nil, uint32(id)), uint32(at>>32)), uint32(at))
	body = w.order.AppendUint32(w.order.AppendUint32(body, uint32(len(f.Data))), uint32(max(f.Length, len(f.Data))))
	w.Block(6, append(body, f.Data...))
}

// Simple appends a frame without a time.
func (w *NG) Simple(data []byte) {
	w.Block(3, append(w.order.AppendUint32(nil, uint32(len(data))), data...))
}

// Bytes is the file.
func (w *NG) Bytes() []byte { return w.b }

// Gzip compresses a file.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil { // a buffer takes everything
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}
