package frames

import (
	"encoding/binary"
	"net/netip"
)

// MTU is what an Ethernet frame carries, bytes.
const MTU = 1500

// TCP tells the bytes of all headers of a TCP segment, and of its data; ok is false for what is not TCP, is a fragment, or is cut within
// TCP's header.
func (f *Frame) TCP() (headers, data int, ok bool) {
	if f.Proto != ProtoTCP || f.Fragment() || len(f.IP) < f.Above+20 {
		return 0, 0, false
	}
	headers = f.Above + int(f.IP[f.Above+12]>>4)*4
	if headers < f.Above+20 || headers > f.Length || headers > longestChain {
		return 0, 0, false
	}
	return headers, f.Length - headers, true
}

// Flags are TCP's, of a segment or of its first fragment; 0 where there are none.
func (f *Frame) Flags() uint8 {
	if f.Proto != ProtoTCP || f.Offset > 0 || len(f.IP) < f.Above+14 {
		return 0
	}
	return f.IP[f.Above+13]
}

// Ports are those of TCP or UDP; ok is false where the packet shows none, as a later fragment.
func (f *Frame) Ports() (src, dst uint16, ok bool) {
	if f.Proto != ProtoTCP && f.Proto != ProtoUDP || f.Offset > 0 || len(f.IP) < f.Above+4 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(f.IP[f.Above:]), binary.BigEndian.Uint16(f.IP[f.Above+2:]), true
}

// Sequence is a TCP segment's sequence number.
func (f *Frame) Sequence() uint32 { return binary.BigEndian.Uint32(f.IP[f.Above+4:]) }

// Part is a TCP segment with the headers of f and size bytes of its data from an offset on. Its bytes are its own.
func (f *Frame) Part(headers, from, size int) Frame {
	p := *f
	p.IP = append([]byte(nil), f.IP[:min(headers, len(f.IP))]...)
	if at := headers + from; from >= 0 && at < len(f.IP) {
		p.IP = append(p.IP, f.IP[at:min(at+size, len(f.IP))]...)
	}
	p.resize(headers + size)
	binary.BigEndian.PutUint32(p.IP[p.Above+4:], f.Sequence()+uint32(from))
	if headers+from+size < f.Length { // they are the last one's, as network cards cut
		p.IP[p.Above+13] &^= flagFIN | flagPSH
	}
	return p
}

// resize gives a packet another length. Checksums are not kept: no observer looks at them.
func (f *Frame) resize(length int) {
	f.Length = length
	if f.Is6() {
		binary.BigEndian.PutUint16(f.IP[4:], uint16(length-leastIPv6))
	} else {
		binary.BigEndian.PutUint16(f.IP[2:], uint16(length))
	}
}

// Fragments gives the fragments of a packet that is larger than the MTU: a router's of IPv4 (RFC 791), or the sender's of IPv6 (RFC 8200).
// Their bytes are their own, but for a packet that fits.
func (f *Frame) Fragments(mtu int, yield func(*Frame)) {
	if f.Length <= mtu {
		yield(f)
		return
	}
	head := f.Above
	if f.lead > 0 {
		head = f.lead
	}
	lead := append([]byte(nil), f.IP[:min(head, len(f.IP))]...)
	if f.Is6() && !f.Fragment() {
		lead = append(lead[:leastIPv6:leastIPv6], f.IP[6], 0, 0, 0)
		lead = binary.BigEndian.AppendUint32(lead, uint32(f.Number))
		lead[6], head = extFragment, leastIPv6
	}
	for from := head; from < f.Length; {
		size := f.Length - from
		last := len(lead)+size <= mtu
		if !last {
			size = (mtu - len(lead)) / 8 * 8
		}
		q := *f
		q.IP = append([]byte(nil), lead...)
		if from < len(f.IP) {
			q.IP = append(q.IP, f.IP[from:min(from+size, len(f.IP))]...)
		}
		q.Above, q.lead, q.Offset, q.More = len(lead), len(lead), f.Offset+from-head, !last || f.More
		q.markFragment()
		q.resize(len(lead) + size)
		yield(&q)
		from += size
	}
}

// markFragment writes the offset and the flag into the header.
func (f *Frame) markFragment() {
	if f.Is6() {
		word := uint16(f.Offset)
		if f.More {
			word |= 1
		}
		binary.BigEndian.PutUint16(f.IP[f.Above-6:], word)
		return
	}
	word := uint16(f.Offset / 8)
	if f.More {
		word |= 0x2000
	}
	binary.BigEndian.PutUint16(f.IP[6:], word)
}

// Cutter gives packets as the line carried them: a segment that a network card was still to cut, or had joined from several, is cut at the
// connection's MSS. It remembers what SYNs said of connections, of a bounded number of them.
type Cutter struct {
	mss, older map[connection]int
}

// connection is a TCP connection, the lesser end first.
type connection struct{ a, b netip.AddrPort }

// rememberedConnections bounds a Cutter's memory: of the connections that began since the last so many, or the so many before them.
const rememberedConnections = 4096

// NewCutter returns a cutter.
func NewCutter() *Cutter { return &Cutter{mss: make(map[connection]int)} }

// Cut calls yield for each packet that the line carried, in order. Nearly always that is f itself.
func (c *Cutter) Cut(f *Frame, yield func(*Frame)) {
	headers, data, ok := f.TCP()
	if ok && f.Flags()&flagSYN != 0 {
		c.learn(f, headers)
	}
	if !ok {
		f.Fragments(MTU, yield)
		return
	}
	most := MTU - headers
	if f.Length > mostlyUncut || f.Length > MTU {
		if mss := c.of(f); mss > 0 {
			options := headers - f.Above - 20
			most = max(min(most, mss-options), 1)
		}
	}
	if data <= most {
		yield(f)
		return
	}
	for from := 0; from < data; from += most {
		p := f.Part(headers, from, min(most, data-from))
		yield(&p)
	}
}

// mostlyUncut is a size below which a segment is not suspected to be several: the least MSS that stacks use, and headers.
const mostlyUncut = 576

const (
	flagFIN = 1
	flagSYN = 2
	flagPSH = 8
)

func (f *Frame) connection() (c connection) {
	src, dst, _ := f.Ports()
	c.a, c.b = netip.AddrPortFrom(f.Src, src), netip.AddrPortFrom(f.Dst, dst)
	if c.a.Compare(c.b) > 0 {
		c.a, c.b = c.b, c.a
	}
	return c
}

// learn takes the MSS of a SYN; the lesser of both ends' holds.
func (c *Cutter) learn(f *Frame, headers int) {
	for b := f.IP[min(f.Above+20, len(f.IP)):min(headers, len(f.IP))]; len(b) >= 2 && b[0] != 0; {
		if b[0] == 1 {
			b = b[1:]
			continue
		}
		n := int(b[1])
		if n < 2 || n > len(b) {
			return
		}
		if b[0] == 2 && n == 4 {
			if mss := int(binary.BigEndian.Uint16(b[2:])); mss >= leastMSS {
				key := f.connection()
				if old := c.of(f); old > 0 && f.Flags()&flagACK != 0 {
					mss = min(mss, old)
				}
				if len(c.mss) >= rememberedConnections {
					c.older, c.mss = c.mss, make(map[connection]int)
				}
				c.mss[key] = mss
			}
		}
		b = b[n:]
	}
}

const (
	flagACK  = 16
	leastMSS = 88 // as Linux takes it: less is an attack
)

func (c *Cutter) of(f *Frame) int {
	key := f.connection()
	if mss, ok := c.mss[key]; ok {
		return mss
	}
	return c.older[key]
}
