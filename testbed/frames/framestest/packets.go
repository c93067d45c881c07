// Package framestest makes captures for tests: packets of a device's exchanges, and files of many kinds that hold them. It is for the tests
// of what reads captures; it draws nothing and does no I/O.
package framestest

import (
	"encoding/binary"
	"net/netip"
)

// Packet is an IP packet with the stations of its frame.
type Packet struct {
	At       int64 // UTC epoch, ns
	Src, Dst [6]byte
	IP       []byte
}

// The device, its router, and a server that it talks to.
var (
	Device  = [6]byte{2, 0, 0, 0, 0, 0x10}
	Router  = [6]byte{2, 0, 0, 0, 0, 1}
	Address = netip.MustParseAddr("192.168.50.10")
	Server  = netip.MustParseAddr("203.0.113.80")
)

// Start is the time of the first exchanges, UTC epoch, ns.
const Start = int64(1700000000e9)

const (
	protoTCP = 6
	protoUDP = 17
)

// Flow is an exchange's addresses and ports; IPv4 or IPv6.
type Flow struct {
	MAC         [6]byte
	Near, Far   netip.Addr
	Local, Port uint16
	ID          uint16 // identification of its next IPv4 packet
	seq         [2]uint32
}

// NewFlow returns a flow of the device's.
func NewFlow() *Flow {
	return &Flow{MAC: Device, Near: Address, Far: Server, Local: 40000, Port: 8883, ID: 1}
}

// UDP makes a datagram.
func (f *Flow) UDP(at int64, up bool, payload int) Packet {
	b := make([]byte, 8+payload)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	for i := range payload {
		b[8+i] = 0x80 | byte(i)
	}
	return f.packet(at, up, protoUDP, b)
}

// TCP makes a segment; a SYN tells an MSS of 1460.
func (f *Flow) TCP(at int64, up bool, payload int, flags byte) Packet {
	head := 20
	if flags&2 != 0 {
		head = 24
	}
	b := make([]byte, head+payload)
	d := 1
	if up {
		d = 0
	}
	binary.BigEndian.PutUint32(b[4:], f.seq[d])
	binary.BigEndian.PutUint32(b[8:], f.seq[1-d])
	b[12], b[13] = byte(head/4)<<4, flags
	if flags&2 != 0 {
		copy(b[20:], []byte{2, 4, 1460 >> 8, 1460 & 0xff})
		f.seq[d]++
	}
	f.seq[d] += uint32(payload)
	for i := range payload {
		b[head+i] = 0x80 | byte(i)
	}
	return f.packet(at, up, protoTCP, b)
}

func (f *Flow) packet(at int64, up bool, proto byte, b []byte) Packet {
	p := Packet{At: at, Src: f.MAC, Dst: Router}
	src, dst, sport, dport, ttl := f.Near, f.Far, f.Local, f.Port, byte(64)
	if !up {
		p.Src, p.Dst = p.Dst, p.Src
		src, dst, sport, dport, ttl = dst, src, dport, sport, 50
	}
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	if f.Near.Is6() {
		p.IP = make([]byte, 40, 40+len(b))
		p.IP[0], p.IP[6], p.IP[7] = 0x60, proto, ttl
		binary.BigEndian.PutUint16(p.IP[4:], uint16(len(b)))
		s, d := src.As16(), dst.As16()
		copy(p.IP[8:], s[:])
		copy(p.IP[24:], d[:])
	} else {
		p.IP = make([]byte, 20, 20+len(b))
		p.IP[0], p.IP[8], p.IP[9] = 0x45, ttl, proto
		binary.BigEndian.PutUint16(p.IP[2:], uint16(20+len(b)))
		binary.BigEndian.PutUint16(p.IP[4:], f.ID)
		f.ID++
		s, d := src.As4(), dst.As4()
		copy(p.IP[12:], s[:])
		copy(p.IP[16:], d[:])
	}
	p.IP = append(p.IP, b...)
	return p
}

// Open is the handshake of a connection: three packets.
func (f *Flow) Open(at int64) []Packet {
	return []Packet{f.TCP(at, true, 0, 2), f.TCP(at+20e6, false, 0, 0x12), f.TCP(at+21e6, true, 0, 0x10)}
}

// Heartbeats are n exchanges of a connection, every period: up, down, and an acknowledgement.
func (f *Flow) Heartbeats(at, period int64, n, up, down int) (out []Packet) {
	for i := range int64(n) {
		t := at + i*period + (i%7)*300e3
		out = append(out, f.TCP(t, true, up, 0x18), f.TCP(t+20e6, false, down, 0x18), f.TCP(t+22e6, true, 0, 0x10))
	}
	return out
}

// Datagrams are n exchanges of two datagrams, every period.
func (f *Flow) Datagrams(at, period int64, n, up, down int) (out []Packet) {
	for i := range int64(n) {
		t := at + i*period + (i%7)*300e3
		out = append(out, f.UDP(t, true, up), f.UDP(t+20e6, false, down))
	}
	return out
}

// Plain is a connection with 20 heartbeats, one every 10 s: 63 packets.
func Plain() []Packet {
	f := NewFlow()
	return append(f.Open(Start), f.Heartbeats(Start+10e9, 10e9, 20, 120, 60)...)
}

// Fragments cuts a packet of IPv4 into fragments of size bytes of payload, a multiple of 8.
func Fragments(p Packet, size int) (out []Packet) {
	payload := p.IP[20:]
	for from := 0; from < len(payload); from += size {
		q := p
		q.IP = append(append([]byte(nil), p.IP[:20]...), payload[from:min(from+size, len(payload))]...)
		word := uint16(from / 8)
		if from+size < len(payload) {
			word |= 0x2000
		}
		binary.BigEndian.PutUint16(q.IP[2:], uint16(len(q.IP)))
		binary.BigEndian.PutUint16(q.IP[6:], word)
		q.At += int64(from) * 10
		out = append(out, q)
	}
	return out
}
