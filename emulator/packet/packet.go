// Package packet holds the packet in flight: its bytes, the moment it passed, and its lineage, the truth about
// where it came from. The lineage travels beside the bytes and never inside them, so nothing on the wire tells it.
//
// It also holds the views of the headers on the wire (Ethernet, ARP, IPv4, IPv6, TCP, UDP, ICMP) and their checksums; what is above
// them is not parsed here. It is used by every stage of the path and imports nothing of ours.
package packet

// Direction of a packet or message as seen from the home.
const (
	Up   int8 = 1  // home to internet
	Down int8 = -1 // internet to home
)

// Owners that are no device of the home. A device's unit is its index in the home, 0 and up.
const (
	UnitUnknown  int32 = -1 // not attributed: makes the run invalid
	UnitGateway  int32 = -2 // sent by, or for, the gateway itself: tunnel handshakes and keepalives, its DNS, NTP, ICMP
	UnitInternet int32 = -3 // unsolicited downlink
)

// EventNone marks a packet that belongs to no event.
const EventNone int64 = -1

// Role says what a packet is for, whatever the device. The names are the values of the column label_role.
type Role uint8

// The closed vocabulary of roles.
const (
	RoleUnknown Role = iota
	RoleData
	RoleAck
	RoleTCPHandshake
	RoleTLSHandshake
	RoleClose
	RoleKeepalive
	RoleRetransmission
	RoleTunnelHandshake
	RoleTunnelKeepalive
	RoleUnsolicited
	RoleReconnect
	RoleICMPError
	numRoles
)

var roleNames = [numRoles]string{
	"unknown", "data", "ack", "tcp_handshake", "tls_handshake", "close", "keepalive", "retransmission",
	"tunnel_handshake", "tunnel_keepalive", "unsolicited", "reconnect", "icmp_error",
}

// String gives the role's name in the data set.
func (r Role) String() string {
	if r >= numRoles {
		return roleNames[RoleUnknown]
	}
	return roleNames[r]
}

// RoleNames lists the vocabulary of roles, in order of their numbers.
func RoleNames() []string { return append([]string(nil), roleNames[:]...) }

// Lineage is the truth about one packet. It is a value: stages copy it, they do not share it.
type Lineage struct {
	Unit     int32  // index of the device in the home, or UnitGateway, UnitInternet, UnitUnknown
	Activity uint16 // index into the run's vocabulary of activities; 0 is "none"
	Role     Role
	Event    int64 // key of the event in events.parquet, or EventNone
	LANFrame int64 // 1-based frame in lan.pcapng that it carries; 0 where there is none, or it is not known yet
	Row      int64 // 1-based frame in wan.pcapng; 0 before the tap
}

// Unattributed is the lineage of a packet that nobody could account for.
func Unattributed() Lineage { return Lineage{Unit: UnitUnknown, Event: EventNone} }

// Packet is one wire-sized frame or IP packet in flight. Whoever is handed a Packet owns Data from then on.
type Packet struct {
	Data    []byte // Ethernet frame on the LAN, IP packet elsewhere
	At      int64  // ns since the start of the script, when it passed the last stage
	Lineage Lineage
}
