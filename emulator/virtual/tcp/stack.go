package tcp

import (
	"math/rand/v2"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

// Network is what the stacks of one home share. It is used on the goroutine of its clock.
type Network struct {
	Clock       *clock.Virtual
	Pool        *packet.Pool
	Noise       *packet.Noise // what is not spelled out of a stream
	Fill        int           // bytes of a frame that are really written, headers included
	NoChecksums bool          // for homes whose packets nobody keeps

	spare [][]sent // lists of segments of connections that are no more, for others
}

// leastFill is how many bytes of a payload are always written: an observer looks at 8, and a receiver of QUIC as far.
const leastFill = 16

// Room says how many bytes may be written behind the first at bytes of an IP packet.
func (n *Network) Room(at int) int { return max(n.Fill-packet.EthernetHeader-at, leastFill) }

// Config says how a machine's kernel is set up.
type Config struct {
	TTL        byte
	MSS        int
	Timestamps bool
	Keepalive  int64 // ns after which a silent connection is probed; 0 = never
	Apart      bool  // what is written at once leaves in segments of its own
}

// Stack is the part of a machine's kernel that keeps its connections.
type Stack struct {
	Config
	net    *Network
	send   func(ip []byte, l packet.Lineage)
	conns  map[Key]*Conn
	recent [recentConns]*Conn // found last, by their ports
	draws  *rand.PCG
}

// recentConns is a power of two. Packets of few connections follow each other.
const recentConns = 64

// NewStack returns a machine's; send takes the IP packets that it sends, and owns them.
func NewStack(n *Network, c Config, draws *rand.PCG, send func(ip []byte, l packet.Lineage)) *Stack {
	return &Stack{Config: c, net: n, send: send, conns: make(map[Key]*Conn), draws: draws}
}

// Find returns the end of a connection that has a key; nil: there is none.
func (s *Stack) Find(k Key) *Conn {
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

// Used tells whether a connection has the key.
func (s *Stack) Used(k Key) bool { return s.conns[k] != nil }

// Len is how many connections there are, closed ones that still answer among them.
func (s *Stack) Len() int { return len(s.conns) }

// place is where a connection is among the recent ones: the port that tells them apart is the device's.
func (k Key) place() uint32 { return (k.Ports ^ k.Ports>>16) % recentConns }

// Forget lets go of a connection at once: what still comes for it is refused.
func (s *Stack) Forget(e *Conn) {
	if r := &s.recent[e.key.place()]; *r == e {
		*r = nil
	}
	if s.conns[e.key] == e {
		delete(s.conns, e.key)
	}
	e.state = stateClosed
	if cap(e.segs) > 0 { // nothing looks at what a closed connection has in flight
		s.net.spare = append(s.net.spare, e.segs[:0])
		e.segs, e.head, e.sackedN, e.lostN = nil, 0, 0, 0
	}
}

// Dial makes a device's end of a connection, which Connect opens. unit owns what it sends; open is the tag of what opens it.
func (s *Stack) Dial(key Key, unit int32, open packet.Tag, app Application) *Conn {
	e := s.conn(key, unit, open, app)
	e.dir = packet.Up
	return e
}

// Connect sends the first SYN.
func (e *Conn) Connect() {
	e.state = stateSynSent
	e.rto = synTimeout
	e.sendSYN()
}

// Accept makes the other end of a peer's connection, whose SYN has come, and answers it. key is as this end sees it.
func (s *Stack) Accept(peer *Conn, key Key, unit int32, app Application, syn *Segment) *Conn {
	e := s.conn(key, unit, peer.open, app)
	e.dir = packet.Down
	e.peer, peer.peer = peer, e
	e.negotiate(syn)
	e.state = stateSynReceived
	e.rto = synTimeout
	e.peerWindow = int64(syn.window)
	e.sendSYN()
	return e
}

// conn makes an end of a connection between two addresses.
func (s *Stack) conn(key Key, unit int32, open packet.Tag, app Application) *Conn {
	e := &Conn{
		st: s, app: app, unit: unit, open: open, key: key, mss: s.MSS, ts: s.Timestamps,
		tsOffset: uint32(s.draws.Uint64()), ipID: uint16(s.draws.Uint64()),
	}
	e.isn = uint32(s.draws.Uint64())
	e.out.noise, e.out.place = s.net.Noise, s.draws.Uint64()
	if k := len(s.net.spare); k > 0 {
		e.segs, s.net.spare = s.net.spare[k-1], s.net.spare[:k-1]
	}
	e.rcvMSS = defaultRcvMSS
	s.conns[key] = e
	s.recent[key.place()] = e
	return e
}

// Refuse answers a segment that belongs to no connection (RFC 9293, section 3.5.2).
func (s *Stack) Refuse(ip []byte, seg *Segment, l packet.Lineage) {
	if seg.flags&packet.FlagRST != 0 {
		return
	}
	b := s.net.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+packet.IPv4Size+packet.TCPSize]
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
		SourcePort: in.DestinationPort(), DestinationPort: in.SourcePort(), Sequence: seq, Acknowledgment: ack, DataOffset: packet.TCPSize,
		Flags: flags,
	})
	src, dst := packet.IPv4(ip).Destination32(), packet.IPv4(ip).Source32()
	t.SetChecksum(packet.Sum(packet.PseudoHeader4(src, dst, packet.ProtoTCP, len(t)), t))
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: len(b), Protocol: packet.ProtoTCP, TTL: s.TTL, Source: src, Destination: dst, DontFragment: true,
	})
	l.Role = packet.RoleClose
	l.LANFrame, l.Row = 0, 0
	s.send(b, l)
}

// Probe sends a SYN as Linux makes it, for a connection that will never be.
func (s *Stack) Probe(key Key, l packet.Lineage) {
	e := Conn{st: s, key: key, ts: s.Timestamps, mss: s.MSS, tsOffset: uint32(s.draws.Uint64()), ipID: uint16(s.draws.Uint64())}
	var o [40]byte
	n := e.synOptions(o[:], packet.FlagSYN)
	b := e.header(n, 0, packet.FlagSYN, uint32(s.draws.Uint64()))
	copy(b[packet.IPv4Size+packet.TCPSize:], o[:n])
	e.seal(b, n, 0, l)
}
