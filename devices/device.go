// Package devices says who lives in the house: what each device is, which cloud services it uses, and what it does when.
//
// It is pure: no I/O, no clock, no goroutine. Profiles are YAML data (the embedded catalogue and the user's own files);
// a Script turns a profile and a seed into activities at scripted times. A script depends on the seed alone, never on
// the network, so the live and the virtual world perform the same activities at the same scripted times.
package devices

import "net/netip"

// Op is the kind of exchange that a host performs.
type Op uint8

// What an exchange can be.
const (
	OpDialogue   Op = iota // messages on the service's connection or UDP flow
	OpConnect              // open the service's lasting connection: DNS, TCP, TLS, log-in messages
	OpResolve              // one DNS look-up of the service's host
	OpTimeSync             // one NTP query
	OpPing                 // ICMP echo to the service's host: one request for each message Up, Size = bytes of echo data
	OpQuery                // one multicast question on the LAN: mDNS for a kind of service, or an SSDP search
	OpAnnounce             // one multicast message of what the device offers: an mDNS answer, or an SSDP notification
	OpARP                  // one ARP request for the router's address
	OpScan                 // an ARP request for each other address of the LAN, as an app makes that looks for things in the home
	OpReconnect            // close the service's lasting connection, if it is open, and open it again as OpConnect does
	OpDisconnect           // close the service's lasting connection, if it is open; the next exchange on it opens it again
)

// OnLine tells whether the op is done on a service's lasting connection, where it has one.
func (o Op) OnLine() bool { return o == OpDialogue || o == OpConnect || o.closes() }

// closes tells whether the op closes a lasting connection.
func (o Op) closes() bool { return o == OpReconnect || o == OpDisconnect }

// Direction of a message: 1 from the device, -1 to the device.
const (
	Up   int8 = 1
	Down int8 = -1
)

// Message is one application message of a dialogue.
type Message struct {
	Dir  int8  // Up or Down
	Size int   // application bytes (above TLS); a datagram's payload on UDP
	Wait int64 // ns after the message before it: sent by, or arrived at, the end that sends this one
}

// Exchange is what a host does on one named service, without interruption. Both ends walk Messages in order: an end
// waits for the other's message, and sends its own Wait after the message before.
type Exchange struct {
	Op       Op
	Service  string
	Offset   int64 // ns after the activity's start
	Fresh    bool  // on a connection of its own: opened before (DNS, TCP, TLS), closed after. The first message is of >= 16 bytes, and Up, but for lan-tcp
	Messages []Message
}

// Activity is one thing that a device does: the unit of truth. Its exchanges on one connection follow each other, the rest overlap.
type Activity struct {
	Name      string // closed vocabulary: the profile's activity names, its states, and "boot"
	Trigger   string // timer, boot, schedule, state, or a person's act: voice, app-local, app-remote, motion, touch
	Kit       string // the hub's kit that reported it, a KitUnit's name; "" where none did
	Actor     string // who did it: "resident-1" ..., or "" for the device itself
	At        int64  // ns since the start of the script
	Exchanges []Exchange
}

// Transport is the protocol stack of a service.
type Transport string

// The transports that hosts speak.
const (
	TransportTLS12 Transport = "tls12" // TCP, TLS 1.2, ECDHE-ECDSA-AES128-GCM-SHA256
	TransportTLS13 Transport = "tls13"
	TransportTCP   Transport = "tcp"
	TransportHTTP  Transport = "http" // HTTP/1.1 in the clear: a message Up is a request, the message Down its response
	TransportH2    Transport = "h2"   // HTTP/2 over TLS 1.3: a message Up is a request's body, the message Down its response's
	TransportMQTT  Transport = "mqtt" // MQTT 3.1.1 in the clear over TCP: a message is a PUBLISH, or of 2 bytes a PINGREQ or PINGRESP
	TransportQUIC  Transport = "quic" // QUIC v1 over UDP: an exchange is one stream of a connection of its own
	TransportUDP   Transport = "udp"
	TransportLAN   Transport = "lan-udp" // UDP to a peer on the LAN: the household's phone, or broadcast where there is no peer
	TransportApp   Transport = "lan-tcp" // TCP on the LAN that the household's phone opens, and the device closes: an app's dialogue with it
	TransportMDNS  Transport = "mdns"    // multicast DNS on the LAN (RFC 6762), over IPv4
	TransportMDNS6 Transport = "mdns6"
	TransportSSDP  Transport = "ssdp" // UPnP's discovery on the LAN
	TransportARP   Transport = "arp"  // the device asks by itself whether the router is still there
	TransportNTP   Transport = "ntp"
	TransportICMP  Transport = "icmp"
)

// Specimen is one physical unit of a model, as drawn for a home.
type Specimen struct {
	Index   int32          // position in the home: the Unit of packet lineage
	Name    string         // "echo-dot", "echo-dot-2"
	Profile *Profile       // shared by all units of the model; read-only
	MAC     [6]byte        // the vendor's first three octets, the rest drawn
	Addr    netip.Addr     // its DHCP reservation
	Seed    uint64         // of its script, its ports and its payload bytes
	Drift   int64          // clock error, parts per billion: scripted periods are stretched by it
	Habit   float64        // factor on how often its people use it
	Options map[string]any // modes drawn for it, listed in the manifest
	Kits    []KitUnit      // of a hub
	PAN     *PAN           // of a hub; nil of any other device
}
