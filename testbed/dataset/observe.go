// Package dataset is what a run leaves behind: captures, observations and labels, and the manifest that ties them together.
//
// Observations are derived from frames alone; labels come from truth and live in columns of their own. Writers are safe for
// concurrent use where they say so. The package knows the formats and nothing of how packets came about.
package dataset

import (
	"bytes"
	"encoding/binary"
	"net/netip"
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
	addrs map[[4]byte]string
}

// maxAddrs bounds a parser's memory: beyond it, the texts are made anew.
const maxAddrs = 1 << 16

// NewParser returns a parser.
func NewParser() *Parser { return &Parser{addrs: make(map[[4]byte]string)} }

// Observe derives an observation from an Ethernet frame: dir tells which end is local. Whatever the frame holds, it does not
// fail: columns that the frame does not show are 0, "" or "none". Frame is left to the caller.
func (p *Parser) Observe(tsNs int64, dir int8, frame []byte) Observation {
	o := Observation{TsNs: tsNs, Dir: dir, Length: int32(len(frame)), AppProto: AppNone}
	if len(frame) < EthernetHeader+20 {
		return o
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		p.ipv4(&o, frame[EthernetHeader:])
	case 0x86dd:
		p.ipv6(&o, frame[EthernetHeader:])
	}
	return o
}

func (p *Parser) ipv4(o *Observation, ip []byte) {
	ihl := int(ip[0]&0xf) * 4
	if ip[0]>>4 != 4 || ihl < 20 || len(ip) < ihl {
		return
	}
	if total := int(binary.BigEndian.Uint16(ip[2:])); total >= ihl && total < len(ip) {
		ip = ip[:total]
	}
	o.IPProto = ip[9]
	remote := [4]byte(ip[16:20])
	if o.Dir < 0 {
		remote = [4]byte(ip[12:16])
	}
	o.RemoteAddr = p.text(remote)
	if binary.BigEndian.Uint16(ip[6:])&0x1fff == 0 {
		transport(o, ip[ihl:])
	}
}

func (p *Parser) ipv6(o *Observation, ip []byte) {
	if ip[0]>>4 != 6 || len(ip) < 40 {
		return
	}
	o.IPProto = ip[6]
	remote := ip[24:40]
	if o.Dir < 0 {
		remote = ip[8:24]
	}
	o.RemoteAddr = netip.AddrFrom16([16]byte(remote)).String()
	transport(o, ip[40:])
}

func (p *Parser) text(a [4]byte) string {
	if s, ok := p.addrs[a]; ok {
		return s
	}
	s := netip.AddrFrom4(a).String()
	if len(p.addrs) < maxAddrs {
		p.addrs[a] = s
	}
	return s
}

func transport(o *Observation, l4 []byte) {
	var head int
	switch o.IPProto {
	case 6:
		if len(l4) < 20 {
			return
		}
		head = int(l4[12]>>4) * 4
		if head < 20 || head > len(l4) {
			return
		}
		o.TCPFlags = l4[13]
	case 17:
		if len(l4) < 8 {
			return
		}
		head = 8
	default:
		return
	}
	src, dst := binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:])
	if o.Dir > 0 {
		o.LocalPort, o.RemotePort = src, dst
	} else {
		o.LocalPort, o.RemotePort = dst, src
	}
	o.PayloadLength = int32(len(l4) - head)
	if o.IPProto == 6 {
		o.AppProto = streamProto(o.RemotePort, l4[head:])
	} else {
		o.AppProto = datagramProto(src, dst, l4[head:])
	}
}

// streamProto tells what a TCP segment shows at its start: a segment from the middle of a message shows nothing.
func streamProto(port uint16, b []byte) string {
	switch {
	case len(b) >= 5 && b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4 && binary.BigEndian.Uint16(b[3:]) <= 1<<14+2048:
		return AppTLS
	case isHTTP(b):
		return AppHTTP
	case port == 1883 && len(b) >= 2 && b[0]>>4 != 0 && b[0]>>4 != 15:
		return AppMQTT
	}
	return AppNone
}

func isHTTP(b []byte) bool {
	for _, m := range [...]string{"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "HTTP/1."} {
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
