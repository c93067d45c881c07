package virtual

import (
	"net/netip"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/latency"
	"glasshouse/emulator/wire"
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
	Chains *wire.Chains
	// Unsummed leaves out the checksums of TCP, and of UDP's noise: for homes whose packets nobody keeps.
	Unsummed bool

	// Whoever is handed a packet owns its bytes, and must not keep p.
	FromStation func(i int, p *packet.Packet) // a frame that leaves a device's radio at p.At
	FromRouter  func(p *packet.Packet)        // a frame that the gateway sends to the LAN at p.At; p.Lineage.Row is the WAN packet it carries, or 0
	ToWAN       func(p *packet.Packet)        // an IP packet that the gateway sends to the internet at p.At
	ToHome      func(p *packet.Packet)        // an IP packet that the internet sends to the home at p.At
	// Behind tells who in the home is behind the address that a server sees.
	Behind func(proto uint8, seen netip.AddrPort) (netip.AddrPort, bool)
}

// Net is a home's devices, its gateway's kernel, and its internet. It belongs to its clock's goroutine.
type Net struct {
	c        Config
	clock    *clock.Virtual
	pool     *packet.Pool
	noise    *packet.Noise
	late     draws // of the slowness of programs and kernels
	latency  *latency.Model
	hosts    []*Host
	byAddr   map[uint32]*Host
	near     [256]*Host // of byAddr, by the address' last byte
	lan      uint32     // the LAN's first address
	lanMask  uint32
	router   *router
	cloud    *cloud
	chains   map[string]*wire.Chain
	segs     [][]sent // of endpoints that are no more, for others
	fills    int
	unsummed bool
	jobs     map[uint32]*datagrams
	calls    map[connKey]*session // of the phone on the LAN, that a SYN may come for, by the device's end
	handles  uint32
	headKey  [2]uint64
	Faults   Faults
	resolver map[string]uint32
}

// Faults count what must not happen: any of them makes a run invalid.
type Faults struct {
	Misdelivered int64 // a packet reached another device than the one whose lineage it bears
	Unknown      int64 // a packet that nobody expected and no closed connection explains
}

// NewNet wires a home up. Nothing happens before the clock runs.
func NewNet(c Config) (*Net, error) {
	n := &Net{
		c: c, clock: c.Clock, pool: c.Pool, noise: c.Noise, late: newDraws(c.Seed, 0x6c617465), byAddr: make(map[uint32]*Host),
		chains: make(map[string]*wire.Chain), jobs: make(map[uint32]*datagrams), calls: make(map[connKey]*session), resolver: make(map[string]uint32), fills: c.Fill, unsummed: c.Unsummed,
	}
	n.latency = latency.New(c.Clock, n.late.PCG)
	n.setLAN(c.LAN)
	if n.fills == 0 {
		n.fills = packet.MaxSize
	}
	keys := newDraws(c.Seed, 0x68656164)
	n.headKey = [2]uint64{keys.Uint64(), keys.Uint64()}
	for name, a := range c.Names {
		n.resolver[name] = u32(a)
	}
	if c.Chains == nil {
		c.Chains = new(wire.Chains)
	}
	for i := range c.Specimens {
		for k := range c.Specimens[i].Profile.Services {
			s := &c.Specimens[i].Profile.Services[k]
			if tlsVersion(s.Transport) == 0 && s.Transport != profile.TransportQUIC || n.chains[s.Host] != nil {
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

// leastFill is how many bytes of a payload are always written: an observer looks at 8, and a receiver of QUIC as far.
const leastFill = 16

// room says how many bytes may be written behind the first at bytes of an IP packet.
func (n *Net) room(at int) int { return max(n.fills-packet.EthernetHeader-at, leastFill) }

// stack is the network stack of a machine.
type stack struct {
	n         *Net
	addr      uint32
	ttl       byte
	mss       int
	ts        bool
	keepalive int64
	apart     bool // what is written at once leaves in segments of its own
	out       func(ip []byte, l packet.Lineage)
	conns     map[connKey]*endpoint
	recent    [recentConns]*endpoint // found last, by their ports
	draws     draws
}

// recentConns is a power of two. Packets of few connections follow each other.
const recentConns = 64

func (s *stack) send(ip []byte, l packet.Lineage) { s.out(ip, l) }

func (s *stack) find(k connKey) *endpoint {
	r := &s.recent[k.place()]
	if *r != nil && (*r).key == k {
		return *r
	}
	e := s.conns[k]
	if e != nil {
		*r = e
	}
	return e
}

// place is where a connection is among the recent ones: the port that tells them apart is the device's.
func (k connKey) place() uint32 { return (k.ports ^ k.ports>>16) % recentConns }

func (s *stack) forget(e *endpoint) {
	if r := &s.recent[e.key.place()]; *r == e {
		*r = nil
	}
	if s.conns[e.key] == e {
		delete(s.conns, e.key)
	}
	e.state = stateClosed
	if cap(e.segs) > 0 { // nothing looks at what a closed endpoint has in flight
		s.n.segs = append(s.n.segs, e.segs[:0])
		e.segs, e.head, e.sackedN, e.lostN = nil, 0, 0, 0
	}
}

// endpoint makes an end of a connection between two addresses.
func (s *stack) endpoint(key connKey, unit int32, dir int8, open packet.Tag, app application) *endpoint {
	e := &endpoint{
		st: s, app: app, unit: unit, dir: dir, open: open, key: key, mss: s.mss, ts: s.ts,
		tsOffset: uint32(s.draws.Uint64()), ipID: uint16(s.draws.Uint64()),
	}
	e.isn = uint32(s.draws.Uint64())
	e.out.noise, e.out.place = s.n.noise, s.draws.Uint64()
	if k := len(s.n.segs); k > 0 {
		e.segs, s.n.segs = s.n.segs[k-1], s.n.segs[:k-1]
	}
	e.rcvMSS = defaultRcvMSS
	s.conns[key] = e
	s.recent[key.place()] = e
	return e
}

// refuse answers a segment that belongs to no connection (RFC 9293, section 3.5.2).
func (s *stack) refuse(ip []byte, seg *segment, l packet.Lineage) {
	if seg.flags&packet.FlagRST != 0 {
		return
	}
	b := s.n.pool.Get()[packet.EthernetHeader : packet.EthernetHeader+packet.IPv4Size+packet.TCPSize]
	t, in := packet.TCP(b[packet.IPv4Size:]), packet.TCP(ip[packet.IPv4Size:])
	seq, ack, flags := uint32(0), uint32(0), packet.FlagRST
	if seg.flags&packet.FlagACK != 0 {
		seq = seg.ack
	} else {
		ack = seg.seq + uint32(seg.payload)
		if seg.flags&(packet.FlagSYN|packet.FlagFIN) != 0 {
			ack++
		}
		flags |= packet.FlagACK
	}
	t.Encode(&packet.TCPFields{
		SourcePort: in.DestinationPort(), DestinationPort: in.SourcePort(), Sequence: seq, Acknowledgment: ack, DataOffset: packet.TCPSize, Flags: flags,
	})
	src, dst := packet.IPv4(ip).Destination32(), packet.IPv4(ip).Source32()
	t.SetChecksum(packet.Sum(packet.PseudoHeader4(src, dst, packet.ProtoTCP, len(t)), t))
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: len(b), Protocol: packet.ProtoTCP, TTL: s.ttl, Source: src, Destination: dst, DontFragment: true,
	})
	l.Role = packet.RoleClose
	l.LANFrame, l.Row = 0, 0
	s.send(b, l)
}

// datagram sends a UDP payload; fill writes it.
func (s *stack) datagram(src, dst uint32, sport, dport uint16, id uint16, payload []byte, l packet.Lineage) {
	total := packet.IPv4Size + packet.UDPSize + len(payload)
	b := s.n.pool.Get()[packet.EthernetHeader : packet.EthernetHeader+total]
	copy(b[packet.IPv4Size+packet.UDPSize:], payload)
	putUDP(b[packet.IPv4Size:], src, dst, sport, dport)
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: total, Protocol: packet.ProtoUDP, TTL: s.ttl, ID: id, Source: src, Destination: dst, DontFragment: true,
	})
	s.send(b, l)
}

// noisy sends a UDP payload of size bytes: head, then noise from a place.
func (s *stack) noisy(src, dst uint32, sport, dport uint16, id uint16, head []byte, size int, place uint64, l packet.Lineage) {
	total := packet.IPv4Size + packet.UDPSize + size
	b := s.n.pool.Get()[packet.EthernetHeader : packet.EthernetHeader+total]
	u := packet.UDP(b[packet.IPv4Size:])
	at := packet.IPv4Size + packet.UDPSize + len(head)
	rest := size - len(head)
	copy(b[at:], s.n.noise.Window(place, min(rest, s.n.room(at))))
	copy(b[packet.IPv4Size+packet.UDPSize:], head)
	u.Encode(sport, dport)
	if !s.n.unsummed {
		sum := s.n.noise.Sum(place, rest)
		if len(head)%2 != 0 { // the noise begins at an odd place
			sum = sum<<8 | sum>>8
		}
		u.SetChecksum(packet.Sum(packet.PseudoHeader4(src, dst, packet.ProtoUDP, len(u))+uint64(sum), u[:packet.UDPSize+len(head)]))
	}
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: total, Protocol: packet.ProtoUDP, TTL: s.ttl, ID: id, Source: src, Destination: dst, DontFragment: true,
	})
	s.send(b, l)
}
