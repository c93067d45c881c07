package virtual

import (
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/wire"
)

// A device gets its address by DHCP (RFC 2131) before script time 0, and renews it when half of the lease is over.

// dhcpAgain is how long a client waits for an answer, ns.
const dhcpAgain = int64(1e9)

// lease is what an exchange of a device is about.
func (n *Net) lease(h *Host, xid uint32) *wire.DHCPLease {
	return &wire.DHCPLease{
		XID: xid, MAC: h.mac, Prefix: netip.PrefixFrom(h.spec.Addr, n.c.LAN.Bits()), Server: n.c.Router, Router: n.c.Router, DNS: n.c.DNS,
		MTU: uint16(n.c.MTU), Lease: uint32(n.c.Lease / 1e9),
	}
}

// Boot makes the device ask for its address from a moment on.
func (h *Host) Boot(at int64) {
	if h.spec.Profile.Stack.IPv6 {
		h.n.clock.At(at, h.start6)
	}
	h.n.clock.At(at, func() { h.discover(uint32(h.stack.draws.Uint64())) })
}

func (h *Host) discover(xid uint32) {
	if h.online {
		return
	}
	h.lease = &leaseState{xid: xid}
	h.sayDHCP(wire.AppendDHCPDiscover(nil, h.n.lease(h, xid)), false)
	h.n.clock.At(h.n.clock.Now()+dhcpAgain, func() { h.discover(xid) })
}

// leaseState is how far a device's exchange has come.
type leaseState struct {
	xid     uint32
	offered bool
	renews  bool
}

func (h *Host) sayDHCP(b []byte, renewal bool) {
	h.leased++
	src, dst := uint32(0), uint32(0xffffffff)
	if renewal {
		src, dst = h.addr, u32(h.n.c.Router)
	}
	h.stack.datagram(udp{src, dst, dhcpClient, dhcpServer}, h.leased, b, h.own())
}

// receiveLease takes a server's message.
func (h *Host) receiveLease(b []byte) {
	const fixed = 240
	if len(b) < fixed || h.lease == nil || be32(b[4:]) != h.lease.xid || [6]byte(b[28:34]) != h.mac {
		return
	}
	ack := dhcpKind(b[fixed:]) == dhcpAck
	switch {
	case !ack && !h.lease.offered:
		h.lease.offered = true
		h.n.clock.At(h.n.clock.Now()+h.n.latency.Wake(), func() { h.sayDHCP(wire.AppendDHCPRequest(nil, h.n.lease(h, h.lease.xid)), false) })
	case ack && (!h.online || h.lease.renews):
		h.lease.renews = false
		h.n.clock.At(h.n.clock.Now()+h.n.c.Lease/2, h.renew)
		if !h.online {
			h.online = true
			h.join()
			waiting := h.waiting
			h.waiting = nil
			for _, f := range waiting {
				f()
			}
		}
	}
}

// renew asks for more time, and again after a while if nobody answers.
func (h *Host) renew() {
	h.lease.renews = true
	h.sayDHCP(wire.AppendDHCPRenewal(nil, h.n.lease(h, h.lease.xid)), true)
	h.n.clock.At(h.n.clock.Now()+60*dhcpAgain, func() {
		if h.lease.renews {
			h.renew()
		}
	})
}

// Message types (RFC 2132, section 9.6).
const (
	dhcpDiscover = 1
	dhcpRequest  = 3
	dhcpAck      = 5
)

// dhcpKind finds the type of a message among its options.
func dhcpKind(o []byte) byte {
	for len(o) >= 3 && o[0] != 255 {
		if o[0] == 0 {
			o = o[1:]
			continue
		}
		if o[0] == 53 && o[1] == 1 {
			return o[2]
		}
		o = o[min(2+int(o[1]), len(o)):]
	}
	return 0
}

// serveLease answers a device's DHCP message, in an IP packet.
func (r *router) serveLease(ip []byte) {
	const fixed = 240
	b := ip[packet.IPv4Size+packet.UDPSize:]
	if len(b) < fixed {
		return
	}
	var h *Host
	for _, x := range r.n.hosts {
		if x.mac == [6]byte(b[28:34]) {
			h = x
		}
	}
	if h == nil {
		return
	}
	l := r.n.lease(h, be32(b[4:]))
	var answer []byte
	switch dhcpKind(b[fixed:]) {
	case dhcpDiscover:
		answer = wire.AppendDHCPOffer(nil, l)
	case dhcpRequest:
		answer = wire.AppendDHCPAck(nil, l)
	default:
		return
	}
	dst := uint32(0xffffffff)
	if src := packet.IPv4(ip).Source32(); src != 0 {
		dst = src
	}
	r.n.clock.At(r.n.clock.Now()+r.n.latency.Wake(), func() {
		r.inside.datagram(udp{r.inside.addr, dst, dhcpServer, dhcpClient}, uint16(r.inside.draws.Uint64()), answer, packet.Lineage{
			Unit: packet.UnitGateway, Event: packet.EventNone, Role: packet.RoleData,
		})
	})
}

// toLAN sends what the gateway itself has to say on the LAN.
func (r *router) toLAN(ip []byte, l packet.Lineage) {
	if dst := packet.IPv4(ip).Destination32(); dst != 0xffffffff {
		r.near.Send(dst, ip, l)
		return
	}
	r.frame(ip, broadcastMAC, packet.EtherTypeIPv4, l)
}
