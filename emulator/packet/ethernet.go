package packet

import "encoding/binary"

// Headers are views: types over the bytes of a packet, named after the fields of the RFC that defines them. A view copies nothing
// and allocates nothing; its getters read, its setters write and mend the checksums that cover the field. Each type's Parse
// function checks that the whole header is there; methods of a view that did not come from it panic where bytes are missing.

// EtherTypes.
const (
	EtherTypeIPv4 uint16 = 0x0800
	EtherTypeARP  uint16 = 0x0806
	EtherTypeVLAN uint16 = 0x8100 // IEEE 802.1Q
	EtherTypeQinQ uint16 = 0x88a8 // IEEE 802.1ad
	EtherTypeIPv6 uint16 = 0x86dd
)

// Ethernet is an Ethernet II frame without its frame check sequence.
//
//	0             6        12          14
//	| destination | source | EtherType | payload
type Ethernet []byte

// ParseEthernet takes a frame; ok is false if its header is cut short.
func ParseEthernet(b []byte) (f Ethernet, ok bool) { return b, len(b) >= EthernetHeader }

// Destination is the receiver's MAC address.
func (f Ethernet) Destination() [6]byte { return [6]byte(f[0:6]) }

// Source is the sender's MAC address.
func (f Ethernet) Source() [6]byte { return [6]byte(f[6:12]) }

// EtherType says what the payload is. Values up to 1500 are the length of an IEEE 802.3 frame.
func (f Ethernet) EtherType() uint16 { return binary.BigEndian.Uint16(f[12:]) }

// Multicast tells whether the frame is for a group or for everybody.
func (f Ethernet) Multicast() bool { return f[0]&1 != 0 }

// Payload is what lies above the header; short frames are padded.
func (f Ethernet) Payload() []byte { return f[EthernetHeader:] }

// Encode writes the header.
func (f Ethernet) Encode(dst, src [6]byte, etherType uint16) {
	*(*[6]byte)(f) = dst
	*(*[6]byte)(f[6:]) = src
	binary.BigEndian.PutUint16(f[12:], etherType)
}

// IPv4Of returns the IPv4 packet in a frame; ok is false for any other frame, and where the IPv4 header is not whole.
func IPv4Of(frame []byte) (ip IPv4, ok bool) {
	if len(frame) < EthernetHeader || Ethernet(frame).EtherType() != EtherTypeIPv4 {
		return nil, false
	}
	return ParseIPv4(frame[EthernetHeader:])
}

// ARPSize is the size of an ARP packet for IPv4 over Ethernet.
const ARPSize = 28

// ARP operations.
const (
	ARPRequest uint16 = 1
	ARPReply   uint16 = 2
)

// ARP is an ARP packet for IPv4 over Ethernet (RFC 826).
//
//	0          2          4         5         6           8        14       18       24       28
//	| hardware | protocol | HW size | P. size | operation | sender | sender | target | target |
//	| type 1   | 0x0800   | 6       | 4       |           | MAC    | IPv4   | MAC    | IPv4   |
type ARP []byte

// ParseARP takes what is above an Ethernet header; ok is false if it is cut short or of other networks than IPv4 over Ethernet.
func ParseARP(b []byte) (a ARP, ok bool) {
	return b, len(b) >= ARPSize && binary.BigEndian.Uint64(b)>>16 == 0x0001_0800_0604
}

// Operation is ARPRequest or ARPReply.
func (a ARP) Operation() uint16 { return binary.BigEndian.Uint16(a[6:]) }

// SenderHardware is the sender's MAC address.
func (a ARP) SenderHardware() [6]byte { return [6]byte(a[8:14]) }

// SenderProtocol is the sender's IPv4 address.
func (a ARP) SenderProtocol() [4]byte { return [4]byte(a[14:18]) }

// TargetHardware is the target's MAC address; 0 in a request.
func (a ARP) TargetHardware() [6]byte { return [6]byte(a[18:24]) }

// TargetProtocol is the target's IPv4 address.
func (a ARP) TargetProtocol() [4]byte { return [4]byte(a[24:28]) }

// SetTargetProtocol sets the target's IPv4 address.
func (a ARP) SetTargetProtocol(addr [4]byte) { *(*[4]byte)(a[24:]) = addr }

// ARPFields are what an ARP packet says.
type ARPFields struct {
	Operation                      uint16
	SenderHardware, TargetHardware [6]byte
	SenderProtocol, TargetProtocol [4]byte
}

// Encode writes the packet.
func (a ARP) Encode(f *ARPFields) {
	binary.BigEndian.PutUint64(a, 0x0001_0800_0604_0000|uint64(f.Operation))
	*(*[6]byte)(a[8:]) = f.SenderHardware
	*(*[4]byte)(a[14:]) = f.SenderProtocol
	*(*[6]byte)(a[18:]) = f.TargetHardware
	*(*[4]byte)(a[24:]) = f.TargetProtocol
}
