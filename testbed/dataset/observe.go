// Package dataset is what a run leaves behind: captures, observations and labels, and the manifest that ties them together.
//
// Observations are derived from frames alone; labels come from truth and live in columns of their own. Writers are safe for
// concurrent use where they say so. The package knows the formats and nothing of how packets came about.
package dataset

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"glasshouse/emulator/packet"
)

// Protocols that a frame's own bytes can show.
const (
	AppNone      = "none"
	AppTLS       = "tls"
	AppHTTP      = "http"
	AppDNS       = "dns"
	AppNTP       = "ntp"
	AppQUIC      = "quic"
	AppMQTT      = "mqtt"
	AppWireGuard = "wireguard"
	AppDHCP      = "dhcp"
)

// EthernetHeader is the size of the header before the IP packet, bytes.
const EthernetHeader = packet.EthernetHeader

// Parser turns frames into observations. It keeps the text of the addresses that it has seen; used by one goroutine.
type Parser struct {
	eth    layers.Ethernet
	ip4    layers.IPv4
	ip6    layers.IPv6
	addrs  map[netip.Addr]string
	recent [recentAddrs]recentAddr
}

// recentAddr is an IPv4 address that came lately, and its text.
type recentAddr struct {
	addr uint32
	text string
}

const (
	maxAddrs    = 1 << 16 // bounds a parser's memory: beyond it, the texts are made anew
	recentAddrs = 256     // a home talks to fewer servers at a time
)

// NewParser returns a parser.
func NewParser() *Parser {
	return &Parser{addrs: make(map[netip.Addr]string)}
}

// Observe derives an observation from an Ethernet frame: dir tells which end is local. Whatever the frame holds, it does not
// fail: columns that the frame does not show are 0, "" or "none". Frame is left to the caller. It allocates nothing but the
// text of an address that is new.
func (p *Parser) Observe(tsNs int64, dir int8, frame []byte) Observation {
	return p.ObserveLen(tsNs, dir, frame, len(frame))
}

// ObserveLen is Observe for a frame of which only the beginning is there: it had length bytes. An observation needs the
// headers and 8 bytes above them; where they are there, it is the whole frame's.
func (p *Parser) ObserveLen(tsNs int64, dir int8, frame []byte, length int) Observation {
	length = max(length, len(frame))
	o := Observation{TsNs: tsNs, Dir: dir, Length: int32(length), AppProto: AppNone}
	if len(frame) < EthernetHeader || packet.Ethernet(frame).EtherType() != packet.EtherTypeIPv4 || !p.ipv4(&o, frame[EthernetHeader:], length-EthernetHeader) {
		p.decode(&o, frame, length)
	}
	return o
}

// ObserveIP is ObserveLen for a packet of length bytes without its Ethernet header; it is false for one that must be decoded in
// its frame.
func (p *Parser) ObserveIP(o *Observation, tsNs int64, dir int8, ip []byte, length int) bool {
	*o = Observation{}
	o.TsNs, o.Dir, o.Length, o.AppProto = tsNs, dir, int32(EthernetHeader+length), AppNone
	return p.ipv4(o, ip, length)
}

// ipv4 reads what nearly all packets are without a decoder: IPv4 of length bytes, as far as it is there. It is false, and o
// is as it was, for a header that is damaged or cut.
func (p *Parser) ipv4(o *Observation, b []byte, length int) bool {
	if len(b) < packet.IPv4Size {
		return false
	}
	h := packet.IPv4(b)
	head, total := h.HeaderLength(), h.TotalLength()
	if total == 0 { // left to the network card to fill in
		total = int(uint16(length))
	}
	if head < packet.IPv4Size || head > total || head > len(b) {
		return false
	}
	if head > packet.IPv4Size && !optionsWhole(h.Options()) {
		return false
	}
	remote := h.Destination32()
	if o.Dir < 0 {
		remote = h.Source32()
	}
	o.IPProto = h.Protocol()
	o.RemoteAddr = p.remote4(remote)
	if h.FragmentOffset() == 0 { // the first fragment shows its ports
		total = min(total, length)
		o.transport(b[head:min(total, len(b))], total-head)
	}
	return true
}

// optionsWhole tells whether IPv4 options have the lengths that they say. Damaged ones are left to the decoder, which drops
// the packet's addresses with them.
func optionsWhole(b []byte) bool {
	for len(b) > 0 {
		switch n := b[0]; {
		case n == 0:
			return true
		case n == 1:
			b = b[1:]
		case len(b) < 2 || b[1] <= 2 || int(b[1]) > len(b):
			return false
		default:
			b = b[b[1]:]
		}
	}
	return true
}

// decode reads with gopacket what ipv4 does not. What is damaged shows as far as it could be read; of packets inside packets
// the outer one is observed.
func (p *Parser) decode(o *Observation, frame []byte, length int) {
	if p.eth.DecodeFromBytes(frame, gopacket.NilDecodeFeedback) != nil {
		return
	}
	more := length - len(frame) // bytes that were there, and are not
	switch p.eth.NextLayerType() {
	case layers.LayerTypeIPv4:
		if p.ip4.DecodeFromBytes(p.eth.Payload, gopacket.NilDecodeFeedback) != nil {
			return
		}
		o.IPProto = uint8(p.ip4.Protocol)
		o.RemoteAddr = p.remote(o.Dir, p.ip4.SrcIP, p.ip4.DstIP)
		if b := p.ip4.Payload; p.ip4.FragOffset == 0 {
			o.transport(b, min(len(b)+more, max(int(p.ip4.Length)-len(p.ip4.Contents), len(b))))
		}
	case layers.LayerTypeIPv6:
		if p.ip6.DecodeFromBytes(p.eth.Payload, gopacket.NilDecodeFeedback) != nil {
			return
		}
		o.IPProto = uint8(p.ip6.NextHeader)
		o.RemoteAddr = p.remote(o.Dir, p.ip6.SrcIP, p.ip6.DstIP)
		b := p.ip6.Payload
		o.transport(b, min(len(b)+more, max(int(p.ip6.Length), len(b))))
	}
}

// transport reads TCP or UDP of n bytes, of which b are there. Options that are damaged hide nothing of what stands before them.
func (o *Observation) transport(b []byte, n int) {
	switch o.IPProto {
	case packet.ProtoTCP:
		if len(b) < packet.TCPSize {
			return
		}
		t := packet.TCP(b)
		src, dst := t.SourcePort(), t.DestinationPort()
		o.ports(src, dst)
		o.TCPFlags = t.Flags()
		if head := t.DataOffset(); head >= packet.TCPSize && head <= n {
			o.PayloadLength = int32(n - head)
			o.AppProto = streamProto(src, dst, b[min(head, len(b)):])
		}
	case packet.ProtoUDP:
		u, ok := packet.ParseUDP(b)
		if !ok {
			return
		}
		switch size := u.Length(); {
		case size >= packet.UDPSize:
			n = min(n, size)
		case size > 0: // 0 is a jumbogram's
			return
		}
		src, dst := u.SourcePort(), u.DestinationPort()
		o.ports(src, dst)
		o.PayloadLength = int32(n - packet.UDPSize)
		o.AppProto = datagramProto(src, dst, b[packet.UDPSize:min(n, len(b))], n-packet.UDPSize)
	}
}

func (o *Observation) ports(src, dst uint16) {
	if o.Dir > 0 {
		o.LocalPort, o.RemotePort = src, dst
	} else {
		o.LocalPort, o.RemotePort = dst, src
	}
}

// remote returns the text of the address that is not the home's.
func (p *Parser) remote(dir int8, src, dst net.IP) string {
	if dir < 0 {
		dst = src
	}
	a, ok := netip.AddrFromSlice(dst)
	if !ok {
		return ""
	}
	return p.text(a)
}

func (p *Parser) text(a netip.Addr) string {
	if s, ok := p.addrs[a]; ok {
		return s
	}
	s := a.String()
	if len(p.addrs) < maxAddrs {
		p.addrs[a] = s
	}
	return s
}

func (p *Parser) remote4(a uint32) string {
	r := &p.recent[(a^a>>8^a>>16)%recentAddrs]
	if r.addr != a || r.text == "" {
		r.addr = a
		r.text = p.text(netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}))
	}
	return r.text
}

// streamProto tells what a TCP segment shows at its start: a segment from the middle of a message shows nothing.
func streamProto(src, dst uint16, b []byte) string {
	switch {
	case isTLS(b):
		return AppTLS
	case isHTTP(b):
		return AppHTTP
	case (src == 1883 || dst == 1883) && isMQTT(b):
		return AppMQTT
	}
	return AppNone
}

// isTLS knows a record's header: its type, a version of TLS, and a length that is allowed (RFC 5246, 8446).
func isTLS(b []byte) bool {
	if len(b) < 5 || b[0] < 20 || b[0] > 23 || b[1] != 3 || b[2] < 1 || b[2] > 4 {
		return false
	}
	n := binary.BigEndian.Uint16(b[3:])
	return n > 0 && n <= 1<<14+2048
}

// isMQTT knows a fixed header: a type, the flags that go with it, and a remaining length of one to four bytes (MQTT 3.1.1 and
// 5, section 2.2).
func isMQTT(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	switch kind, flags := b[0]>>4, b[0]&0xf; kind {
	case 0:
		return false
	case 3: // PUBLISH: any flags but QoS 3
		if flags>>1&3 == 3 {
			return false
		}
	case 6, 8, 10: // PUBREL, SUBSCRIBE, UNSUBSCRIBE
		if flags != 2 {
			return false
		}
	default:
		if flags != 0 {
			return false
		}
	}
	for i := 1; i < len(b) && i <= 4; i++ {
		if b[i] < 0x80 {
			return true
		}
	}
	return false
}

// isHTTP knows a request by its method, and a response of HTTP/1 (RFC 9110, section 9.3; RFC 5789; RFC 9112, section 4).
func isHTTP(b []byte) bool {
	if len(b) < 4 || b[0] < 'C' || b[0] > 'T' {
		return false
	}
	rest := ""
	switch string(b[:4]) {
	case "GET ", "PUT ":
		return true
	case "POST", "HEAD":
		rest = " "
	case "DELE":
		rest = "TE "
	case "OPTI":
		rest = "ONS "
	case "PATC":
		rest = "H "
	case "CONN":
		rest = "ECT "
	case "TRAC":
		rest = "E "
	case "HTTP":
		rest = "/1."
	default:
		return false
	}
	b = b[4:]
	return len(b) >= len(rest) && string(b[:len(rest)]) == rest
}

// datagramProto tells what a datagram of n bytes shows, of which b are there: 8 of them are enough.
func datagramProto(src, dst uint16, b []byte, n int) string {
	if len(b) < min(n, 6) {
		return AppNone
	}
	either := func(port uint16) bool { return src == port || dst == port }
	switch {
	case either(53) && n >= 12 && binary.BigEndian.Uint16(b[4:]) <= 4:
		return AppDNS
	case either(123) && n >= 48 && b[0]&7 != 0 && b[0]>>3&7 != 0:
		return AppNTP
	case either(67) && either(68) && n >= 240:
		return AppDHCP
	case either(443) && n >= 7 && b[0]&0xc0 == 0xc0 && isQUICVersion(binary.BigEndian.Uint32(b[1:])):
		return AppQUIC
	case isWireGuard(b, n):
		return AppWireGuard
	}
	return AppNone
}

func isQUICVersion(v uint32) bool { return v == 1 || v == 0x6b3343cf } // RFC 9000, RFC 9369

// isWireGuard knows the messages by type, the three zero bytes after it, and size.
func isWireGuard(b []byte, n int) bool {
	if n < 32 || b[1]|b[2]|b[3] != 0 {
		return false
	}
	switch b[0] {
	case 1:
		return n == 148
	case 2:
		return n == 92
	case 3:
		return n == 64
	case 4:
		return (n-32)%16 == 0 || n == 32+1420
	}
	return false
}
