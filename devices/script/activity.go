// Package script says what each device of a home does when: a Script turns a profile and a seed into activities at scripted times, an
// Agenda puts those of a home in one order, and People decide when somebody acts. Specimens are the units of a home, with the kits of hubs.
//
// It is pure: no I/O, no clock, no goroutine. A script depends on the seed alone, never on the network, so the live and the virtual world
// perform the same activities at the same scripted times. A Script and an Agenda are used from one goroutine at a time.
package script

import (
	"net/netip"

	"glasshouse/devices/profile"
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
	Op       profile.Op
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

// Specimen is one physical unit of a model, as drawn for a home.
type Specimen struct {
	Index   int32            // position in the home: the Unit of packet lineage
	Name    string           // "echo-dot", "echo-dot-2"
	Profile *profile.Profile // shared by all units of the model; read-only
	MAC     [6]byte          // the vendor's first three octets, the rest drawn
	Addr    netip.Addr       // its DHCP reservation
	Seed    uint64           // of its script, its ports and its payload bytes
	Drift   int64            // clock error, parts per billion: scripted periods are stretched by it
	Habit   float64          // factor on how often its people use it
	Options map[string]any   // modes drawn for it, listed in the manifest
	Kits    []KitUnit        // of a hub
	PAN     *PAN             // of a hub; nil of any other device
}

// kitsOf returns the names of a hub's units of one kit.
func (s *Specimen) kitsOf(kit string) []string {
	var names []string
	for i := range s.Kits {
		if s.Kits[i].Kit.Name == kit {
			names = append(names, s.Kits[i].Name)
		}
	}
	return names
}
