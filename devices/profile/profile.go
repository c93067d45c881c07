// Package profile is the language of device profiles: what a YAML file can say of a model of device, its schema, and the strict reader
// that reports all that is wrong at once. Where numbers come from is part of it: each entry has an Origin, whose text cites References.
//
// It is pure: bytes in, a Profile out, which is read-only from then on. Package catalogue has the built-in profiles, package script
// what a unit of a profile does when.
package profile

import (
	"crypto/sha256"
	"encoding/json"
	"slices"

	"glasshouse/devices/draw"
)

// Kind of a device.
type Kind string

// The kinds of devices. Phones and tablets are the paper's noise.
const (
	KindIoT    Kind = "iot"
	KindPhone  Kind = "phone"
	KindTablet Kind = "tablet"
)

// ClassNoise is the class of phones and tablets.
const ClassNoise = "noise"

// Categories is the closed vocabulary of what a device is for.
func Categories() []string {
	return []string{
		"appliance", "camera", "doorbell", "hub", "light", "lock", "phone", "plug", "printer", "sensor",
		"speaker", "tablet", "thermostat", "toy", "tv", "voice-assistant",
	}
}

// Profile is a model of device: what all units of it share. It is read-only after Parse.
type Profile struct {
	Device     string      `json:"device"`
	About      string      `json:"about"`
	Kind       Kind        `json:"kind"`
	Category   string      `json:"category"` // one of Categories
	Class      string      `json:"class"`    // what a classifier is asked for: the device, or "noise"
	OUI        [3]byte     `json:"oui"`      // the vendor's half of the MAC address
	Stack      Stack       `json:"stack"`
	WiFi       WiFi        `json:"wifi"`
	Services   []Service   `json:"services"`
	Kits       []Kit       `json:"kits,omitempty"`    // of a hub
	States     []State     `json:"states,omitempty"`  // the first is that after boot; none: the device is always the same
	Activities []Routine   `json:"activities"`        // without the implied "boot"
	Sources    []Reference `json:"sources,omitempty"` // its own, beside the catalogue's
	Modes      []string    `json:"modes"`             // that routines name, sorted; a unit without Options["mode"] lives in all of them
}

// Stack is how the device's TCP/IP behaves.
type Stack struct {
	TTL           int   `json:"ttl"`
	TCPTimestamps bool  `json:"tcp_timestamps"`
	MSS           int   `json:"mss"`       // bytes; 1460 unless told
	Keepalive     int64 `json:"keepalive"` // ns between TCP keepalives of an idle connection; 0 = none
	IPv6          bool  `json:"ipv6"`      // on the LAN alone: its kernel asks for routers and says which groups it listens to
	ARP           int64 `json:"arp"`       // ns for which it trusts an address that it has learned by ARP; 0 = Linux's 30 s

	// Apart: what is written at once leaves in segments of its own. Otherwise what waits is joined with what comes after it.
	Apart bool `json:"apart,omitempty"`

	// Acks holds quantiles, in equal steps, of the ns by which it acknowledges a segment late that came alone: small stacks look
	// only now and then whether an acknowledgement is due. None: as Linux does. Two segments are acknowledged at once, and
	// what the device says by itself acknowledges, too.
	Acks []int64 `json:"acks,omitempty"`
}

// WiFi is how the device's radio behaves.
type WiFi struct {
	PowerSave bool       `json:"power_save"` // dozes between beacons: what is sent to it waits
	Latency   draw.Range `json:"latency"`    // ns that its radio adds to a frame up

	// Doze holds quantiles, in equal steps, of the ns that a frame waits for a device that has heard and said nothing for a
	// moment: the sleep of its radio, and what its own stack waits before it acknowledges.
	Doze []int64 `json:"doze,omitempty"`

	// Pace holds quantiles, in equal steps, of the ns between two frames of the device where it has several to send, and PaceNext
	// how one depends on the one before.
	Pace     []int64    `json:"pace,omitempty"`
	PaceNext draw.Chain `json:"pace_next,omitempty"`
}

// Service is one peer of the device.
type Service struct {
	Name      string     `json:"name"`
	Host      string     `json:"host"` // DNS name; of lan-udp and lan-tcp: "peer" (the household's phone), of lan-udp also "broadcast"; of mdns a kind of service, of ssdp a target
	Port      uint16     `json:"port"`
	Transport Transport  `json:"transport"`
	Cloud     string     `json:"cloud"`             // pool of addresses, shared by all hosts of one operator; "" on the LAN
	Answers   bool       `json:"answers,omitempty"` // of mdns and ssdp: the device offers this, and answers who looks for it
	Lasting   bool       `json:"lasting"`           // one connection (or UDP socket) for as long as the device lives
	Login     Login      `json:"login"`
	Latency   draw.Range `json:"latency"` // ns from a message's arrival at the far end to its reply: the network's delay is not in it

	// Replies stand in the place of Latency where its distribution is known: quantiles in equal steps. Level holds quantiles of
	// what every reply takes beyond that; it is drawn anew each LevelTime, for far ends are slow for hours.
	Replies []int64 `json:"replies,omitempty"`
	Level   []int64 `json:"level,omitempty"`

	Origin
}

// Login is what a lasting connection begins with, also when it is opened again: one message up, one down. Of MQTT, Up is the
// CONNECT, and Down all that the broker says at first: a CONNACK of 4 bytes; with more, the device subscribes to a topic, and
// the rest is the SUBACK of 5 bytes and, if there is yet more, a PUBLISH that waited for the device.
//
// Of tcp and TLS, Messages may stand in the place of Up and Down: all that is said at first, drawn anew each time. The far end
// may speak first, as it does on lines that begin with a greeting.
type Login struct {
	Up       int    `json:"up"`   // application bytes, 16 or more, of MQTT 36 or more; 0 = no log-in, or Messages
	Down     int    `json:"down"` // application bytes
	Messages []Item `json:"messages,omitempty"`
}

// Sizes of MQTT's packets, bytes (MQTT 3.1.1, section 3).
const (
	MQTTPing      = 2 // PINGREQ, PINGRESP
	MQTTConnack   = 4
	MQTTSuback    = 5
	MQTTSubscribe = 15 // to one topic of eight letters
	MQTTPublish   = 5  // the least, to a topic of one letter
	mqttConnect   = 36 // the least whose client has a name of 22 letters: those of a session
)

// Hosts that lan-udp and lan-tcp services name.
const (
	HostPeer      = "peer"
	HostBroadcast = "broadcast"
)

// HostRouter is what arp services name.
const HostRouter = "router"

// WAN tells whether the service's packets leave the home.
func (s *Service) WAN() bool {
	return s.Transport != TransportLAN && s.Transport != TransportApp && !s.Multicast() && s.Transport != TransportARP
}

// Multicast tells whether the service's messages go to everybody on the LAN who listens.
func (s *Service) Multicast() bool {
	return s.Transport == TransportMDNS || s.Transport == TransportMDNS6 || s.Transport == TransportSSDP
}

// Stream tells whether the service runs over TCP.
func (s *Service) Stream() bool {
	switch s.Transport {
	case TransportTLS12, TransportTLS13, TransportTCP, TransportHTTP, TransportH2, TransportMQTT, TransportApp:
		return true
	case TransportUDP, TransportLAN, TransportMDNS, TransportMDNS6, TransportSSDP, TransportARP, TransportNTP, TransportICMP, TransportQUIC:
	}
	return false
}

// Connected tells whether the service has connections, which carry messages of any size in their order.
func (s *Service) Connected() bool { return s.Stream() || s.Transport == TransportQUIC }

// Web tells whether a message up is a request and the message down its response.
func (s *Service) Web() bool { return s.Transport == TransportHTTP || s.Transport == TransportH2 }

// Greets tells whether the far end says the first message of a lasting connection.
func (s *Service) Greets() bool {
	m := s.Login.Messages
	return len(m) > 0 && opens(m[0], Down, 1)
}

// Overhead returns the bytes of an Ethernet frame that are not application data when it holds exactly one message of the
// service: Ethernet 14, IPv4 20, TCP 20 (32 with time stamps) or UDP 8, and the TLS record's share: TLS 1.2 with AES-GCM
// 5 + 8 + 16, TLS 1.3 5 + 1 + 16.
func (s *Service) Overhead(stack Stack) int {
	n := 14 + 20 + 20
	if stack.TCPTimestamps {
		n += 12
	}
	switch s.Transport {
	case TransportTLS12:
		return n + 5 + 8 + 16
	case TransportTLS13:
		return n + 5 + 1 + 16
	case TransportTCP, TransportHTTP, TransportMQTT, TransportApp:
		return n
	case TransportH2: // and a DATA frame's head
		return n + 5 + 1 + 16 + 9
	case TransportUDP, TransportLAN, TransportMDNS, TransportMDNS6, TransportSSDP, TransportARP, TransportNTP, TransportICMP:
	case TransportQUIC: // a short header with an ID of 8 bytes, a number of 2, a STREAM frame's head, the tag
		return 14 + 20 + 8 + 1 + 8 + 2 + 4 + 16
	}
	return 14 + 20 + 8
}

// Service returns a service by name, or nil.
func (p *Profile) Service(name string) *Service {
	for i := range p.Services {
		if p.Services[i].Name == name {
			return &p.Services[i]
		}
	}
	return nil
}

// Routine returns a routine by its activity's name, or nil.
func (p *Profile) Routine(name string) *Routine {
	for i := range p.Activities {
		if p.Activities[i].Name == name {
			return &p.Activities[i]
		}
	}
	return nil
}

// ActivityNames returns "boot", then the other activities in the order of the profile, then its states.
func (p *Profile) ActivityNames() []string {
	names := []string{ActivityBoot}
	for _, r := range p.Activities {
		if !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	for i := range p.States {
		names = append(names, p.States[i].Name)
	}
	return names
}

// Digest returns the SHA-256 of what the profile says; comments, layout, and which numbers are assumed don't count.
func (p *Profile) Digest() [32]byte {
	b, err := json.Marshal(p.withoutAssumed())
	if err != nil { // a Profile holds nothing that has no JSON
		panic(err)
	}
	return sha256.Sum256(b)
}
