// Package truth attributes packets to what caused them. Hosts and servers register a flow before its first packet and
// announce every byte before they write it; the path then asks what a packet carries.
//
// Lookups are by construction, never by clock: a segment by its sequence number, a datagram by its bytes, a packet
// that crosses a kernel by its bytes with the TTL masked (Hop). It does not hold labels: package dataset does.
// All types are safe for concurrent use.
package truth

import (
	"hash/maphash"
	"net/netip"
	"sync"

	"glasshouse/emulator/packet"
)

// Key names a flow by the addresses that the LAN sees. For ICMP echo the device's port is the identifier, the remote's is 0.
type Key struct {
	Proto          uint8
	Device, Remote [4]byte
	DevicePort     uint16
	RemotePort     uint16
}

// KeyOf builds a Key from addresses, which must be IPv4.
func KeyOf(proto uint8, device, remote netip.AddrPort) Key {
	return Key{
		Proto: proto, Device: device.Addr().Unmap().As4(), Remote: remote.Addr().Unmap().As4(),
		DevicePort: device.Port(), RemotePort: remote.Port(),
	}
}

// ParseKey reads the flow of an IPv4 packet whose addresses are the LAN's. An ICMP error yields the flow of the packet
// that it quotes, and icmpError is true. ok is false for what has no flow: other protocols, later fragments, short packets.
func ParseKey(ip []byte, dir int8) (key Key, icmpError, ok bool) {
	l4, proto, ok := transport(ip)
	if !ok || len(l4) < 8 {
		return Key{}, false, false
	}
	key = Key{Proto: proto}
	src, dst := packet.IPv4(ip).Source(), packet.IPv4(ip).Destination()
	up := dir == packet.Up
	if up {
		key.Device, key.Remote = src, dst
	} else {
		key.Device, key.Remote = dst, src
	}
	switch proto {
	case packet.ProtoTCP, packet.ProtoUDP:
		a, b := packet.UDP(l4).SourcePort(), packet.UDP(l4).DestinationPort() // TCP's lie in the same places
		if up {
			key.DevicePort, key.RemotePort = a, b
		} else {
			key.DevicePort, key.RemotePort = b, a
		}
		return key, false, true
	case packet.ProtoICMP:
		switch m := packet.ICMP(l4); {
		case m.Echo():
			key.DevicePort = m.Identifier()
			return key, false, true
		case m.Error(): // quotes a packet that went the other way
			key, _, ok = ParseKey(m.Payload(), -dir)
			return key, true, ok
		}
	}
	return Key{}, false, false
}

// transport returns the bytes above the IPv4 header. A quoted packet may be cut short: the total length is not checked.
func transport(ip []byte) (l4 []byte, proto uint8, ok bool) {
	h, ok := packet.ParseIPv4(ip)
	if !ok || h.FragmentOffset() != 0 {
		return nil, 0, false
	}
	return h.Payload(), h.Protocol(), true
}

// closedFor is how long a closed flow is still known: longer than TIME_WAIT (60 s on Linux), so that late segments find it.
const closedFor = int64(300e9)

// Registry holds the flows of one home.
type Registry struct {
	mu    sync.RWMutex
	flows map[Key]*Flow
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{flows: make(map[Key]*Flow)} }

// Open registers a flow before its first packet. plain says that the remote end is a server that announces nothing
// (DNS, NTP, an echo responder): its answers take the tag of what the device sent last.
func (r *Registry) Open(key Key, unit int32, tag packet.Tag, plain bool) *Flow {
	f := &Flow{key: key, unit: unit, plain: plain, open: tag}
	r.mu.Lock()
	r.flows[key] = f
	r.mu.Unlock()
	return f
}

// Find returns the flow, or nil.
func (r *Registry) Find(key Key) *Flow {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.flows[key]
}

// Close marks a flow as closed at now (ns); Sweep forgets it later.
func (r *Registry) Close(f *Flow, now int64) {
	f.mu.Lock()
	f.closedAt = max(now, 1)
	f.mu.Unlock()
}

// Sweep forgets flows closed long before now. It is called about once a second.
func (r *Registry) Sweep(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, f := range r.flows {
		f.mu.Lock()
		gone := f.closedAt != 0 && now-f.closedAt > closedFor
		f.mu.Unlock()
		if gone {
			delete(r.flows, k)
		}
	}
}

// Attribute says what an IPv4 packet in the LAN's view carries, and to which unit it belongs. It must see the packets of
// a direction in the order in which they were sent. ok is false where no flow accounts for the packet.
func (r *Registry) Attribute(ip []byte, dir int8) (packet.Lineage, bool) {
	key, icmpError, ok := ParseKey(ip, dir)
	if !ok {
		return packet.Unattributed(), false
	}
	return r.AttributeAs(key, icmpError, ip, dir)
}

// AttributeAs is Attribute for a packet whose flow is known from elsewhere: a translated one that will never reach the LAN.
func (r *Registry) AttributeAs(key Key, icmpError bool, ip []byte, dir int8) (packet.Lineage, bool) {
	f := r.Find(key)
	l4, _, ok := transport(ip)
	if f == nil || !ok {
		return packet.Unattributed(), false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	tag := f.open
	switch {
	case icmpError:
		tag = f.open.As(packet.RoleICMPError)
	case key.Proto == packet.ProtoTCP:
		seg, whole := packet.ParseTCP(l4)
		if !whole {
			return packet.Unattributed(), false
		}
		tag, ok = f.tcp(dir, seg)
	case key.Proto == packet.ProtoUDP:
		tag, ok = f.udp(dir, packet.UDP(l4).Payload())
	}
	if !ok {
		return packet.Unattributed(), false
	}
	return packet.Lineage{Unit: f.unit, Activity: tag.Activity, Role: tag.Role, Event: tag.Event}, true
}

// seed makes the hashes of one process; they never leave it.
var seed = maphash.MakeSeed()

func hash(b []byte) uint64 { return maphash.Bytes(seed, b) }
