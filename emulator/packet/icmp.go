package packet

import "encoding/binary"

// ICMPSize is the size of an ICMP header, bytes.
const ICMPSize = 8

// ICMP types.
const (
	ICMPEchoReply        uint8 = 0
	ICMPUnreachable      uint8 = 3
	ICMPEcho             uint8 = 8
	ICMPTimeExceeded     uint8 = 11
	ICMPParameterProblem uint8 = 12
)

// ICMP is an ICMP message (RFC 792), or the beginning of one. An error quotes in its payload the packet that it is about.
//
//	0      1      2          4            6          8
//	| type | code | checksum | identifier | sequence | payload      echo and echo reply
//	| type | code | checksum | 4 bytes by type       | quotation    errors
type ICMP []byte

// ParseICMP takes a message whose header is there.
func ParseICMP(b []byte) (m ICMP, ok bool) { return b, len(b) >= ICMPSize }

// Type is one of the ICMP types.
func (m ICMP) Type() uint8 { return m[0] }

// Code is a type's subtype.
func (m ICMP) Code() uint8 { return m[1] }

// Checksum covers the message.
func (m ICMP) Checksum() uint16 { return binary.BigEndian.Uint16(m[2:]) }

// ChecksumValid tells whether the checksum of a whole message is right.
func (m ICMP) ChecksumValid() bool { return Fold(Sum(0, m)) == 0xffff }

// Identifier is an echo's, which NAPT treats as a port (RFC 5508).
func (m ICMP) Identifier() uint16 { return binary.BigEndian.Uint16(m[4:]) }

// SequenceNumber is an echo's.
func (m ICMP) SequenceNumber() uint16 { return binary.BigEndian.Uint16(m[6:]) }

// Payload is what lies above the header.
func (m ICMP) Payload() []byte { return m[ICMPSize:] }

// Echo tells whether the message is an echo request or its reply.
func (m ICMP) Echo() bool { return m[0] == ICMPEcho || m[0] == ICMPEchoReply }

// Error tells whether the message reports an error, and so quotes a packet.
func (m ICMP) Error() bool {
	return m[0] == ICMPUnreachable || m[0] == ICMPTimeExceeded || m[0] == ICMPParameterProblem
}

// SetIdentifier sets an echo's identifier and mends the checksum.
func (m ICMP) SetIdentifier(id uint16) {
	change := Change16(m.Identifier(), id)
	binary.BigEndian.PutUint16(m[4:], id)
	binary.BigEndian.PutUint16(m[2:], change.Mend(m.Checksum()))
}

// EncodeEcho writes the header of an echo message whose payload is there, with its checksum.
func (m ICMP) EncodeEcho(kind uint8, id, sequence uint16) {
	m[0], m[1] = kind, 0
	binary.BigEndian.PutUint16(m[4:], id)
	binary.BigEndian.PutUint16(m[6:], sequence)
	m.SumAll()
}

// SumAll computes the checksum of a whole message anew.
func (m ICMP) SumAll() {
	binary.BigEndian.PutUint16(m[2:], 0)
	binary.BigEndian.PutUint16(m[2:], ^Fold(Sum(0, m)))
}
