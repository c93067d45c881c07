package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

const dnsHead = 12 // bytes before the first question

// ParseDNSQuery reads what AppendDNSQuery writes: ok is false for anything else than one question for an IPv4 address.
func ParseDNSQuery(b []byte) (host string, id uint16, ok bool) {
	id, flags, rest, ok := parseHead(b)
	if !ok || flags != dnsQuery || [6]byte(b[6:]) != [6]byte{} {
		return "", 0, false
	}
	name, rest, ok := parseQuestion(rest)
	if !ok || len(rest) != 0 {
		return "", 0, false
	}
	return string(name), id, true
}

// ParseDNSAnswer reads the address and its time to live, s, from what AppendDNSAnswer writes. ok is false where the answer
// is another question's, says that there is no such name, or is none.
func ParseDNSAnswer(b []byte, id uint16) (addr netip.Addr, ttl uint32, ok bool) {
	got, flags, rest, ok := parseHead(b)
	if !ok || got != id || flags != dnsAnswer || [6]byte(b[6:]) != [6]byte{0, 1} {
		return addr, 0, false
	}
	var name, owner []byte
	if name, rest, ok = parseQuestion(rest); !ok {
		return addr, 0, false
	}
	if owner, rest, ok = parseQuestion(rest); !ok || string(owner) != string(name) {
		return addr, 0, false
	}
	if len(rest) != 4+2+4 || rest[4] != 0 || rest[5] != 4 {
		return addr, 0, false
	}
	return netip.AddrFrom4([4]byte(rest[6:])), binary.BigEndian.Uint32(rest), true
}

// parseHead reads the head of a message with one question.
func parseHead(b []byte) (id, flags uint16, rest []byte, ok bool) {
	if len(b) < dnsHead || b[4] != 0 || b[5] != 1 {
		return 0, 0, nil, false
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), b[dnsHead:], true
}

// parseQuestion reads a name, with dots between its labels, and the type and class after it: A and IN. Names that point to
// others, or have a dot within a label, are not read.
func parseQuestion(b []byte) (name, rest []byte, ok bool) {
	var buf [256]byte
	name = buf[:0]
	for {
		if len(b) == 0 || b[0] > 63 || len(b) < 1+int(b[0]) || len(name)+int(b[0]) > 253 {
			return nil, nil, false
		}
		n := int(b[0])
		if n == 0 {
			break
		}
		if len(name) > 0 {
			name = append(name, '.')
		}
		if bytes.IndexByte(b[1:1+n], '.') >= 0 {
			return nil, nil, false
		}
		name = append(name, b[1:1+n]...)
		b = b[1+n:]
	}
	if len(b) < 5 || [4]byte(b[1:]) != [4]byte{0, 1, 0, 1} {
		return nil, nil, false
	}
	return name, b[5:], true
}
