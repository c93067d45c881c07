package profile

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
