package virtual

import (
	"net/netip"

	"glasshouse/devices"
	"glasshouse/emulator"
	"glasshouse/emulator/wire"
)

// What a device answers to those who look for something on the LAN. It is what the device does by itself: no activity of a script.

// ears are a device's sockets for questions.
type ears struct {
	mdns, mdns6, ssdp bool
	said              map[string]int64 // until when an answer about a service is not said again, ns
}

func newEars(p *devices.Profile) *ears {
	e := &ears{
		mdns: emulator.Offers(p, devices.TransportMDNS), mdns6: emulator.Offers(p, devices.TransportMDNS6),
		ssdp: emulator.Offers(p, devices.TransportSSDP), said: make(map[string]int64),
	}
	if e.mdns || e.mdns6 || e.ssdp {
		return e
	}
	return nil
}

// hear takes an IPv4 packet to a group.
func (h *Host) hear(ip []byte) {
	if len(ip) < ipv4Size+udpSize || ip[9] != protoUDP || !h.online {
		return
	}
	u, group := ip[ipv4Size:], addrOf(be32(ip[16:]))
	from := netip.AddrPortFrom(addrOf(be32(ip[12:])), be16(u))
	switch port := be16(u[2:]); {
	case h.ears.mdns && port == wire.PortMDNS && group == wire.GroupMDNS():
		h.answer(devices.TransportMDNS, u[udpSize:], from)
	case h.ears.ssdp && port == wire.PortSSDP && group == wire.GroupSSDP():
		h.answer(devices.TransportSSDP, u[udpSize:], from)
	}
}

// hear6 takes an IPv6 packet.
func (h *Host) hear6(ip []byte) {
	const ipv6Size = 40
	if len(ip) < ipv6Size+udpSize || ip[6] != protoUDP || !h.online || !h.ears.mdns6 || netip.AddrFrom16([16]byte(ip[24:40])) != wire.GroupMDNS6() {
		return
	}
	if u := ip[ipv6Size:]; be16(u[2:]) == wire.PortMDNS {
		h.answer(devices.TransportMDNS6, u[udpSize:], netip.AddrPortFrom(netip.AddrFrom16([16]byte(ip[8:24])), be16(u)))
	}
}

func (h *Host) answer(t devices.Transport, heard []byte, from netip.AddrPort) {
	now := h.n.clock.Now()
	for _, a := range emulator.Answers(t, heard, from, h.spec, h.addrOf(t)) {
		if a.Once && now < h.ears.said[a.Service] {
			continue
		}
		at := now + a.After + h.stack.draws.n(a.Within)
		if a.Once {
			h.ears.said[a.Service] = at + emulator.MDNSQuiet
		}
		h.n.at(at, func() { h.sayLAN(a.Discovery, h.own()) })
	}
}
