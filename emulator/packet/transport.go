package packet

import "encoding/binary"

// Sizes of transport headers without options, bytes.
const (
	TCPSize = 20
	UDPSize = 8
)

// TCP flags (RFC 9293, section 3.1).
const (
	FlagFIN uint8 = 1 << iota
	FlagSYN
	FlagRST
	FlagPSH
	FlagACK
	FlagURG
)

// TCP option kinds (RFC 9293, section 3.2; RFC 7323; RFC 2018).
const (
	OptionEnd           uint8 = 0
	OptionNoOperation   uint8 = 1
	OptionMSS           uint8 = 2
	OptionWindowScale   uint8 = 3
	OptionSACKPermitted uint8 = 4
	OptionSACK          uint8 = 5
	OptionTimestamps    uint8 = 8
)

// TCP is a TCP segment (RFC 9293, section 3.1), or the beginning of one.
//
//	0             2                  4                 8                       12            13      14       16
//	| source port | destination port | sequence number | acknowledgment number | data offset | flags | window | checksum |
//	18               20
//	| urgent pointer | options
type TCP []byte

// ParseTCP takes a segment whose header is there, with its options.
func ParseTCP(b []byte) (t TCP, ok bool) {
	if len(b) < TCPSize {
		return nil, false
	}
	t = b
	n := t.DataOffset()
	return t, n >= TCPSize && n <= len(b)
}

// SourcePort is the sender's.
func (t TCP) SourcePort() uint16 { return binary.BigEndian.Uint16(t) }

// DestinationPort is the receiver's.
func (t TCP) DestinationPort() uint16 { return binary.BigEndian.Uint16(t[2:]) }

// Ports are both ports in one number, the sender's above.
func (t TCP) Ports() uint32 { return binary.BigEndian.Uint32(t) }

// SequenceNumber is the first payload byte's; the SYN's in a segment with one.
func (t TCP) SequenceNumber() uint32 { return binary.BigEndian.Uint32(t[4:]) }

// AcknowledgmentNumber is the next sequence number that the sender expects, where the flag ACK is set.
func (t TCP) AcknowledgmentNumber() uint32 { return binary.BigEndian.Uint32(t[8:]) }

// DataOffset is the header's size with its options, bytes: four times the field.
func (t TCP) DataOffset() int { return int(t[12]>>4) * 4 }

// Flags are the control bits FIN to CWR.
func (t TCP) Flags() uint8 { return t[13] }

// Window is the receive window, not scaled.
func (t TCP) Window() uint16 { return binary.BigEndian.Uint16(t[14:]) }

// Checksum covers the segment and the pseudo-header.
func (t TCP) Checksum() uint16 { return binary.BigEndian.Uint16(t[16:]) }

// Options are the header's bytes above the fixed 20.
func (t TCP) Options() []byte { return t[TCPSize:t.DataOffset()] }

// Payload is what lies above the header.
func (t TCP) Payload() []byte { return t[t.DataOffset():] }

// SetSourcePort sets the port and mends the checksum for it and for a change of the pseudo-header.
func (t TCP) SetSourcePort(port uint16, pseudo Change) { t.setPort(0, port, pseudo) }

// SetDestinationPort does the same with the receiver's.
func (t TCP) SetDestinationPort(port uint16, pseudo Change) { t.setPort(2, port, pseudo) }

func (t TCP) setPort(at int, port uint16, pseudo Change) {
	pseudo += setPort(t, at, port)
	binary.BigEndian.PutUint16(t[16:], pseudo.Mend(t.Checksum()))
}

// setPort sets a port and leaves the checksum.
func setPort(b []byte, at int, port uint16) Change {
	change := Change16(binary.BigEndian.Uint16(b[at:]), port)
	binary.BigEndian.PutUint16(b[at:], port)
	return change
}

// TCPFields are what the header of a new segment says.
type TCPFields struct {
	SourcePort, DestinationPort uint16
	Sequence, Acknowledgment    uint32
	DataOffset                  int // bytes
	Flags                       uint8
	Window                      uint16
}

// Encode writes the header's fixed part; its checksum, to be set when options and payload are there, is 0.
func (t TCP) Encode(f *TCPFields) {
	binary.BigEndian.PutUint16(t, f.SourcePort)
	binary.BigEndian.PutUint16(t[2:], f.DestinationPort)
	binary.BigEndian.PutUint32(t[4:], f.Sequence)
	binary.BigEndian.PutUint32(t[8:], f.Acknowledgment)
	t[12], t[13] = byte(f.DataOffset/4)<<4, f.Flags
	binary.BigEndian.PutUint16(t[14:], f.Window)
	binary.BigEndian.PutUint32(t[16:], 0) // checksum, urgent pointer
}

// SetChecksum sets the checksum from the sum of all that it covers, during which the field was 0.
func (t TCP) SetChecksum(sum uint64) { binary.BigEndian.PutUint16(t[16:], ^Fold(sum)) }

// UDP is a UDP datagram (RFC 768), or the beginning of one.
//
//	0             2                  4        6          8
//	| source port | destination port | length | checksum | payload
type UDP []byte

// ParseUDP takes a datagram whose header is there. What is above may be cut short, and its length is not checked: see Complete.
func ParseUDP(b []byte) (u UDP, ok bool) { return b, len(b) >= UDPSize }

// SourcePort is the sender's.
func (u UDP) SourcePort() uint16 { return binary.BigEndian.Uint16(u) }

// DestinationPort is the receiver's.
func (u UDP) DestinationPort() uint16 { return binary.BigEndian.Uint16(u[2:]) }

// Length is the datagram's size with its header, bytes.
func (u UDP) Length() int { return int(binary.BigEndian.Uint16(u[4:])) }

// Checksum covers the datagram and the pseudo-header; 0 means that there is none.
func (u UDP) Checksum() uint16 { return binary.BigEndian.Uint16(u[6:]) }

// Complete tells whether all that the length counts is there, its header included.
func (u UDP) Complete() bool {
	n := u.Length()
	return n >= UDPSize && n <= len(u)
}

// Payload is what lies above the header, as far as it is there, whatever the length says.
func (u UDP) Payload() []byte { return u[UDPSize:] }

// SetSourcePort sets the port and mends the checksum for it and for a change of the pseudo-header. A checksum of 0 stays.
func (u UDP) SetSourcePort(port uint16, pseudo Change) { u.setPort(0, port, pseudo) }

// SetDestinationPort does the same with the receiver's.
func (u UDP) SetDestinationPort(port uint16, pseudo Change) { u.setPort(2, port, pseudo) }

func (u UDP) setPort(at int, port uint16, pseudo Change) {
	pseudo += setPort(u, at, port)
	if sum := u.Checksum(); sum != 0 {
		binary.BigEndian.PutUint16(u[6:], sealUDP(pseudo.Mend(sum)))
	}
}

// Encode writes the header of a datagram that is as long as u; its checksum is 0.
func (u UDP) Encode(src, dst uint16) {
	binary.BigEndian.PutUint16(u, src)
	binary.BigEndian.PutUint16(u[2:], dst)
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	binary.BigEndian.PutUint16(u[6:], 0)
}

// SetChecksum sets the checksum from the sum of all that it covers, during which the field was 0.
func (u UDP) SetChecksum(sum uint64) { binary.BigEndian.PutUint16(u[6:], sealUDP(^Fold(sum))) }
