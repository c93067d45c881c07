package virtual

import (
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/datagram"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/emulator/virtual/session"
	"glasshouse/emulator/virtual/tcp"
	"glasshouse/emulator/wire/secure"
)

// Config says what a home's hosts are wired to.
type Config struct {
	Clock     *clock.Virtual
	Pool      *packet.Pool
	Noise     *packet.Noise
	Seed      uint64
	Specimens []script.Specimen
	Names     map[string]netip.Addr // of hosts on the internet
	DNS, NTP  netip.Addr
	LAN       netip.Prefix
	Router    netip.Addr // the gateway's address on the LAN
	RouterMAC [6]byte
	RouterARP int64           // ns for which the router trusts an address that it has learned by ARP; 0 = Linux's
	Outside   netip.Addr      // the gateway's own address towards the internet: its WAN address, or its end of a tunnel
	MTU       int             // of the LAN, bytes
	EpochNs   int64           // UTC epoch of script time 0, ns: what time servers tell
	Lease     int64           // of addresses, ns
	Peer      script.Specimen // the household's phone, from which devices are watched on the LAN
	HasPeer   bool
	Activity  func(name string) uint16
	// Fill is how many bytes of a frame are really written, headers included; 0 = all. Checksums are right in any case.
	Fill int
	// Chains are what servers prove their names with, shared among homes; nil: this home's own.
	Chains *secure.Chains
	// Unsummed leaves out the checksums of TCP, and of UDP's noise: for homes whose packets nobody keeps.
	Unsummed bool

	// Whoever is handed a packet owns its bytes, and must not keep p.
	FromStation func(i int, p *packet.Packet) // a frame that leaves a device's radio at p.At
	FromRouter  func(p *packet.Packet)        // a frame that the gateway sends to the LAN at p.At; p.Lineage.Row: of the WAN packet it carries
	ToWAN       func(p *packet.Packet)        // an IP packet that the gateway sends to the internet at p.At
	ToHome      func(p *packet.Packet)        // an IP packet that the internet sends to the home at p.At
	// Behind tells who in the home is behind the address that a server sees.
	Behind func(proto uint8, seen netip.AddrPort) (netip.AddrPort, bool)
}

// Net is a home's devices, its gateway's kernel, and its internet. It belongs to its clock's goroutine.
type Net struct {
	c         Config
	clock     *clock.Virtual
	ip        tcp.Network // what its stacks share
	late      draws       // of the slowness of programs and kernels
	latency   *latency.Model
	hosts     []*Host
	byAddr    map[uint32]*Host
	near      [256]*Host // of byAddr, by the address' last byte
	lan       uint32     // the LAN's first address
	lanMask   uint32
	router    *router
	cloud     *cloud
	chains    map[string]*secure.Chain
	datagrams *datagram.Table
	calls     map[tcp.Key]*session.Session // of the phone on the LAN, that a SYN may come for, by the device's end
	Faults    Faults
	resolver  map[string]uint32
}

// Faults count what must not happen: any of them makes a run invalid.
type Faults struct {
	Misdelivered int64 // a packet reached another device than the one whose lineage it bears
	Unknown      int64 // a packet that nobody expected and no closed connection explains
}

// NewNet wires a home up. Nothing happens before the clock runs.
func NewNet(c Config) (*Net, error) {
	n := &Net{
		c: c, clock: c.Clock, late: newDraws(c.Seed, 0x6c617465), byAddr: make(map[uint32]*Host),
		chains: make(map[string]*secure.Chain), calls: make(map[tcp.Key]*session.Session), resolver: make(map[string]uint32),
		ip: tcp.Network{Clock: c.Clock, Pool: c.Pool, Noise: c.Noise, Fill: c.Fill, NoChecksums: c.Unsummed},
	}
	n.latency = latency.New(c.Clock, n.late.PCG)
	n.setLAN(c.LAN)
	if n.ip.Fill == 0 {
		n.ip.Fill = packet.MaxSize
	}
	keys := newDraws(c.Seed, 0x68656164)
	n.datagrams = datagram.NewTable(c.Clock, n.latency, c.Noise, [2]uint64{keys.Uint64(), keys.Uint64()})
	for name, a := range c.Names {
		n.resolver[name] = u32(a)
	}
	if c.Chains == nil {
		c.Chains = new(secure.Chains)
	}
	for i := range c.Specimens {
		for k := range c.Specimens[i].Profile.Services {
			s := &c.Specimens[i].Profile.Services[k]
			if session.TLSVersion(s.Transport) == 0 && s.Transport != profile.TransportQUIC || n.chains[s.Host] != nil {
				continue
			}
			chain, err := c.Chains.Of(s.Host)
			if err != nil {
				return nil, err
			}
			n.chains[s.Host] = chain
		}
	}
	n.cloud = newCloud(n)
	n.router = newRouter(n)
	for i := range c.Specimens {
		h := newHost(n, i)
		n.hosts = append(n.hosts, h)
		n.byAddr[h.addr] = h
		n.near[h.addr&0xff] = h
	}
	return n, nil
}

// Latency is the slowness of the home's programs and kernels, which its links share.
func (n *Net) Latency() *latency.Model { return n.latency }

// Host returns the device at a place in the home.
func (n *Net) Host(i int) *Host { return n.hosts[i] }

// nextHop is who on the LAN is next on the way to an address.
func (n *Net) nextHop(dst uint32) uint32 {
	if n.onLAN(dst) {
		return dst
	}
	return u32(n.c.Router)
}

// broadcast is the LAN's broadcast address.
func (n *Net) broadcast() uint32 { return n.lan | ^n.lanMask }

func (n *Net) onLAN(a uint32) bool { return a&n.lanMask == n.lan }

// setLAN notes the LAN's addresses.
func (n *Net) setLAN(lan netip.Prefix) {
	n.lan, n.lanMask = u32(lan.Masked().Addr()), ^(1<<(32-lan.Bits()) - 1)
}

// hostOf finds the device that has an address; nil: none has.
func (n *Net) hostOf(addr uint32) *Host {
	if h := n.near[addr&0xff]; h != nil && h.addr == addr {
		return h
	}
	return n.byAddr[addr]
}

// draws is a stream of random numbers.
type draws struct{ *rand.PCG }

// arpStream is the second seed of the draws of a machine's neighbour table.
const arpStream = 0x617270

func newDraws(seed1, seed2 uint64) draws { return draws{rand.NewPCG(seed1, seed2)} }

// N returns a number from 0 to k-1.
func (d draws) N(k int64) int64 {
	if k < 1 {
		return 0
	}
	hi, _ := bits.Mul64(d.Uint64(), uint64(k))
	return int64(hi)
}
