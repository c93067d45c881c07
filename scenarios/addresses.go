package scenarios

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"glasshouse/devices/draw"
)

// addresses draws distinct addresses of one home.
type addresses struct {
	seed  uint64
	d     *draw.Stream
	taken map[netip.Addr]bool
	macs  map[[6]byte]bool
}

func newAddresses(seed uint64) *addresses {
	return &addresses{seed: seed, d: draw.New(seed, "addresses"), taken: make(map[netip.Addr]bool), macs: make(map[[6]byte]bool)}
}

// routerPrefixes are OUIs of home router vendors: TP-Link, Netgear, ASUS, ZTE.
func routerPrefixes() [][3]byte {
	return [][3]byte{{0xd8, 0x07, 0xb6}, {0x9c, 0x3d, 0xcf}, {0x04, 0xd4, 0xc4}, {0x34, 0x4b, 0x50}}
}

func (a *addresses) mac(oui [3]byte) [6]byte {
	for {
		n := a.d.Uint64()
		m := [6]byte{oui[0], oui[1], oui[2], byte(n >> 16), byte(n >> 8), byte(n)}
		if !a.macs[m] {
			a.macs[m] = true
			return m
		}
	}
}

// onLAN draws a lease from .20 to .250: the router's pool starts above addresses that are set by hand.
func (a *addresses) onLAN(lan netip.Prefix) (netip.Addr, error) {
	const first, last = 20, 250
	b := lan.Addr().As4()
	start := a.d.N(last - first + 1)
	for i := range int64(last - first + 1) {
		b[3] = byte(first + (start+i)%(last-first+1))
		if addr := netip.AddrFrom4(b); !a.taken[addr] {
			a.taken[addr] = true
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("more devices than addresses on %s", lan)
}

// internet draws an address of 198.18.0.0/15 (RFC 2544, not used by real hosts) that is neither .0 nor .255.
func (a *addresses) internet() netip.Addr {
	for {
		n := a.d.N(2 << 16)
		addr := netip.AddrFrom4([4]byte{198, 18 + byte(n>>16), byte(n >> 8), byte(n)})
		if last := byte(n); last != 0 && last != 255 && !a.taken[addr] {
			a.taken[addr] = true
			return addr
		}
	}
}

// drawNetwork draws everything but the devices.
func (h *Home) drawNetwork(a *addresses) {
	d := draw.New(h.Seed, "network")
	x := byte(d.N(255))
	h.LAN = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, x, 0}), 24)
	h.GatewayLAN = netip.AddrFrom4([4]byte{192, 168, x, 1})
	makers := routerPrefixes()
	maker := makers[d.N(int64(len(makers)))]
	h.GatewayMAC, h.WANMAC = a.mac(maker), a.mac(maker)
	h.ISPMAC = a.mac([3]byte{0x00, 0x1b, 0x21}) // Intel: a router of the provider
	net := [4]byte{100, 64 + byte(d.N(64)), byte(d.N(256)), 1}
	h.ISPAddr = netip.AddrFrom4(net)
	net[3] = byte(2 + d.N(253))
	h.WANAddr = netip.AddrFrom4(net)
	h.VPNServer, h.DNS, h.NTP = a.internet(), a.internet(), a.internet()
}

const (
	poolCloud = "ntp-pool"                   // its address is Home.NTP
	nearest   = int64(2 * time.Millisecond)  // to the closest cloud, above the WAN's delay
	farthest  = int64(90 * time.Millisecond) // assumed: another continent
)

// cloudsAnywhere is the default distance of clouds.
func cloudsAnywhere() draw.Range { return draw.Range{Min: nearest, Max: farthest} }

// cloud draws the addresses and the distance of a cloud, and spreads its hosts over them.
func (a *addresses) cloud(h *Home, name string, hosts []string, distance draw.Range) []Cloud {
	slices.Sort(hosts)
	d := draw.New(a.seed, "cloud:"+name)
	extra := d.In(distance)
	pool := []netip.Addr{h.NTP}
	if name != poolCloud {
		pool = pool[:0]
		for range (len(hosts) + 1) / 2 {
			pool = append(pool, a.internet())
		}
	}
	if h.byHost == nil {
		h.byHost = make(map[string]netip.Addr)
	}
	start := int(d.N(int64(len(pool))))
	clouds := make([]Cloud, 0, len(hosts))
	for i, host := range hosts {
		first := (start + i) % len(pool)
		all := slices.Concat(pool[first:], pool[:first])
		clouds = append(clouds, Cloud{Host: host, Cloud: name, Addr: all[0], Addrs: all, Extra: extra})
		h.byHost[host] = all[0]
	}
	return clouds
}
