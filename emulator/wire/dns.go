package wire

import (
	"encoding/binary"
	"net/netip"
)

// Flags of a DNS message (RFC 1035, section 4.1.1).
const (
	dnsQuery  = 0x0100 // recursion desired
	dnsAnswer = 0x8180 // a response, recursion desired and available
	dnsNoName = 3      // NXDOMAIN
)

// AppendDNSQuery asks for the IPv4 address of host. host is a name without a dot at its end, of labels of 1 to 63 bytes.
func AppendDNSQuery(b []byte, id uint16, host string) []byte {
	return appendQuestion(b, id, dnsQuery, 0, host)
}

// AppendDNSAnswer answers that query: host has the address (IPv4) for ttl seconds or, where the address is the zero Addr,
// does not exist. Names are not compressed: the live world's server does not.
func AppendDNSAnswer(b []byte, id uint16, host string, addr netip.Addr, ttl uint32) []byte {
	if !addr.IsValid() {
		return appendQuestion(b, id, dnsAnswer|dnsNoName, 0, host)
	}
	b = appendQuestion(b, id, dnsAnswer, 1, host)
	b = appendName(b, host)
	b = append(b, 0, 1, 0, 1)
	b = binary.BigEndian.AppendUint32(b, ttl)
	a := addr.As4()
	return append(b, 0, 4, a[0], a[1], a[2], a[3])
}

func appendQuestion(b []byte, id, flags uint16, answers byte, host string) []byte {
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = append(b, 0, 1, 0, answers, 0, 0, 0, 0)
	b = appendName(b, host)
	return append(b, 0, 1, 0, 1) // type A, class IN
}

func appendName(b []byte, host string) []byte {
	for len(host) > 0 {
		at := len(b)
		b = append(b, 0)
		i := 0
		for i < len(host) && host[i] != '.' {
			i++
		}
		b = append(b, host[:i]...)
		b[at] = byte(i)
		host = host[min(i+1, len(host)):]
	}
	return append(b, 0)
}
