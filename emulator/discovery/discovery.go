// Package discovery holds how the devices of a home find each other on their LAN: mDNS and SSDP messages and when they are answered,
// the groups that a device joins, ARP scans. Both worlds send what it says. It is pure; all of it may be called from any goroutine.
//
// Not modelled: answers that the asker already knows, one-shot questions from other ports than 5353, several records in one answer.
package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/wire"
)

// Message is one message by which devices find each other on their LAN.
type Message struct {
	Payload []byte
	To      netip.AddrPort // a group; of the answer to a search the one that asks
	Own     uint16         // the port it comes from; 0 = any
	Hops    int
}

// ssdpHops is UPnP's TTL (UPnP Device Architecture 1.1, section 1.2.2); multicast DNS has 255 (RFC 6762, section 11).
const (
	ssdpHops = 2
	mdnsHops = 255
)

// New makes what a device asks (OpQuery) or announces (OpAnnounce) by a service: the same in both worlds. addr is
// the device's own address on the family that the service uses.
func New(op profile.Op, s *profile.Service, spec *script.Specimen, addr netip.Addr) Message {
	id := identity(spec)
	if s.Transport == profile.TransportSSDP {
		d := Message{To: netip.AddrPortFrom(wire.GroupSSDP(), wire.PortSSDP), Hops: ssdpHops}
		if Offers(spec.Profile, s.Transport) {
			d.Own = wire.PortSSDP
		}
		if op == profile.OpAnnounce {
			d.Payload = wire.AppendSSDPNotify(nil, s.Host, id, addr)
			return d
		}
		d.Payload = wire.AppendSSDPSearch(nil, s.Host)
		return d
	}
	d := Message{To: netip.AddrPortFrom(wire.GroupMDNS(), wire.PortMDNS), Own: wire.PortMDNS, Hops: mdnsHops}
	if s.Transport == profile.TransportMDNS6 {
		d.To = netip.AddrPortFrom(wire.GroupMDNS6(), wire.PortMDNS)
	}
	if op == profile.OpAnnounce {
		const port = 8009
		d.Payload = wire.AppendMDNSAnswer(nil, &wire.MDNSService{
			Kind: s.Host, Instance: id, Host: "host-" + id[:12], Port: port, Text: "id=" + id, Addr: addr,
		})
		return d
	}
	d.Payload = wire.AppendMDNSQuery(nil, s.Host)
	return d
}

// identity is what a device calls itself in discovery: it tells neither model nor unit.
func identity(spec *script.Specimen) string { return fmt.Sprintf("%016x%x", spec.Seed, spec.MAC[3:]) }

// Offers tells whether a device answers those who look for something by a kind of discovery.
func Offers(p *profile.Profile, t profile.Transport) bool {
	return slices.ContainsFunc(p.Services, func(s profile.Service) bool { return s.Transport == t && s.Answers })
}

// Answer is what a device says to a question for something that it offers.
type Answer struct {
	Message
	Service string // which it is about
	After   int64  // ns from the question on, at least
	Within  int64  // ns after that
	Once    bool   // to everybody: not again within MDNSQuiet
}

// When answers come: a record that others may have, too, is told after 20 to 120 ms, and to everybody once in a second (RFC 6762,
// section 6); the answer to a search comes within the seconds that the search allows (UPnP Device Architecture 1.1, section 1.3.3).
const (
	mdnsAfter  = int64(20e6)
	mdnsWithin = int64(100e6)
	MDNSQuiet  = int64(1e9) // ns between two answers of the same content
)

// Answers returns what a device says to a message that it hears by a kind of discovery: an answer for each service that it offers
// and is asked for. from is where the message comes from, addr the device's own address.
func Answers(t profile.Transport, heard []byte, from netip.AddrPort, spec *script.Specimen, addr netip.Addr) (all []Answer) {
	if t == profile.TransportSSDP {
		target, within, ok := wire.ParseSSDPSearch(heard)
		for i := range spec.Profile.Services {
			s := &spec.Profile.Services[i]
			if ok && s.Transport == t && s.Answers && (target == s.Host || target == "ssdp:all") {
				all = append(all, Answer{Service: s.Name, Within: int64(within) * 1e9, Message: Message{
					Payload: wire.AppendSSDPResponse(nil, s.Host, identity(spec), addr), To: from, Own: wire.PortSSDP, Hops: ssdpHops,
				}})
			}
		}
		return all
	}
	if from.Port() != wire.PortMDNS {
		return nil
	}
	m := new(dns.Msg)
	if m.Unpack(heard) != nil || m.Response {
		return nil
	}
	asked := func(kind string) bool {
		return slices.ContainsFunc(m.Question, func(q dns.Question) bool {
			return (q.Qtype == dns.TypePTR || q.Qtype == dns.TypeANY) && strings.EqualFold(strings.TrimSuffix(q.Name, "."), kind)
		})
	}
	for i := range spec.Profile.Services {
		if s := &spec.Profile.Services[i]; s.Transport == t && s.Answers && asked(s.Host) {
			all = append(all, Answer{New(profile.OpAnnounce, s, spec, addr), s.Name, mdnsAfter, mdnsWithin, true})
		}
	}
	return all
}

// Groups returns the groups of a family that a device listens to for as long as it lives, the newest first, as Linux lists them;
// those that every host is in are not among them.
func Groups(p *profile.Profile, six bool) []netip.Addr {
	var all []netip.Addr
	for i := range p.Services {
		var g netip.Addr
		switch p.Services[i].Transport {
		case profile.TransportMDNS:
			g = wire.GroupMDNS()
		case profile.TransportMDNS6:
			g = wire.GroupMDNS6()
		case profile.TransportSSDP:
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
