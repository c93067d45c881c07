// Package policy holds what hosts, servers and routers must do alike in both worlds: how long they wait, how often they try again,
// which ports they take, and the kernel settings that the virtual world models. The live world (emulator/live) gives these values
// to sockets and kernels, the virtual one (emulator/virtual) to its model of them; a value that stands only here cannot differ.
//
// It is pure: constants and functions of their arguments, safe for concurrent use. What a profile of a device sets (TTL, MSS,
// keepalive, neighbour times) is not here, and neither is what only one of the worlds has to say, as the virtual kernel's own timers.
package policy

import "time"

// How long an end waits for another, and how often it tries.
const (
	// StreamTimeout is for bytes of a message on a stream, beyond the time that the script lets the other end wait.
	StreamTimeout = 30 * time.Second
	// DatagramTimeout is for a datagram or an echo reply, which may be lost.
	DatagramTimeout = 2 * time.Second
	// DialTimeout bounds a TCP handshake. SYNTries go out within it: RFC 6298's first timeout is 1 s and doubles, so the second SYN
	// leaves after 1 s, the third after 3 s, and a fourth would after 7 s, too late to be answered and used.
	DialTimeout = 8 * time.Second
	// SYNTries is how many SYNs a connection is tried with.
	SYNTries = 3
	// ResolveTimeout is after how long a resolver asks again, ResolveTries how often it asks; glibc's defaults are 5 s and two tries
	// (resolv.conf(5): timeout, attempts). It bounds the router's queries for names and the time, too.
	ResolveTimeout = 5 * time.Second
	// ResolveTries counts the first query.
	ResolveTries = 3
)

// Lasting connections that broke are opened again after ReconnectFirst, then after twice as long each time, up to ReconnectMost. An
// exchange that needs the connection waits for ReconnectTries attempts.
const (
	ReconnectFirst = time.Second
	ReconnectMost  = time.Minute
	ReconnectTries = 4
)

// NameTTL is how long an answer of the internet's DNS may be kept, s.
const NameTTL = 60

// QUICLinger is how long the socket of a closed QUIC connection still listens: what is on its way would be answered by ICMP. RFC 9000,
// section 10.2, asks for three probe timeouts, which is less on the paths modelled.
const QUICLinger = 500 * time.Millisecond

// The router's own queries begin RouterStart after script time 0. NTP's poll intervals go from 2^6 to 2^10 s, doubled while all is
// well (RFC 5905, section 7.2).
const (
	RouterStart  = 500 * time.Millisecond
	NTPFirstPoll = 64 * time.Second
	NTPLastPoll  = 1024 * time.Second
)

// Ephemeral ports of Linux (net.ipv4.ip_local_port_range), the first and the last.
const (
	FirstEphemeral = 32768
	LastEphemeral  = 60999
)

// EphemeralPort turns a random number into one of the ephemeral ports.
func EphemeralPort(random uint64) uint16 {
	return uint16(FirstEphemeral + random%(LastEphemeral-FirstEphemeral+1))
}

// NextEphemeral is the port after another: hosts hand them out one after the other, so that none comes back soon.
func NextEphemeral(port uint16) uint16 {
	if port >= LastEphemeral {
		return FirstEphemeral
	}
	return port + 1
}

// MSS is the maximum segment size that a host announces on Ethernet if its profile says no less: 1500 bytes less two headers of 20.
const MSS = 1460
