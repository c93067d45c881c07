package emulator

import (
	"fmt"
	"net/netip"
	"slices"

	"glasshouse/devices"
	"glasshouse/emulator/wire"
)

// Discovery is one multicast message of a device on its LAN.
type Discovery struct {
	Payload []byte
	Group   netip.AddrPort
	Own     uint16 // the port it comes from; 0 = any
	Hops    int
}

// ssdpHops is UPnP's TTL (UPnP Device Architecture 1.1, section 1.2.2); multicast DNS has 255 (RFC 6762, section 11).
const (
	ssdpHops = 2
	mdnsHops = 255
)

// NewDiscovery makes what a device asks (OpQuery) or announces (OpAnnounce) by a service: the same in both worlds. addr is
// the device's own address on the family that the service uses.
func NewDiscovery(op devices.Op, s *devices.Service, spec *devices.Specimen, addr netip.Addr) Discovery {
	id := fmt.Sprintf("%016x%x", spec.Seed, spec.MAC[3:])
	if s.Transport == devices.TransportSSDP {
		d := Discovery{Group: netip.AddrPortFrom(wire.GroupSSDP(), wire.PortSSDP), Hops: ssdpHops}
		if op == devices.OpAnnounce {
			d.Payload = wire.AppendSSDPNotify(nil, s.Host, id, addr)
			return d
		}
		d.Payload = wire.AppendSSDPSearch(nil, s.Host)
		return d
	}
	d := Discovery{Group: netip.AddrPortFrom(wire.GroupMDNS(), wire.PortMDNS), Own: wire.PortMDNS, Hops: mdnsHops}
	if s.Transport == devices.TransportMDNS6 {
		d.Group = netip.AddrPortFrom(wire.GroupMDNS6(), wire.PortMDNS)
	}
	if op == devices.OpAnnounce {
		const port = 8009
		d.Payload = wire.AppendMDNSAnswer(nil, s.Host, id, "host-"+id[:12], port, "id="+id, addr)
		return d
	}
	d.Payload = wire.AppendMDNSQuery(nil, s.Host)
	return d
}

// ScanPace is what passes between two questions of a scan of the LAN, ns: assumed, a second for a /24.
const ScanPace = int64(4e6)

// Neighbours returns the addresses of a LAN that a scan asks for, in order: all but the network's, the broadcast's and one's own.
func Neighbours(lan netip.Prefix, own netip.Addr) []netip.Addr {
	var all []netip.Addr
	for a := lan.Masked().Addr().Next(); lan.Contains(a.Next()); a = a.Next() {
		if a != own {
			all = append(all, a)
		}
	}
	return all
}

// Groups returns the groups of a family that a device listens to for as long as it lives, the newest first, as Linux lists them;
// those that every host is in are not among them.
func Groups(p *devices.Profile, six bool) []netip.Addr {
	var all []netip.Addr
	for i := range p.Services {
		var g netip.Addr
		switch p.Services[i].Transport {
		case devices.TransportMDNS:
			g = wire.GroupMDNS()
		case devices.TransportMDNS6:
			g = wire.GroupMDNS6()
		case devices.TransportSSDP:
			g = wire.GroupSSDP()
		default:
			continue
		}
		if g.Is6() == six && !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	slices.Reverse(all)
	return all
}
