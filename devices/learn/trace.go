// Package learn makes a device profile from what a device was seen to do: packets and times in, profile out.
//
// It is pure: captures are read by the caller. It finds the device's services (by protocol, remote name and port), what is
// said on them (dialogues: messages without what TCP adds), when (periods, or quantiles of the gaps where there is no
// period), how lines are opened and how often anew, and the habits of its stack. Acknowledgements, handshakes and
// retransmissions are not learned: the emulated hosts make their own. Nor are talks within the home, DHCP and ARP.
// Packets of IPv6 are learned like those of IPv4: emulated hosts have the latter alone.
// What it is not sure of it says, in Doubts and in comments of the profile.
package learn

import (
	"net/netip"
	"slices"
)

// Packet is a frame of the device's with an IP packet, or a datagram of several fragments.
type Packet struct {
	At         int64 // ns
	Up         bool  // from the device
	Length     int   // frame bytes: Ethernet header, without VLAN tag and padding
	Proto      uint8 // of IP: 1, 6, 17, ...
	Remote     netip.Addr
	LocalPort  uint16
	RemotePort uint16
	Payload    int // bytes above TCP or UDP; of an ICMP echo request, of its data
	Flags      uint8
	Seq        uint32
	TTL        uint8
	MSS        uint16 // of a SYN that tells it; else 0
	Stamps     bool   // with TCP time stamps
	Echo       bool   // an ICMP echo request
	App        App    // what the first bytes show
	Host       string // of the first packet of a connection: the name that its TLS or, before it, DNS told; else Names tells
}

// TCP flags.
const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagACK = 16
)

// App is what a payload's first bytes show.
type App uint8

// Applications.
const (
	AppUnknown App = iota // or not captured
	AppTLS12
	AppTLS13
	AppHTTP
	AppQUIC
)

// Lookup is a DNS query of the device's.
type Lookup struct {
	At   int64
	Host string // "" where the capture does not hold it
}

// Trace is what a capture holds of one device.
type Trace struct {
	MAC     [6]byte
	Packets []Packet
	Names   map[netip.Addr]string // from DNS answers and TLS
	Lookups []Lookup
	Times   []int64          // of NTP queries
	Cut     bool             // payloads were not kept
	LeftOut map[string]int64 // frames of the capture that are not in Packets, by reason
	Doubts  []string         // about the capture
}

// LeftLocal is the reason of packets that are in a trace and not learned from: what is said within the home.
const LeftLocal = "stays_local"

// Span returns the time from the first packet to the last, ns.
func (t *Trace) Span() int64 {
	if len(t.Packets) == 0 {
		return 0
	}
	return t.Packets[len(t.Packets)-1].At - t.Packets[0].At
}

// Part returns the packets from a time on and before another, with all that is known of names.
func (t *Trace) Part(from, to int64) *Trace {
	p := *t
	lo, _ := slices.BinarySearchFunc(t.Packets, from, func(p Packet, at int64) int { return int(sign(p.At - at)) })
	hi, _ := slices.BinarySearchFunc(t.Packets, to, func(p Packet, at int64) int { return int(sign(p.At - at)) })
	p.Packets = t.Packets[lo:hi]
	p.Lookups, p.Times = nil, nil
	for _, l := range t.Lookups {
		if l.At >= from && l.At < to {
			p.Lookups = append(p.Lookups, l)
		}
	}
	for _, at := range t.Times {
		if at >= from && at < to {
			p.Times = append(p.Times, at)
		}
	}
	return &p
}

func sign(v int64) int64 {
	switch {
	case v < 0:
		return -1
	case v > 0:
		return 1
	}
	return 0
}
