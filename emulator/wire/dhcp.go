package wire

import (
	"encoding/binary"
	"net/netip"
)

// DHCPLease is what a DHCP exchange is about. The client's first two messages go from 0.0.0.0 port 68 to 255.255.255.255
// port 67 in broadcast frames, and the answers from the server's port 67 to 255.255.255.255 port 68; a renewal and its
// answer go by unicast.
type DHCPLease struct {
	XID    uint32 // names the exchange, at random; renewals keep it
	MAC    [6]byte
	Prefix netip.Prefix // the client's address (IPv4), and how long its network's prefix is
	Server netip.Addr
	Router netip.Addr
	DNS    netip.Addr
	MTU    uint16
	Lease  uint32 // s
}

// Message types (RFC 2132, section 9.6).
const (
	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpAck      = 5
)

// dhcpMinimum is BOOTP's size: shorter messages are padded to it, bytes (RFC 951).
const dhcpMinimum = 300

const (
	dhcpCookie   = "\x63\x82\x53\x63"
	dhcpMaxSize  = "\x39\x02\x05\xdc"             // messages of 1500 bytes are welcome
	dhcpWish     = "\x37\x05\x01\x03\x0f\x06\x1a" // mask, router, domain, DNS, MTU
	dhcpWishLess = "\x37\x04\x01\x03\x0f\x06"
)

// AppendDHCPDiscover appends a client's first message.
func AppendDHCPDiscover(b []byte, l *DHCPLease) []byte {
	start := len(b)
	b = l.appendHead(b, false, false, false)
	b = append(b, 53, 1, dhcpDiscover)
	b = append(b, dhcpWish...)
	return endDHCP(append(b, dhcpMaxSize...), start)
}

// AppendDHCPRequest appends a client's answer to an offer.
func AppendDHCPRequest(b []byte, l *DHCPLease) []byte {
	start := len(b)
	b = l.appendHead(b, false, false, false)
	b = appendOption(b, 50, l.Prefix.Addr())
	b = append(b, 53, 1, dhcpRequest)
	b = appendOption(b, 54, l.Server)
	b = append(b, dhcpWish...)
	return endDHCP(append(b, dhcpMaxSize...), start)
}

// AppendDHCPRenewal appends a client's wish to keep its address.
func AppendDHCPRenewal(b []byte, l *DHCPLease) []byte {
	start := len(b)
	b = l.appendHead(b, false, true, false)
	b = append(b, 53, 1, dhcpRequest)
	b = append(b, dhcpWishLess...)
	return endDHCP(append(b, dhcpMaxSize...), start)
}

// AppendDHCPOffer appends a server's answer to a client's first message.
func AppendDHCPOffer(b []byte, l *DHCPLease) []byte { return l.appendReply(b, dhcpOffer) }

// AppendDHCPAck appends a server's answer to a request or a renewal.
func AppendDHCPAck(b []byte, l *DHCPLease) []byte { return l.appendReply(b, dhcpAck) }

func (l *DHCPLease) appendReply(b []byte, kind byte) []byte {
	start := len(b)
	b = l.appendHead(b, true, false, true)
	b = append(b, 1, 4)
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)<<(32-l.Prefix.Bits()))
	b = appendOption(b, 3, l.Router)
	b = appendOption(b, 6, l.DNS)
	b = append(b, 26, 2, byte(l.MTU>>8), byte(l.MTU), 51, 4)
	b = binary.BigEndian.AppendUint32(b, l.Lease)
	b = append(b, 53, 1, kind)
	return endDHCP(appendOption(b, 54, l.Server), start)
}

// appendHead appends the fixed part (RFC 2131, section 2): as the server, with the client's address, with the address given.
func (l *DHCPLease) appendHead(b []byte, server, mine, yours bool) []byte {
	op := byte(1)
	if server {
		op = 2
	}
	b = append(b, op, 1, 6, 0) // Ethernet
	b = binary.BigEndian.AppendUint32(b, l.XID)
	b = append(b, 0, 0, 0, 0) // seconds, flags
	addr := l.Prefix.Addr()
	b = appendAddr(b, addr, mine)
	b = appendAddr(b, addr, yours)
	b = appendAddr(b, l.Server, server)
	b = append(b, 0, 0, 0, 0) // no relay
	b = append(b, l.MAC[:]...)
	b = append(b, make([]byte, 10+64+128)...) // the rest of the address field, server's name, boot file
	return append(b, dhcpCookie...)
}

func appendAddr(b []byte, a netip.Addr, known bool) []byte {
	if !known {
		return append(b, 0, 0, 0, 0)
	}
	a4 := a.As4()
	return append(b, a4[:]...)
}

func appendOption(b []byte, code byte, a netip.Addr) []byte {
	return appendAddr(append(b, code, 4), a, true)
}

// endDHCP ends the options and pads the message that began at start.
func endDHCP(b []byte, start int) []byte {
	b = append(b, 255)
	for len(b)-start < dhcpMinimum {
		b = append(b, 0)
	}
	return b
}
