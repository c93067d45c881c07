package dataset

import "glasshouse/emulator/packet"

// Observation is what the WAN observer knows of one packet, and all that it knows: nothing in it comes from truth.
// It is derived from the time, the direction and the frame's own bytes by Observe.
type Observation struct {
	TsNs          int64  // UTC epoch, ns
	Frame         int64  // 1-based
	Dir           int8   // 1 up, -1 down
	Length        int32  // frame bytes with the Ethernet header, no FCS, no padding
	IPProto       uint8  // 0 where absent
	LocalPort     uint16 // the gateway's WAN side; 0 where absent
	RemotePort    uint16
	TCPFlags      uint8
	RemoteAddr    string
	PayloadLength int32  // bytes above TCP or UDP
	AppProto      string // what this frame's own bytes show: tls http dns ntp quic mqtt wireguard, or none
}

// Label is the truth about one WAN frame.
type Label struct {
	Device   string // catalogue name, "gateway" or "internet"
	Unit     string // "echo-dot-2"
	Class    string // the paper's class: its ten IoT devices, "noise"; otherwise the device
	Kind     string // iot phone tablet infrastructure
	Category string
	Activity string
	Role     string
	Event    int64 // packet.EventNone where there is none
	LANFrame int64 // 0 where there is none
	Lost     bool  // died after the tap
}

// Owned tells whether a device sent the packet, or it was for one: what the gateway and the internet do by themselves is scored
// nowhere.
func (l *Label) Owned() bool { return l.Device != NameGateway && l.Device != NameInternet }

// Row is one row of packets.parquet.
type Row struct {
	Observation
	Label
	Passed bool // a selection (Dataset.Select) does not count it; no column
}

// Event is one row of events.parquet.
type Event struct {
	Event    int64
	Device   string
	Unit     string
	Activity string
	Trigger  string
	Actor    string
	Kit      string // the hub's kit that reported it; "" where none did
	TScript  int64  // ns since the scenario's start: equal for equal seeds in both worlds; -1 where a killed run did not tell
	TStart   int64  // ns since the scenario's start; -1 where it did not start
	TEnd     int64
	Outcome  string // ok, failed, cut
}

// RoleNames is the closed vocabulary of label_role.
func RoleNames() []string { return packet.RoleNames() }
