// Package dataset is what a run leaves behind: captures, observations and labels, and the manifest that ties them together.
//
// Observations are derived from frames alone; labels come from truth and live in columns of their own. Writers are safe for
// concurrent use where they say so. The package knows the formats and nothing of how packets came about.
package dataset

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
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
const EthernetHeader = 14

// Parser turns frames into observations. It keeps the text of the addresses that it has seen; used by one goroutine.
type Parser struct {
	eth     layers.Ethernet
	ip4     layers.IPv4
	ip6     layers.IPv6
	tcp     layers.TCP
	udp     layers.UDP
	layers  *gopacket.DecodingLayerParser
	decoded []gopacket.LayerType
	addrs   map[netip.Addr]string
}

// maxAddrs bounds a parser's memory: beyond it, the texts are made anew.
const maxAddrs = 1 << 16

// NewParser returns a parser.
func NewParser() *Parser {
	p := &Parser{addrs: make(map[netip.Addr]string)}
	p.layers = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &p.eth, &p.ip4, &p.ip6)
	p.layers.IgnoreUnsupported = true
	return p
}

// Observe derives an observation from an Ethernet frame: dir tells which end is local. Whatever the frame holds, it does not
// fail: columns that the frame does not show are 0, "" or "none". Frame is left to the caller. It allocates nothing but the
// text of an address that is new.
func (p *Parser) Observe(tsNs int64, dir int8, frame []byte) Observation {
	o := Observation{TsNs: tsNs, Dir: dir, Length: int32(len(frame)), AppProto: AppNone}
	_ = p.layers.DecodeLayers(frame, &p.decoded) // what is damaged shows as far as it could be read
	for _, layer := range p.decoded {
		switch layer {
		case layers.LayerTypeIPv4:
			o.IPProto = uint8(p.ip4.Protocol)
			o.RemoteAddr = p.remote(dir, p.ip4.SrcIP, p.ip4.DstIP)
			if p.ip4.FragOffset == 0 { // a first fragment shows its ports, though gopacket stops at it
				p.transport(&o, p.ip4.Payload)
			}
		case layers.LayerTypeIPv6:
			o.IPProto = uint8(p.ip6.NextHeader)
			o.RemoteAddr = p.remote(dir, p.ip6.SrcIP, p.ip6.DstIP)
			p.transport(&o, p.ip6.Payload)
		}
	}
	return o
}

// transport reads TCP or UDP. Options that are damaged hide nothing of what stands before them.
func (p *Parser) transport(o *Observation, b []byte) {
	switch o.IPProto {
	case uint8(layers.IPProtocolTCP):
		if err := p.tcp.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil && len(b) < 20 {
			return
		}
		o.ports(uint16(p.tcp.SrcPort), uint16(p.tcp.DstPort))
		o.TCPFlags = b[13]
		if head := 4 * int(b[12]>>4); head >= 20 && head <= len(b) {
			o.PayloadLength = int32(len(b) - head)
			o.AppProto = streamProto(uint16(p.tcp.SrcPort), uint16(p.tcp.DstPort), b[head:])
		}
	case uint8(layers.IPProtocolUDP):
		if p.udp.DecodeFromBytes(b, gopacket.NilDecodeFeedback) != nil {
			return
		}
		o.ports(uint16(p.udp.SrcPort), uint16(p.udp.DstPort))
		o.PayloadLength = int32(len(p.udp.Payload))
		o.AppProto = datagramProto(uint16(p.udp.SrcPort), uint16(p.udp.DstPort), p.udp.Payload)
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
	if s, ok := p.addrs[a]; ok {
		return s
	}
	s := a.String()
	if len(p.addrs) < maxAddrs {
		p.addrs[a] = s
	}
	return s
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

func isHTTP(b []byte) bool {
	for _, m := range [...]string{"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ", "HTTP/1."} {
		if len(b) >= len(m) && string(b[:len(m)]) == m {
			return true
		}
	}
	return false
}

func datagramProto(src, dst uint16, b []byte) string {
	either := func(port uint16) bool { return src == port || dst == port }
	switch {
	case either(53) && len(b) >= 12 && binary.BigEndian.Uint16(b[4:]) <= 4:
		return AppDNS
	case either(123) && len(b) >= 48 && b[0]&7 != 0 && b[0]>>3&7 != 0:
		return AppNTP
	case either(67) && either(68) && len(b) >= 240:
		return AppDHCP
	case either(443) && len(b) >= 7 && b[0]&0xc0 == 0xc0 && isQUICVersion(binary.BigEndian.Uint32(b[1:])):
		return AppQUIC
	case isWireGuard(b):
		return AppWireGuard
	}
	return AppNone
}

func isQUICVersion(v uint32) bool { return v == 1 || v == 0x6b3343cf } // RFC 9000, RFC 9369

// isWireGuard knows the messages by type, the three zero bytes after it, and size.
func isWireGuard(b []byte) bool {
	if len(b) < 32 || !bytes.Equal(b[1:4], []byte{0, 0, 0}) {
		return false
	}
	switch b[0] {
	case 1:
		return len(b) == 148
	case 2:
		return len(b) == 92
	case 3:
		return len(b) == 64
	case 4:
		return (len(b)-32)%16 == 0 || len(b) == 32+1420
	}
	return false
}
