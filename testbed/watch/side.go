package watch

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"glasshouse/testbed/frames"
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
	packets [2]int // of IPv4, and of IPv6
	mixed   int    // of IPv4 between a private and a public address
	open    int    // of IPv4 between public addresses
	ends    map[netip.Addr]*end
	senders map[sender]bool
}

// end is what was seen of an address.
type end struct {
	packets int // from or to it
	sent    int
	hops    int                    // sum over the packets sent: how far they have come, by their TTL
	remotes [2]map[netip.Addr]bool // private and public addresses at the other end, a few of them
}

// sender is an address that a station sent from.
type sender struct {
	mac  [6]byte
	addr netip.Addr
}

const (
	maxEnds     = 1 << 14
	maxRemotes  = 16
	mostPackets = 9 // tenths of the packets that have one address at their end, where it is the home's only one
)

// add takes a packet's addresses, and the TTL or hop limit that is left.
func (g *sideGuess) add(f *frames.Frame) {
	src, dst := f.Src, f.Dst
	if dst.IsMulticast() || dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || src.IsUnspecified() {
		return
	}
	if src.Is6() && (src.IsLinkLocalUnicast() || dst.IsLinkLocalUnicast()) { // neighbour discovery: nothing crosses an edge
		return
	}
	if g.ends == nil {
		g.ends, g.senders = make(map[netip.Addr]*end), make(map[sender]bool)
	}
	switch family := family(src); {
	case family == 1:
		g.packets[1]++
	case isPrivate(src) != isPrivate(dst):
		g.packets[0]++
		g.mixed++
	case isPrivate(src):
		g.packets[0]++
	default:
		g.packets[0]++
		g.open++
	}
	if f.HasSrc && len(g.senders) < maxEnds {
		g.senders[sender{f.SrcMAC, src}] = true
	}
	for i, a := range [...]netip.Addr{src, dst} {
		e := g.ends[a]
		if e == nil {
			if len(g.ends) == maxEnds {
				continue
			}
			e = &end{remotes: [2]map[netip.Addr]bool{{}, {}}}
			g.ends[a] = e
		}
		e.packets++
		far, kind := dst, 1
		if i == 1 {
			far = src
		}
		if isPrivate(far) {
			kind = 0
		}
		if len(e.remotes[kind]) < maxRemotes {
			e.remotes[kind][far] = true
		}
		if i == 0 {
			e.sent++
			e.hops += hops(f.TTL)
		}
	}
}

func family(a netip.Addr) int {
	if a.Is6() {
		return 1
	}
	return 0
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

// local decides. On a home's WAN it is the one address that is at an end of nearly all packets; a private address at the other end, as of
// a resolver, a modem or a carrier's router, changes nothing. On a LAN, private addresses talk to public ones, and are the home's. IPv6
// addresses are the home's where its stations send from them.
func (g *sideGuess) local() (Local, error) {
	if g.packets == [2]int{} {
		return nil, fmt.Errorf("%w: there is no IP packet", ErrSide)
	}
	var l Local
	if g.packets[0] > 0 {
		var err error
		if l, err = g.local4(); err != nil && g.packets[1] == 0 {
			return nil, err
		}
	}
	six := g.local6(l)
	if l = append(l, six...); len(l) == 0 {
		return nil, fmt.Errorf("%w: no address is at an end of nine in ten packets, and none is private; --local ADDRESS says", ErrSide)
	}
	return l, nil
}

func (g *sideGuess) local4() (Local, error) {
	most := g.most(0, func(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) })
	var wan []netip.Prefix // candidates that are public, and talk to as many public addresses as private ones
	for _, p := range most {
		if e := g.ends[p.Addr()]; !isPrivate(p.Addr()) && len(e.remotes[1]) >= len(e.remotes[0]) && len(e.remotes[1]) > 0 {
			wan = append(wan, p)
		}
	}
	switch {
	case len(wan) == 1:
		return Local(wan), nil
	case g.mixed > 0 && g.mixed >= g.open:
		return homePrefixes(), nil
	case len(wan) == 2:
		p, err := g.nearer(wan[0].Addr(), wan[1].Addr())
		return Local{p}, err
	case g.mixed > 0:
		return homePrefixes(), nil
	}
	return nil, fmt.Errorf("%w: no address is at an end of nine in ten packets, and none is private; --local ADDRESS says", ErrSide)
}

// most are the networks of a family that nine in ten of its packets have at an end, in order.
func (g *sideGuess) most(of int, network func(netip.Addr) netip.Prefix) (out []netip.Prefix) {
	packets := make(map[netip.Prefix]int)
	for a, e := range g.ends {
		if family(a) == of {
			packets[network(a)] += e.packets
		}
	}
	for p, n := range packets {
		if n*10 >= g.packets[of]*mostPackets {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return out
}

// nearer is the one of two ends whose packets have passed fewer routers, on average.
func (g *sideGuess) nearer(one, other netip.Addr) (netip.Prefix, error) {
	a, b := g.ends[one], g.ends[other]
	x, y := a.hops*b.sent, b.hops*a.sent // a.hops/a.sent < b.hops/b.sent
	switch {
	case a.sent == 0 || b.sent == 0 || x == y:
		return netip.Prefix{}, fmt.Errorf("%w: %s or %s; --local ADDRESS says", ErrSide, one, other)
	case x > y:
		one = other
	}
	return netip.PrefixFrom(one, one.BitLen()), nil
}

// local6 are the IPv6 networks of the home: those that its stations send from, which send from no other address than the home's; or, where
// no IPv4 tells its stations, the one network at an end of nearly all packets.
func (g *sideGuess) local6(l Local) (out Local) {
	if g.packets[1] == 0 {
		return nil
	}
	home, foreign := make(map[[6]byte]bool), make(map[[6]byte]bool)
	for s := range g.senders {
		switch {
		case s.addr.Is6():
		case l.has(s.addr):
			home[s.mac] = true
		default:
			foreign[s.mac] = true
		}
	}
	seen := make(map[netip.Prefix]bool)
	for s := range g.senders {
		if p := network6(s.addr); s.addr.Is6() && home[s.mac] && !foreign[s.mac] && !l.has(s.addr) {
			seen[p] = true
		}
	}
	if len(home) == 0 || len(seen) == 0 {
		switch most := g.most(1, network6); len(most) {
		case 1:
			seen[most[0]] = true
		case 2:
			if p, ok := g.nearer6(most); ok {
				seen[p] = true
			}
		}
	}
	for p := range seen {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return out
}

// nearer6 is the network whose addresses' packets have passed fewer routers.
func (g *sideGuess) nearer6(two []netip.Prefix) (netip.Prefix, bool) {
	var hops, sent [2]int
	for a, e := range g.ends {
		for i, p := range two {
			if p.Contains(a) {
				hops[i] += e.hops
				sent[i] += e.sent
			}
		}
	}
	switch x, y := hops[0]*sent[1], hops[1]*sent[0]; {
	case sent[0] == 0 || sent[1] == 0 || x == y:
		return netip.Prefix{}, false
	case x > y:
		return two[1], true
	}
	return two[0], true
}

// network6 is the link that an address is on (RFC 4291, section 2.5.4).
func network6(a netip.Addr) netip.Prefix {
	p, _ := a.Prefix(64) // an IPv6 address has one; others are not asked for
	return p
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
