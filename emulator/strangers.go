// Package emulator holds what both kinds of world share about the traffic of a home: here, who calls at it unasked.
package emulator

import (
	"net/netip"

	"glasshouse/devices"
)

// Stranger is a packet that nobody asked for: a TCP SYN, or a UDP datagram of random bytes.
type Stranger struct {
	At   int64 // ns of script time
	From netip.Addr
	Port uint16 // of the home's WAN address that it calls at
	TCP  bool
	Size int // bytes of the datagram's payload
}

// Strangers draws who calls at a home, from addresses all over the internet, at exponential intervals. It depends on the seed
// alone. It is used from one goroutine.
type Strangers struct {
	d    *devices.Draws
	mean int64 // ns
	at   int64
}

// NewStrangers returns a source for a rate in millionths of packets an hour; 0 = nobody calls.
func NewStrangers(seed uint64, rate int64) *Strangers {
	s := &Strangers{d: devices.NewDraws(seed, "strangers")}
	if rate > 0 {
		s.mean = int64(3600e15) / rate
	}
	return s
}

// Next returns the next one; false where nobody calls.
func (s *Strangers) Next() (Stranger, bool) {
	if s.mean == 0 {
		return Stranger{}, false
	}
	s.at += s.d.Exponential(s.mean)
	return Stranger{
		At:   s.at,
		From: netip.AddrFrom4([4]byte{198, byte(18 + s.d.N(2)), byte(s.d.N(256)), byte(1 + s.d.N(254))}),
		Port: uint16(1 + s.d.N(65535)),
		TCP:  s.d.N(2) == 0,
		Size: 20 + int(s.d.N(80)),
	}, true
}
