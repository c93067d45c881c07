package learn

import (
	"cmp"
	"net/netip"
	"slices"
)

// message is what one end says at once.
type message struct {
	at   int64 // ns, of its first packet
	end  int64 // of its last packet
	up   bool
	size int // payload bytes
}

// talk is what is said on one connection, or on one UDP flow, in order.
type talk struct {
	start, end int64
	opened     bool // its SYN was seen
	messages   []message
	probes     []int64 // keepalives of the device
	rtt        int64   // ns of the SYN's way and back; 0 = not seen
	shown      App
	resets     int
}

// peer is one service: all talks to a name and port.
type peer struct {
	proto  uint8
	name   string // host, or the address where there is no name
	named  bool
	port   uint16
	lan    bool // broadcast or multicast
	talks  []*talk
	frames int
}

type connection struct {
	remote netip.Addr
	rport  uint16
	lport  uint16
	proto  uint8
}

// flow is a connection that is being read.
type flow struct {
	*talk
	peer *peer
	next [2]uint32 // sequence number that each end sends next
	seen [2]bool
	last [2]int // payload of the packet before, by direction
}

// udpPause ends a UDP talk, as a NAT would.
const udpPause = int64(180e9)

// peersOf puts the packets into talks. Retransmissions are left out; segments of a full size are one message with the next.
func peersOf(t *Trace) []*peer {
	peers := make(map[string]*peer)
	flows := make(map[connection]*flow)
	mss := segment(t)
	var order []*peer
	for i := range t.Packets {
		p := &t.Packets[i]
		if p.Proto != 6 && p.Proto != 17 || private(p.Remote) && !spread(p.Remote) || p.Proto == 17 && service(p.RemotePort) {
			continue
		}
		key := connection{p.Remote, p.RemotePort, p.LocalPort, p.Proto}
		f := flows[key]
		syn := p.Proto == 6 && p.Flags&(flagSYN|flagACK) == flagSYN && p.Up
		if f == nil || syn && len(f.messages) > 0 || p.Proto == 17 && p.At-f.end > udpPause {
			if p.Proto == 6 && p.Payload == 0 && !syn {
				continue // the rest of a connection whose talk is over, or a scanner
			}
			if !p.Up && p.Proto == 17 {
				continue // unsolicited
			}
			if spread(p.Remote) && !p.Up {
				continue
			}
			pe := peerOf(t, p, peers)
			if pe.frames == 0 {
				order = append(order, pe)
			}
			f = &flow{talk: &talk{start: p.At, opened: syn}, peer: pe}
			pe.talks = append(pe.talks, f.talk)
			flows[key] = f
		}
		f.peer.frames++
		f.add(p, mss)
	}
	for _, pe := range order {
		pe.talks = slices.DeleteFunc(pe.talks, func(k *talk) bool { return len(k.messages) == 0 })
	}
	order = slices.DeleteFunc(order, func(p *peer) bool { return len(p.talks) == 0 })
	slices.SortStableFunc(order, func(a, b *peer) int { return cmp.Compare(b.frames, a.frames) })
	return order
}

// service tells ports that are learned by themselves: DNS, DHCP, NTP.
func service(port uint16) bool { return port == 53 || port == 67 || port == 68 || port == 123 }

// segment returns the bytes of a full segment: the least MSS that a SYN tells, without time stamps; 1460 where none is seen.
func segment(t *Trace) int {
	n, stamps := 1460, false
	for i := range t.Packets {
		p := &t.Packets[i]
		if p.MSS >= 536 {
			n = min(n, int(p.MSS))
		}
		stamps = stamps || p.Stamps
	}
	if stamps {
		n -= 12
	}
	return n
}

func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified() || spread(a)
}

// spread tells broadcast and multicast addresses.
func spread(a netip.Addr) bool {
	if a.IsMulticast() {
		return true
	}
	if !a.Is4() {
		return false
	}
	b := a.As4()
	return b[3] == 255 && (a.IsPrivate() || b[0] == 255)
}

func peerOf(t *Trace, p *Packet, peers map[string]*peer) *peer {
	name, named := p.Host, p.Host != ""
	if !named {
		name, named = t.Names[p.Remote]
	}
	if !named {
		name = p.Remote.String()
	}
	lan := spread(p.Remote)
	if lan {
		name = "broadcast"
	}
	key := name + string([]byte{0, p.Proto, byte(p.RemotePort >> 8), byte(p.RemotePort)})
	if peers[key] == nil {
		peers[key] = &peer{proto: p.Proto, name: name, named: named, port: p.RemotePort, lan: lan}
	}
	return peers[key]
}

func (f *flow) add(p *Packet, mss int) {
	d := 1
	if p.Up {
		d = 0
	}
	f.end = p.At
	if p.App != AppUnknown && (f.shown == AppUnknown || f.shown == AppTLS12) {
		f.shown = p.App
	}
	if p.Proto == 17 {
		f.messages = append(f.messages, message{p.At, p.At, p.Up, p.Payload})
		return
	}
	if p.Flags&flagRST != 0 {
		f.resets++
	}
	if p.Flags&flagSYN != 0 {
		if !p.Up && f.rtt == 0 {
			f.rtt = p.At - f.start
		}
		f.next[d], f.seen[d] = p.Seq+1, true
		return
	}
	if f.seen[d] && p.Payload <= 1 && p.Seq == f.next[d]-1 && p.Flags&(flagFIN|flagRST) == 0 {
		if p.Up {
			f.probes = append(f.probes, p.At)
		}
		return
	}
	if p.Payload == 0 {
		return
	}
	if f.seen[d] && int32(p.Seq+uint32(p.Payload)-f.next[d]) <= 0 {
		return // sent again
	}
	f.next[d], f.seen[d] = p.Seq+uint32(p.Payload), true
	full := f.last[d] >= mss
	if n := len(f.messages); n > 0 && full && f.messages[n-1].up == p.Up && p.At-f.messages[n-1].end < 500e6 && f.messages[n-1].size < 1<<20 {
		f.messages[n-1].size += p.Payload
		f.messages[n-1].end = p.At
	} else {
		f.messages = append(f.messages, message{p.At, p.At, p.Up, p.Payload})
	}
	f.last[d] = p.Payload
}

// pause ends a dialogue.
const pause = int64(2e9)

// dialogue is messages that follow each other.
type dialogue struct {
	talk     *talk
	messages []message
	opening  bool  // the first of its connection
	slow     int64 // ns that replies of its hour take beyond those of the fastest
}

func (d *dialogue) at() int64 { return d.messages[0].at }

// dialogues cuts a talk where nothing is said for a while.
func (k *talk) dialogues() []dialogue {
	var out []dialogue
	from := 0
	for i := 1; i <= len(k.messages); i++ {
		if i < len(k.messages) && k.messages[i].at-k.messages[i-1].end < pause {
			continue
		}
		out = append(out, dialogue{talk: k, messages: k.messages[from:i], opening: from == 0 && k.opened})
		from = i
	}
	return out
}
