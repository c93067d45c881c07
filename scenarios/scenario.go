// Package scenarios says what a home is and what its people do there: the schema of scenario files, the built-in library,
// and the drawing of homes.
//
// A Scenario describes a population of homes; Draw picks one of them by a seed and an index. Everything that homes differ
// in is drawn here (which devices, their phases, habits and clocks, addresses, the WAN) and listed in Home.Varied. Pure but
// for Load, which reads files. A Scenario and a Home are read-only after they were made and may be shared by goroutines.
// Not modelled: seasons and holidays; a phone that its owner takes along (it stays, with its background traffic alone).
package scenarios

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml"
)

// Path is the way of packets from the home to the internet.
type Path string

// The paths.
const (
	PathNAPT Path = "napt"
	PathVPN  Path = "vpn" // through a WireGuard tunnel
)

// Scenario is a population of homes.
type Scenario struct {
	Name      string
	About     string
	Start     time.Time     // script time 0 of virtual runs
	Duration  time.Duration // of a run, unless told otherwise
	WarmUp    time.Duration // from the start: not scored
	Path      Path
	Devices   []Entry
	Household Household
	WAN       WAN
	WiFi      WiFi
	Router    Router

	// Exact homes have clocks that do not err and clouds at no distance: for the comparison with a capture, from which the
	// profile has both already. No file can ask for it.
	Exact bool

	// PhoneUse is a factor on how often people use phones and tablets; 0 stands for 1. What these do by themselves stays. For
	// experiments: no file can ask for it.
	PhoneUse float64

	source string
}

// Entry is a model of device that homes can have.
type Entry struct {
	Device  string     // name in the catalogue, or path of a profile
	Units   draw.Range // how many a home has, if it has any
	Present int64      // parts per million of homes that have it
	Mode    string     // of the profile's modes; "" = the unit lives in all of them
	Profile *profile.Profile
}

// MaxDensity is how much more often than in life people may act.
const MaxDensity = 10_000

// Household is the people.
type Household struct {
	Density       float64 // factor on people's acts: 1 = as often as in life
	Steady        bool    // devices are tried out by a plan: acts come evenly, none by a habit of its home
	AtLeast       int     // models of IoT device in a home
	PhonesAtLeast int     // models of phone or tablet in a home

	Residents draw.Range // people who live in a home, and whose days decide when they act; 0 = no routine
	Guests    int64      // parts per million of evenings with a guest; twice that on Fridays and Saturdays
}

// WAN is the range of internet connections that homes have.
type WAN struct {
	UpRate      draw.Range // bit/s
	DownRate    draw.Range // bit/s
	Delay       draw.Range // ns, one way
	Jitter      draw.Range // ns, at most, above Delay
	Loss        draw.Range // parts per million, each way
	Queue       draw.Range // bytes, each way
	Grant       draw.Range // ns from one grant of the way up to the next; 0 = it may be used at any time
	Clouds      draw.Range // ns that a cloud's distance adds to the round trip; one draw a cloud
	Unsolicited draw.Range // millionths of packets an hour that nobody asked for
}

// WiFi is the home's radio.
type WiFi struct {
	Delay     int64 // ns, each way
	Jitter    int64 // ns, at most, above Delay
	Loss      int64 // parts per million, after retries
	PowerSave bool  // stations whose profile says so doze between beacons
}

// Router is how the home router treats its LAN.
type Router struct {
	ARP       int64 // ns for which it trusts an address that it has learned by ARP; 0 = Linux's 30 s
	IGMPQuery int64 // ns between its questions who listens to which group; 0 = it never asks
}

// RunDuration returns how long a run lasts, unless told otherwise.
func (s *Scenario) RunDuration() time.Duration { return s.Duration }

// Source returns what Load was given: a built-in name or the absolute path of a file. Empty after Parse.
func (s *Scenario) Source() string { return s.source }

// Digest returns the SHA-256, in hex, of all that the scenario and its devices' profiles say. Layout, comments and the
// paths of profiles don't count.
func (s *Scenario) Digest() string {
	h := sha256.New()
	h.Write([]byte(s.text(func(e Entry) string { return e.Profile.Device })))
	for _, e := range s.Devices {
		d := e.Profile.Digest()
		h.Write(d[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Profiles returns the models of device, in the order of the scenario, each once.
func (s *Scenario) Profiles() []*profile.Profile {
	var all []*profile.Profile
	seen := make(map[string]bool)
	for _, e := range s.Devices {
		if !seen[e.Profile.Device] {
			seen[e.Profile.Device] = true
			all = append(all, e.Profile)
		}
	}
	return all
}

// ActivityNone is the activity of packets that belong to none.
const ActivityNone = "none"

// Activities returns the vocabulary of activities in an order that all homes of the scenario share: "none" at 0, "boot" at
// 1, then as the profiles name them.
func (s *Scenario) Activities() []string {
	names := []string{ActivityNone, profile.ActivityBoot}
	seen := map[string]bool{ActivityNone: true, profile.ActivityBoot: true}
	for _, p := range s.Profiles() {
		for _, n := range p.ActivityNames() {
			if !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	return names
}

// ParseDuration reads Go's durations, with d (24 h) and w (7 d) beside h, m, s, ms, us, ns.
func ParseDuration(s string) (time.Duration, error) { return strictyaml.ParseDuration(s) }
