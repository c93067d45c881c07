// Package gateway is the home router: the access point on the LAN side, NAPT or a WireGuard tunnel, the WAN queue and the
// path behind it.
//
// Table, NAPT, Queue and Path are pure: bytes and the time in, bytes and verdicts out; they know no lock, and their caller
// serialises them. AccessPoint and Line are safe for concurrent use. Tunnel runs wireguard-go. The package opens nothing:
// it is handed interfaces and listeners. Not modelled: IPv6, hairpinning, application-level gateways, port forwarding.
package gateway

import "net/netip"

// IP protocols that a NAPT translates.
const (
	protoICMP uint8 = 1
	protoTCP  uint8 = 6
	protoUDP  uint8 = 17
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
	next  uint16
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
	expires int64
}

// session is a mapping's traffic with one remote end.
type session struct {
	expires                        int64
	synUp, synDown, finUp, finDown bool // TCP: SYNs and FINs seen
	reset                          bool
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

// TCP flags.
const (
	tcpFIN = 1 << 0
	tcpSYN = 1 << 1
	tcpRST = 1 << 2
)

// Out returns the WAN endpoint for a packet from lan to remote, making a mapping if there is none; ok is false when the
// table is full. flags are TCP's, 0 otherwise.
func (t *Table) Out(now int64, proto uint8, lan, remote netip.AddrPort, flags uint8) (wan netip.AddrPort, ok bool) {
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
		m = &mapping{proto: proto, port: port, lan: lan, remotes: make(map[netip.AddrPort]*session)}
		t.byLAN[k] = m
		t.byWAN[wanKey{proto, port}] = m
		t.count[proto]++
	}
	s := m.remotes[remote]
	if s == nil {
		s = &session{}
		m.remotes[remote] = s
	}
	s.synUp = s.synUp || flags&tcpSYN != 0
	s.finUp = s.finUp || flags&tcpFIN != 0
	t.refresh(now, m, s, flags)
	return netip.AddrPortFrom(t.c.WAN, m.port), true
}

// In returns the LAN endpoint for a packet from remote to a WAN port; ok is false where no mapping admits it.
func (t *Table) In(now int64, proto uint8, port uint16, remote netip.AddrPort, flags uint8) (lan netip.AddrPort, ok bool) {
	m := t.live(now, proto, port)
	if m == nil {
		return netip.AddrPort{}, false
	}
	s := m.remotes[remote]
	if s == nil && !t.admits(m, remote) {
		return netip.AddrPort{}, false
	}
	if s == nil {
		s = &session{}
		m.remotes[remote] = s
	}
	s.synDown = s.synDown || flags&tcpSYN != 0
	s.finDown = s.finDown || flags&tcpFIN != 0
	if proto == protoTCP || flags != 0 { // RFC 4787 REQ-6: inbound traffic need not keep a UDP mapping alive
		t.refresh(now, m, s, flags)
	}
	return m.lan, true
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

func (t *Table) admits(m *mapping, remote netip.AddrPort) bool {
	switch t.c.Filtering {
	case FilterNone:
		return true
	case FilterAddress:
		for r := range m.remotes {
			if r.Addr() == remote.Addr() {
				return true
			}
		}
	}
	return false
}

// refresh moves a session's expiry, and with it the mapping's: the latest of its sessions'.
func (t *Table) refresh(now int64, m *mapping, s *session, flags uint8) {
	switch m.proto {
	case protoTCP:
		s.reset = (s.reset || flags&tcpRST != 0) && flags&tcpSYN == 0
		if s.synUp && s.synDown && !s.reset && !(s.finUp && s.finDown) {
			s.expires = now + t.c.TCPTimeout
		} else {
			s.expires = now + t.c.TCPPartial
		}
		if flags&tcpSYN != 0 && flags != tcpSYN|1<<4 { // a new connection on the same ends
			s.finUp, s.finDown = false, false
		}
	case protoICMP:
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
	t.count[m.proto]--
}

// allocate finds a WAN port: the LAN's own if it is free, otherwise the next free one.
func (t *Table) allocate(now int64, proto uint8, want uint16) (uint16, bool) {
	if t.count[proto] >= t.c.Limit {
		t.sweep(now, proto)
		if t.count[proto] >= t.c.Limit {
			return 0, false
		}
	}
	if want >= firstPort && t.live(now, proto, want) == nil {
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

// sweep retires what has expired.
func (t *Table) sweep(now int64, proto uint8) {
	for k, m := range t.byLAN {
		if k.proto == proto && m.expires <= now {
			t.retire(m)
		}
	}
}
