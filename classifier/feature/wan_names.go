package feature

import (
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/crypto/cryptobyte"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// payloadOf returns the captured TCP or UDP payload of an IPv4 packet; nil if it cannot be parsed.
func payloadOf(o *dataset.Observation, ip []byte) []byte {
	h, ok := packet.ParseIPv4(ip)
	if !ok {
		return nil
	}
	var payload []byte
	switch l4 := ip[h.HeaderLength():]; o.IPProto { // not Payload: captures have packets with a total length of 0 (segmentation offload)
	case packet.ProtoTCP:
		if t, ok := packet.ParseTCP(l4); ok {
			payload = t.Payload()
		}
	case packet.ProtoUDP:
		if u, ok := packet.ParseUDP(l4); ok {
			payload = u.Payload()
		}
	}
	return payload[:min(len(payload), int(o.PayloadLength))]
}

// readDNS returns the name in a message's question, without the final dot, and the addresses in its answers.
func readDNS(b []byte) (name string, addrs []string) {
	var m dns.Msg
	if m.Unpack(b) != nil || len(m.Question) != 1 {
		return "", nil
	}
	for _, rr := range m.Answer {
		switch a := rr.(type) {
		case *dns.A:
			addrs = append(addrs, a.A.String())
		case *dns.AAAA:
			addrs = append(addrs, a.AAAA.String())
		}
	}
	return strings.ToLower(strings.TrimSuffix(m.Question[0].Name, ".")), addrs
}

// readClientHello returns the server name (RFC 6066, section 3) from a TLS record with a ClientHello, which may be truncated; "" if
// there is none.
func readClientHello(b []byte) string {
	const handshake, clientHello, serverName, hostName = 22, 1, 0, 0
	s := cryptobyte.String(b)
	var kind, message uint8
	var session, suites, methods cryptobyte.String
	if !s.ReadUint8(&kind) || kind != handshake || !s.Skip(4) || !s.ReadUint8(&message) || message != clientHello ||
		!s.Skip(3+2+32) || !s.ReadUint8LengthPrefixed(&session) || !s.ReadUint16LengthPrefixed(&suites) ||
		!s.ReadUint8LengthPrefixed(&methods) || !s.Skip(2) {
		return ""
	}
	for {
		var extension uint16
		var content cryptobyte.String
		if !s.ReadUint16(&extension) || !s.ReadUint16LengthPrefixed(&content) {
			return ""
		}
		if extension != serverName {
			continue
		}
		var list, host cryptobyte.String
		var of uint8
		if !content.ReadUint16LengthPrefixed(&list) || !list.ReadUint8(&of) || of != hostName || !list.ReadUint16LengthPrefixed(&host) {
			return ""
		}
		return strings.ToLower(string(host))
	}
}
