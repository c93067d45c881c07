package watch

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"glasshouse/testbed/dataset"
)

// Local says which addresses are the home's: packets from them go up, packets to them go down.
type Local []netip.Prefix

// ParseLocal reads addresses and prefixes, as 192.168.1.0/24 or 203.0.113.7.
func ParseLocal(list []string) (Local, error) {
	var l Local
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, e := netip.ParseAddr(s)
			if e != nil {
				return nil, fmt.Errorf("%q is neither an address nor a prefix, as 203.0.113.7 or 192.168.1.0/24", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		l = append(l, p.Masked())
	}
	return l, nil
}

func (l Local) String() string {
	var out []string
	for _, p := range l {
		s := p.String()
		if p.IsSingleIP() {
			s = p.Addr().String()
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func (l Local) has(a netip.Addr) bool {
	for _, p := range l {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// dir is the direction of a packet; 0 where both ends are the home's, neither is, or it goes to many: such a packet does not
// cross the edge of the home.
func (l Local) dir(src, dst netip.Addr) int8 {
	if dst.IsMulticast() || src.IsMulticast() || dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return 0
	}
	switch a, b := l.has(src), l.has(dst); {
	case a && !b:
		return 1
	case b && !a:
		return -1
	}
	return 0
}

// ErrSide means that it cannot be told which side of a capture is the home's.
var ErrSide = errors.New("which side is the home's cannot be told")

// sideGuess gathers what tells which side is the home's.
type sideGuess struct {
	packets int
	ends    map[netip.Addr]*end
}

// end is what was seen of an address.
type end struct {
	packets int // from or to it
	sent    int
	hops    int // sum over the packets sent: how far they have come, by their TTL
}

const (
	maxEnds     = 1 << 14
	mostPackets = 9 // tenths of the packets that have one address at their end, where it is the home's only one
)

// add takes a packet's addresses, and the TTL or hop limit that is left.
func (g *sideGuess) add(src, dst netip.Addr, ttl uint8) {
	if dst.IsMulticast() || dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return
	}
	if g.ends == nil {
		g.ends = make(map[netip.Addr]*end)
	}
	g.packets++
	for i, a := range [...]netip.Addr{src, dst} {
		e := g.ends[a]
		if e == nil {
			if len(g.ends) == maxEnds {
				continue
			}
			e = &end{}
			g.ends[a] = e
		}
		e.packets++
		if i == 0 {
			e.sent++
			e.hops += hops(ttl)
		}
	}
}

// hops is how many routers a packet has passed, if it began with a TTL of 64, 128 or 255.
func hops(ttl uint8) int {
	switch {
	case ttl <= 64:
		return 64 - int(ttl)
	case ttl <= 128:
		return 128 - int(ttl)
	}
	return 255 - int(ttl)
}

// local decides. Private addresses that talk to public ones are a home's, as a capture on its LAN shows them. Otherwise the
// home is the one address that nearly all packets have at one end, as on its WAN; of two such (a tunnel's ends), the one whose
// packets have passed fewer routers.
func (g *sideGuess) local() (Local, error) {
	if g.packets == 0 {
		return nil, fmt.Errorf("%w: there is no IP packet", ErrSide)
	}
	var private, public int
	for a, e := range g.ends {
		if isPrivate(a) {
			private += e.packets
		} else {
			public += e.packets
		}
	}
	var most []netip.Addr
	for a, e := range g.ends {
		if e.packets*10 >= g.packets*mostPackets {
			most = append(most, a)
		}
	}
	switch {
	case private > 0 && public > 0:
		return homePrefixes(), nil
	case len(most) == 1:
		return Local{netip.PrefixFrom(most[0], most[0].BitLen())}, nil
	case len(most) == 2:
		a, b := g.ends[most[0]], g.ends[most[1]]
		// hops on average: a.hops/a.sent < b.hops/b.sent
		x, y := a.hops*b.sent, b.hops*a.sent
		switch {
		case a.sent == 0 || b.sent == 0 || x == y:
			return nil, fmt.Errorf("%w: %s or %s; --local ADDRESS says", ErrSide, most[0], most[1])
		case x > y:
			most[0] = most[1]
		}
		return Local{netip.PrefixFrom(most[0], most[0].BitLen())}, nil
	}
	return nil, fmt.Errorf("%w: no address is at an end of nine in ten packets, and none is private; --local ADDRESS says", ErrSide)
}

// isPrivate knows the addresses that home networks and carriers' access networks use (RFC 1918, 4193, 4291, 6598, 3927).
func isPrivate(a netip.Addr) bool {
	for _, p := range homePrefixes() {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func homePrefixes() Local {
	return Local{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), 8), netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16}), 12),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168}), 16), netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254}), 16), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
	}
}

// endsOf reads the addresses and the TTL of an Ethernet frame that holds IP.
func endsOf(frame []byte) (src, dst netip.Addr, ttl uint8) {
	ip := frame[dataset.EthernetHeader:]
	if ip[0]>>4 == 6 && len(ip) >= 40 {
		return netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40])), ip[7]
	}
	return netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20])), ip[8]
}
