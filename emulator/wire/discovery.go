package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"net/textproto"
	"strings"
)

// Discovery on the LAN: multicast DNS (RFC 6762, with RFC 6763's service records) and SSDP (UPnP Device Architecture 1.1,
// section 1). Messages are whole and right, so that analysers read them.

// Ports of UDP services: of DNS and NTP, and of discovery.
const (
	PortDNS  = 53
	PortNTP  = 123
	PortMDNS = 5353
	PortSSDP = 1900
)

// GroupMDNS returns the group of multicast DNS over IPv4 (RFC 6762, section 3).
func GroupMDNS() netip.Addr { return netip.AddrFrom4([4]byte{224, 0, 0, 251}) }

// GroupMDNS6 returns its group over IPv6, on the link.
func GroupMDNS6() netip.Addr { return netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0xfb}) }

// GroupSSDP returns SSDP's group.
func GroupSSDP() netip.Addr { return netip.AddrFrom4([4]byte{239, 255, 255, 250}) }

const (
	dnsTypePTR  = 12
	dnsTypeTXT  = 16
	dnsTypeSRV  = 33
	dnsClassIN  = 1
	mdnsUnique  = 0x8000 // the set of records is whole (RFC 6762, section 10.2)
	mdnsLong    = 4500   // s, of records that name no host
	mdnsShort   = 120    // s, of those that do
	mdnsReplies = 0x8400 // an authoritative answer
	ssdpMaxAge  = 1800   // s: UPnP's least

	ssdpMostWait = 5 // s: what an answer waits at most, whatever a search allows
)

// AppendMDNSQuery appends a question for all services of a kind, as in _googlecast._tcp.local.
func AppendMDNSQuery(b []byte, kind string) []byte {
	b = append(b, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	b = appendMDNSName(b, kind)
	return append(b, 0, dnsTypePTR, 0, dnsClassIN)
}

// MDNSService is an instance of a service, as mDNS announces it.
type MDNSService struct {
	Kind, Instance string // as "_googlecast._tcp.local" and a name of its own
	Host           string // without ".local"
	Port           uint16
	Text           string // at most 255 bytes of it are sent
	Addr           netip.Addr
}

// AppendMDNSAnswer appends the announcement of one service: its pointer, place, text and address.
func AppendMDNSAnswer(b []byte, s *MDNSService) []byte {
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint16(b, mdnsReplies)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 3)
	full, name := s.Instance+"."+s.Kind, s.Host+".local"
	b = appendMDNSRecord(b, s.Kind, mdnsRecord{dnsTypePTR, dnsClassIN, mdnsLong}, appendMDNSName(nil, full))
	where := binary.BigEndian.AppendUint16([]byte{0, 0, 0, 0}, s.Port)
	b = appendMDNSRecord(b, full, mdnsRecord{dnsTypeSRV, mdnsUnique | dnsClassIN, mdnsShort}, appendMDNSName(where, name))
	text := s.Text[:min(len(s.Text), 255)]
	b = appendMDNSRecord(b, full, mdnsRecord{dnsTypeTXT, mdnsUnique | dnsClassIN, mdnsLong}, append([]byte{byte(len(text))}, text...))
	kindOf := uint16(1)
	if s.Addr.Is6() {
		kindOf = 28
	}
	return appendMDNSRecord(b, name, mdnsRecord{kindOf, mdnsUnique | dnsClassIN, mdnsShort}, s.Addr.AsSlice())
}

// mdnsRecord is what comes between a record's name and its data.
type mdnsRecord struct {
	kind, class uint16
	ttl         uint32
}

func appendMDNSRecord(b []byte, name string, r mdnsRecord, data []byte) []byte {
	b = appendMDNSName(b, name)
	b = binary.BigEndian.AppendUint16(b, r.kind)
	b = binary.BigEndian.AppendUint16(b, r.class)
	b = binary.BigEndian.AppendUint32(b, r.ttl)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// appendMDNSName appends a name without compression.
func appendMDNSName(b []byte, name string) []byte {
	for label := range strings.SplitSeq(name, ".") {
		label = label[:min(len(label), 63)]
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}

// AppendSSDPSearch appends a search for a target.
func AppendSSDPSearch(b []byte, target string) []byte {
	return fmt.Appendf(b, "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: %s\r\n\r\n", target)
}

// AppendSSDPNotify appends the announcement of a target at an address.
func AppendSSDPNotify(b []byte, target, id string, addr netip.Addr) []byte {
	return fmt.Appendf(b, "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=%d\r\nLOCATION: http://%s:80/description.xml\r\n"+
		"NT: %s\r\nNTS: ssdp:alive\r\nSERVER: Linux/3.10 UPnP/1.0\r\nUSN: uuid:%s::%s\r\n\r\n", ssdpMaxAge, addr, target, id, target)
}

// AppendSSDPResponse appends the answer to a search for a target, of a device at an address (UPnP Device Architecture 1.1, section 1.3.3).
func AppendSSDPResponse(b []byte, target, id string, addr netip.Addr) []byte {
	return fmt.Appendf(b, "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=%d\r\nEXT:\r\nLOCATION: http://%s:80/description.xml\r\n"+
		"SERVER: Linux/3.10 UPnP/1.0\r\nST: %s\r\nUSN: uuid:%s::%s\r\n\r\n", ssdpMaxAge, addr, target, id, target)
}

// ParseSSDPSearch reads which target a search is for, and within how many seconds it wants to be answered; ok is false for
// anything else than a search.
func ParseSSDPSearch(b []byte) (target string, within int, ok bool) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(b)))
	if line, err := r.ReadLine(); err != nil || line != "M-SEARCH * HTTP/1.1" {
		return "", 0, false
	}
	head, err := r.ReadMIMEHeader()
	if err != nil || head.Get("Man") != `"ssdp:discover"` {
		return "", 0, false
	}
	if _, err := fmt.Sscanf(head.Get("Mx"), "%d", &within); err != nil || within < 1 {
		within = 1
	}
	return head.Get("St"), min(within, ssdpMostWait), true
}
