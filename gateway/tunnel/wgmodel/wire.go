package wgmodel

import (
	"encoding/binary"
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// outerHeaders are the bytes before WireGuard's message: IPv4 without options, UDP.
const outerHeaders = packet.IPv4Size + packet.UDPSize

// outerWire writes outer packets. They are as Linux sends them from a UDP socket that is not connected and discovers the path's
// MTU: don't fragment, identification 0, TTL 64.
type outerWire struct {
	header [outerHeaders]byte // lengths and checksums are zero
	ipSum  uint32             // of header's IPv4 part
	udpSum uint32             // of its UDP part and the pseudo-header
	remote netip.AddrPort
	aimed  bool   // the peer's address is known
	place  uint64 // in the noise, of the next message: they follow one another, which is kind to caches
}

// aim sets where packets go; an invalid remote leaves it as it was.
func (w *outerWire) aim(local, remote netip.AddrPort) {
	if !remote.IsValid() || w.aimed && remote == w.remote {
		return
	}
	w.remote, w.aimed = remote, true
	h := &w.header
	*h = [outerHeaders]byte{0: 0x45, 6: 0x40, 8: 64, 9: packet.ProtoUDP}
	src, dst := local.Addr().As4(), remote.Addr().As4()
	copy(h[12:], src[:])
	copy(h[16:], dst[:])
	binary.BigEndian.PutUint16(h[20:], local.Port())
	binary.BigEndian.PutUint16(h[22:], remote.Port())
	w.ipSum = sumWords(h[:20])
	w.udpSum = sumWords(h[12:]) + uint32(packet.ProtoUDP)
}

// data makes a transport message for an inner packet of size bytes, 0 for a keepalive.
func (w *outerWire) data(c *Config, k outer.Key, size int) []byte {
	n := outer.TransportSize + min((size+15)&^15, c.MTU)
	b := c.Pool.Get()[:outerHeaders+n]
	m := b[outerHeaders:]
	binary.LittleEndian.PutUint32(m, outer.TypeTransport)
	binary.LittleEndian.PutUint32(m[4:], k.Receiver)
	binary.LittleEndian.PutUint64(m[8:], k.Counter)
	const head = outer.HeaderSize
	fill := n - head
	if c.Fill > 0 {
		fill = max(min(fill, c.Fill-outerHeaders-head), 0)
	}
	place := w.noise(c.Noise, m[head:], fill)
	if c.Unsummed {
		w.unsummed(b)
		return b
	}
	w.finish(b, sumWords(m[:head])+uint32(c.Noise.Sum(place, len(m)-head)))
	return b
}

// handshake makes an initiation or a response. Its last 16 bytes, which would prove a cookie, are zero.
//
//	0      4        8           12
//	| type | sender | ephemeral, static, timestamp, MAC1 ...         | 16 zeros |   148 bytes
//	| type | sender | receiver | ephemeral, empty, MAC1 ...          | 16 zeros |    92 bytes
func (w *outerWire) handshake(c *Config, kind uint32, size int, sender, receiver uint32) []byte {
	b := c.Pool.Get()[:outerHeaders+size]
	m := b[outerHeaders:]
	binary.LittleEndian.PutUint32(m, kind)
	binary.LittleEndian.PutUint32(m[4:], sender)
	head, body := 8, size-16
	if kind == outer.TypeResponse {
		binary.LittleEndian.PutUint32(m[8:], receiver)
		head = 12
	}
	clear(m[body:])
	place := w.noise(c.Noise, m[head:body], body-head)
	w.finish(b, sumWords(m[:head])+uint32(c.Noise.Sum(place, body-head)))
	return b
}

// noise fills the first bytes of what is encrypted, and returns its place.
func (w *outerWire) noise(n *packet.Noise, to []byte, fill int) (place uint64) {
	place = w.place
	w.place += uint64(len(to))
	copy(to, n.Window(place, fill))
	return place
}

// unsummed writes the headers of a packet without its UDP checksum.
func (w *outerWire) unsummed(b []byte) {
	copy(b, w.header[:])
	total, size := uint32(len(b)), uint32(len(b)-20)
	binary.BigEndian.PutUint16(b[2:], uint16(total))
	binary.BigEndian.PutUint16(b[10:], ^foldSum(w.ipSum+total))
	binary.BigEndian.PutUint16(b[24:], uint16(size))
}

// finish writes the headers of a packet whose message has the given sum.
func (w *outerWire) finish(b []byte, sum uint32) {
	w.unsummed(b)
	check := ^foldSum(w.udpSum + 2*uint32(len(b)-20) + sum) // the length counts in the pseudo-header too
	if check == 0 {
		check = 0xffff // RFC 768: 0 would mean none
	}
	binary.BigEndian.PutUint16(b[26:], check)
}

// sumWords adds the 16-bit words of a multiple of 4 bytes, at most 64 KiB.
func sumWords(b []byte) (s uint32) {
	for ; len(b) >= 4; b = b[4:] {
		v := binary.BigEndian.Uint32(b)
		s += v>>16 + v&0xffff
	}
	return s
}

// foldSum makes a ones' complement sum of 16 bits.
func foldSum(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}

// udpMessage returns the sender and the payload of an IPv4 packet with UDP; nil where it is none.
func udpMessage(ip []byte) (from netip.AddrPort, message []byte) {
	h, ok := packet.ParseIPv4(ip)
	if !ok || h.Protocol() != packet.ProtoUDP || !h.Complete() {
		return from, nil
	}
	u, ok := packet.ParseUDP(h.Payload())
	if !ok || !u.Complete() {
		return from, nil
	}
	return netip.AddrPortFrom(h.SourceAddr(), u.SourcePort()), u.Payload()[:u.Length()-packet.UDPSize]
}

// flight holds what is inside the outer packets on their way, by their keys: a table that two packets on their way do not share
// a place of, and that grows where they would.
type flight struct {
	slots []flightSlot // a power of two
	lost  int64
}

type flightSlot struct {
	key   outer.Key
	at    int64  // ns, when it was sent
	inner []byte // nil in a keepalive
	taken bool   // false while it is on its way; true in a slot that was never used, too
}

const (
	// flightLife is after how long a packet is taken for lost if its place is needed, ns: more than a home's queue holds.
	flightLife = int64(4e9)
	// flightLimit is how many places there are at most. Losses keep buffers until their place is needed: 64 MiB of them, then.
	flightLimit = 1 << 15
)

func newFlight() flight { return flight{slots: freeSlots(256)} }

func freeSlots(n int) []flightSlot {
	s := make([]flightSlot, n)
	for i := range s {
		s[i].taken = true
	}
	return s
}

// slot is a key's place: counters follow one another, each keypair from a start of its own.
func (f *flight) slot(k outer.Key) *flightSlot {
	return &f.slots[(k.Counter+uint64(k.Receiver))&uint64(len(f.slots)-1)]
}

func (f *flight) put(k outer.Key, inner []byte, now int64, pool *packet.Pool) {
	s := f.slot(k)
	for !s.taken && now-s.at <= flightLife && len(f.slots) < flightLimit {
		f.grow()
		s = f.slot(k)
	}
	if !s.taken && s.inner != nil {
		f.lost++
		pool.Put(s.inner)
	}
	*s = flightSlot{key: k, at: now, inner: inner}
}

// take returns what is inside a packet that arrives, once.
func (f *flight) take(k outer.Key) (inner []byte, ok bool) {
	s := f.slot(k)
	if s.taken || s.key != k {
		return nil, false
	}
	inner, s.inner, s.taken = s.inner, nil, true
	return inner, true
}

// grow doubles the table: what had different places still has.
func (f *flight) grow() {
	old := f.slots
	f.slots = freeSlots(2 * len(old))
	for i := range old {
		if !old[i].taken {
			*f.slot(old[i].key) = old[i]
		}
	}
}

// clear gives everything back and returns how many packets that were.
func (f *flight) clear(pool *packet.Pool) (n int64) {
	for i := range f.slots {
		if s := &f.slots[i]; !s.taken && s.inner != nil {
			pool.Put(s.inner)
			n++
		}
	}
	f.slots = freeSlots(1)
	return n
}
