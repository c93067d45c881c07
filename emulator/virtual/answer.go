package virtual

import (
	"net/netip"

	"glasshouse/devices/profile"
	"glasshouse/emulator/discovery"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/wire"
)

// What a device answers to those who look for something on the LAN. It is what the device does by itself: no activity of a script.

// ears are a device's sockets for questions.
type ears struct {
	mdns, mdns6, ssdp bool
	said              map[string]int64 // until when an answer about a service is not said again, ns
}

func newEars(p *profile.Profile) *ears {
	e := &ears{
		mdns: discovery.Offers(p, profile.TransportMDNS), mdns6: discovery.Offers(p, profile.TransportMDNS6),
		ssdp: discovery.Offers(p, profile.TransportSSDP), said: make(map[string]int64),
	}
	if e.mdns || e.mdns6 || e.ssdp {
		return e
	}
	return nil
}

// hear takes an IPv4 packet to a group.
func (h *Host) hear(ip []byte) {
	head := packet.IPv4(ip)
	if len(ip) < packet.IPv4Size+packet.UDPSize || head.Protocol() != packet.ProtoUDP || !h.online {
		return
	}
	u, group := packet.UDP(ip[packet.IPv4Size:]), head.DestinationAddr()
	from := netip.AddrPortFrom(head.SourceAddr(), u.SourcePort())
	switch port := u.DestinationPort(); {
	case h.ears.mdns && port == wire.PortMDNS && group == wire.GroupMDNS():
		h.answer(profile.TransportMDNS, u.Payload(), from)
	case h.ears.ssdp && port == wire.PortSSDP && group == wire.GroupSSDP():
		h.answer(profile.TransportSSDP, u.Payload(), from)
	}
}

// hear6 takes an IPv6 packet.
func (h *Host) hear6(ip []byte) {
	head := packet.IPv6(ip)
	if len(ip) < packet.IPv6Size+packet.UDPSize || head.NextHeader() != packet.ProtoUDP || !h.online || !h.ears.mdns6 ||
		head.DestinationAddr() != wire.GroupMDNS6() {
		return
	}
	if u := packet.UDP(ip[packet.IPv6Size:]); u.DestinationPort() == wire.PortMDNS {
		h.answer(profile.TransportMDNS6, u.Payload(), netip.AddrPortFrom(head.SourceAddr(), u.SourcePort()))
	}
}

func (h *Host) answer(t profile.Transport, heard []byte, from netip.AddrPort) {
	now := h.n.clock.Now()
	for _, a := range discovery.Answers(t, heard, from, h.spec, h.addrOf(t)) {
		if a.Once && now < h.ears.said[a.Service] {
			continue
		}
		at := now + a.After + h.stack.draws.N(a.Within)
		if a.Once {
			h.ears.said[a.Service] = at + discovery.MDNSQuiet
		}
		h.n.clock.At(at, func() { h.sayLAN(a.Message, h.own()) })
	}
}
