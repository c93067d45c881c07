// Package unsolicited draws the packets that a home gets without having asked for them: scans from all over the internet. The virtual
// world sends them as bytes, the live world by sockets. Not modelled: several packets of one scan, and protocols besides TCP and UDP.
package unsolicited

import (
	"net/netip"

	"glasshouse/devices/draw"
)

// Packet is one that nobody asked for: a TCP SYN, or a UDP datagram of random bytes.
type Packet struct {
	At   int64 // ns of script time
	From netip.Addr
	Port uint16 // of the home's WAN address, to which it goes
	TCP  bool
	Size int // bytes of the datagram's payload
}

// Source draws a home's unsolicited packets, from addresses all over the internet, at exponential intervals. It depends on the seed
// alone. It is used from one goroutine.
type Source struct {
	d    *draw.Stream
	mean int64 // ns
	at   int64
}

// New returns a source for a rate in millionths of packets per hour; 0 = none.
func New(seed uint64, rate int64) *Source {
	s := &Source{d: draw.New(seed, "strangers")}
	if rate > 0 {
		s.mean = int64(3600e15) / rate
	}
	return s
}

// Next returns the next packet; false where there is none.
func (s *Source) Next() (Packet, bool) {
	if s.mean == 0 {
		return Packet{}, false
	}
	s.at += s.d.Exponential(s.mean)
	return Packet{
		At:   s.at,
		From: netip.AddrFrom4([4]byte{198, byte(18 + s.d.N(2)), byte(s.d.N(256)), byte(1 + s.d.N(254))}),
		Port: uint16(1 + s.d.N(65535)),
		TCP:  s.d.N(2) == 0,
		Size: 20 + int(s.d.N(80)),
	}, true
}
