// Package nat is the home router's address translation: a table of mappings (RFC 4787, 5382, 5508, 7857), and the NAPT that rewrites
// packets by it, with fragments and ICMP errors.
//
// Table and NAPT are pure: bytes and the time in, bytes and verdicts out. They know no lock: their caller, the WAN side of a lab,
// serialises them. Not modelled: IPv6, hairpinning (refused and counted, against RFC 4787 REQ-9), application-level gateways, port
// forwarding, ICMP queries other than echo, range and parity of ports (RFC 4787 REQ-3a, REQ-4).
package nat

import (
	"net/netip"

	"glasshouse/emulator/packet"
)

// Filtering says which remote ends may send to a mapping (RFC 4787, section 5).
type Filtering uint8

// Filtering behaviours.
const (
	FilterAddressAndPort Filtering = iota // only ends that the device has sent to
	FilterAddress
	FilterNone // endpoint-independent
)

// TableConfig sets a table's behaviour; times are in ns.
type TableConfig struct {
	WAN        netip.Addr
	Filtering  Filtering
	UDPTimeout int64 // 0 = 300 s, RFC 4787 REQ-5's recommendation
	TCPTimeout int64 // established; 0 = 7440 s, the least of RFC 5382 REQ-5
	TCPPartial int64 // opening or closing; 0 = 240 s, RFC 5382 REQ-5
	ICMP       int64 // 0 = 60 s, RFC 5508 REQ-2
	Limit      int   // mappings a protocol; 0 = 60000
}

// Table maps LAN endpoints to WAN ports: endpoint-independent mapping (RFC 4787 REQ-1), ports preserved where they are
// free. It is pure: the time is given to it. For ICMP echo a port is the identifier (RFC 5508 REQ-1).
type Table struct {
	c     TableConfig
	byLAN map[lanKey]*mapping
	byWAN map[wanKey]*mapping
	count [256]int
	swept [256]int // number of mappings, a protocol, at which those that have expired are thrown out
	next  uint16

	// What was found last each way, by the port's last bits: packets of few connections follow each other.
	out, in [recent]found
}

const recent = 64

// found is a session that lives, or none.
type found struct {
	proto   uint8
	lan     netip.AddrPort // of out
	port    uint16         // of in
	remote  netip.AddrPort
	mapping *mapping
	session *session
}

type lanKey struct {
	proto uint8
	lan   netip.AddrPort
}

type wanKey struct {
	proto uint8
	port  uint16
}

// mapping lives in byLAN while it translates; byWAN keeps it after that until its port is used again, so that truth can
// still tell whose a late packet is.
type mapping struct {
	proto   uint8
	port    uint16
	lan     netip.AddrPort
	remotes map[netip.AddrPort]*session
	prune   int // number of sessions at which those that have expired are thrown out
	expires int64
}

// session is a mapping's traffic with one remote end. Once expired it admits nothing, though its mapping may live on.
type session struct {
	expires                        int64
	synUp, synDown, finUp, finDown bool // TCP: SYNs and FINs seen
	reset                          bool
}

// see follows a TCP connection's state. A SYN after the end begins another connection between the same ends.
func (s *session) see(flags uint8, up bool) {
	if flags&(packet.FlagSYN|packet.FlagACK) == packet.FlagSYN && (s.reset || s.finUp && s.finDown) {
		*s = session{expires: s.expires}
	}
	syn, fin := flags&packet.FlagSYN != 0, flags&packet.FlagFIN != 0
	if up {
		s.synUp, s.finUp = s.synUp || syn, s.finUp || fin
	} else {
		s.synDown, s.finDown = s.synDown || syn, s.finDown || fin
	}
	s.reset = s.reset || flags&packet.FlagRST != 0
}

// established tells a connection that is open from one that is opening or closing (RFC 5382's "transitory").
func (s *session) established() bool {
	closed := s.reset || s.finUp && s.finDown
	return s.synUp && s.synDown && !closed
}

// NewTable returns an empty table.
func NewTable(c TableConfig) *Table {
	set := func(v *int64, seconds int64) {
		if *v == 0 {
			*v = seconds * 1e9
		}
	}
	set(&c.UDPTimeout, 300)
	set(&c.TCPTimeout, 7440)
	set(&c.TCPPartial, 240)
	set(&c.ICMP, 60)
	if c.Limit == 0 {
		c.Limit = 60000
	}
	return &Table{c: c, byLAN: make(map[lanKey]*mapping), byWAN: make(map[wanKey]*mapping), next: firstPort}
}

// firstPort is the lowest that a translation uses: RFC 4787 REQ-3 keeps the well-known ports apart.
const firstPort = 1024

// pruneAt is how many sessions a mapping may hold before it first looks for expired ones.
const pruneAt = 64

// Out returns the WAN endpoint for a packet from lan to remote, making a mapping if there is none; ok is false when the
// table is full. flags are TCP's, 0 otherwise.
func (t *Table) Out(now int64, proto uint8, lan, remote netip.AddrPort, flags uint8) (wan netip.AddrPort, ok bool) {
	if f := &t.out[lan.Port()%recent]; f.mapping != nil && f.lan == lan && f.remote == remote && f.proto == proto && f.session.expires > now {
		f.session.see(flags, true)
		t.refresh(now, f.mapping, f.session)
		return netip.AddrPortFrom(t.c.WAN, f.mapping.port), true
	}
	k := lanKey{proto, lan}
	m := t.byLAN[k]
	if m != nil && m.expires <= now {
		t.retire(m)
		m = nil
	}
	if m == nil {
		port, ok := t.allocate(now, proto, lan.Port())
		if !ok {
			return netip.AddrPort{}, false
		}
		m = &mapping{proto: proto, port: port, lan: lan, remotes: make(map[netip.AddrPort]*session), prune: pruneAt}
		t.byLAN[k] = m
		t.byWAN[wanKey{proto, port}] = m
		t.count[proto]++
	}
	s := m.session(now, remote)
	s.see(flags, true)
	t.refresh(now, m, s)
	t.out[lan.Port()%recent] = found{proto: proto, lan: lan, remote: remote, mapping: m, session: s}
	return netip.AddrPortFrom(t.c.WAN, m.port), true
}

// In returns the LAN endpoint for a packet from remote to a WAN port; ok is false where no mapping admits it.
func (t *Table) In(now int64, proto uint8, port uint16, remote netip.AddrPort, flags uint8) (lan netip.AddrPort, ok bool) {
	if f := &t.in[port%recent]; f.mapping != nil && f.port == port && f.remote == remote && f.proto == proto && f.session.expires > now {
		if proto == packet.ProtoTCP {
			f.session.see(flags, false)
			t.refresh(now, f.mapping, f.session)
		}
		return f.mapping.lan, true
	}
	m := t.live(now, proto, port)
	if m == nil {
		return netip.AddrPort{}, false
	}
	if s := m.remotes[remote]; (s == nil || s.expires <= now) && !t.admits(now, m, remote) {
		return netip.AddrPort{}, false
	}
	if proto == packet.ProtoTCP { // RFC 4787 REQ-6: inbound traffic need not keep a UDP mapping alive, nor an ICMP one
		s := m.session(now, remote)
		s.see(flags, false)
		t.refresh(now, m, s)
	}
	if s := m.remotes[remote]; s != nil {
		t.in[port%recent] = found{proto: proto, port: port, remote: remote, mapping: m, session: s}
	}
	return m.lan, true
}

// session returns the mapping's session with a remote end, a new one if there is none that lives.
func (m *mapping) session(now int64, remote netip.AddrPort) *session {
	s := m.remotes[remote]
	switch {
	case s == nil:
		if len(m.remotes) >= m.prune {
			for r, o := range m.remotes {
				if o.expires <= now {
					delete(m.remotes, r)
				}
			}
			m.prune = max(pruneAt, 2*len(m.remotes))
		}
		s = &session{}
		m.remotes[remote] = s
	case s.expires <= now:
		*s = session{}
	}
	return s
}

// Peer returns the LAN endpoint behind a WAN port without touching the mapping: a server asks who calls.
func (t *Table) Peer(proto uint8, port uint16) (lan netip.AddrPort, ok bool) {
	m := t.byWAN[wanKey{proto, port}]
	if m == nil {
		return netip.AddrPort{}, false
	}
	return m.lan, true
}

func (t *Table) live(now int64, proto uint8, port uint16) *mapping {
	m := t.byWAN[wanKey{proto, port}]
	if m == nil || t.byLAN[lanKey{proto, m.lan}] != m {
		return nil
	}
	if m.expires <= now {
		t.retire(m)
		return nil
	}
	return m
}

// spoke tells whether a live mapping has a live session with a remote end.
func (m *mapping) spoke(now int64, remote netip.AddrPort) bool {
	s := m.remotes[remote]
	return s != nil && s.expires > now
}

func (t *Table) admits(now int64, m *mapping, remote netip.AddrPort) bool {
	switch t.c.Filtering {
	case FilterNone:
		return true
	case FilterAddress:
		for r, s := range m.remotes {
			if r.Addr() == remote.Addr() && s.expires > now {
				return true
			}
		}
	case FilterAddressAndPort:
	}
	return false
}

// refresh moves a session's expiry, and with it the mapping's: the latest of its sessions'.
func (t *Table) refresh(now int64, m *mapping, s *session) {
	switch {
	case m.proto == packet.ProtoTCP && s.established():
		s.expires = now + t.c.TCPTimeout
	case m.proto == packet.ProtoTCP:
		s.expires = now + t.c.TCPPartial
	case m.proto == packet.ProtoICMP:
		s.expires = now + t.c.ICMP
	default:
		s.expires = now + t.c.UDPTimeout
	}
	if s.expires >= m.expires {
		m.expires = s.expires
		return
	}
	m.expires = 0
	for r, o := range m.remotes {
		if o.expires <= now {
			delete(m.remotes, r)
			continue
		}
		m.expires = max(m.expires, o.expires)
	}
}

// retire ends a mapping; byWAN still knows its owner.
func (t *Table) retire(m *mapping) {
	delete(t.byLAN, lanKey{m.proto, m.lan})
	m.remotes = nil
	if f := &t.out[m.lan.Port()%recent]; f.mapping == m {
		*f = found{}
	}
	if f := &t.in[m.port%recent]; f.mapping == m {
		*f = found{}
	}
	t.count[m.proto]--
}

// Live is how many mappings of a protocol the table holds, those included that have expired unnoticed.
func (t *Table) Live(proto uint8) int { return t.count[proto] }

// Sessions is how many remote ends a port's mapping remembers.
func (t *Table) Sessions(proto uint8, port uint16) int {
	if m := t.byWAN[wanKey{proto, port}]; m != nil {
		return len(m.remotes)
	}
	return 0
}

// allocate finds a WAN port: the LAN's own if it is free, otherwise the next free one. Echo identifiers know no
// well-known range.
func (t *Table) allocate(now int64, proto uint8, want uint16) (uint16, bool) {
	if t.count[proto] >= max(t.swept[proto], sweepFrom) || t.count[proto] >= t.c.Limit {
		t.sweep(now, proto)
		t.swept[proto] = 2 * t.count[proto]
		if t.count[proto] >= t.c.Limit {
			return 0, false
		}
	}
	if (want >= firstPort || proto == packet.ProtoICMP) && t.live(now, proto, want) == nil {
		return want, true
	}
	for range 65536 - firstPort {
		p := t.next
		if t.next++; t.next < firstPort {
			t.next = firstPort
		}
		if t.live(now, proto, p) == nil {
			return p, true
		}
	}
	return 0, false
}

// sweepFrom is how many mappings of a protocol may lie about at least before expired ones are looked for.
const sweepFrom = 1024

// sweep retires what has expired.
func (t *Table) sweep(now int64, proto uint8) {
	for k, m := range t.byLAN {
		if k.proto == proto && m.expires <= now {
			t.retire(m)
		}
	}
}
