// Package scenarios describes homes and their residents: the schema of scenario files, the built-in library, and the drawing of homes.
//
// A Scenario describes a population of homes; Draw draws one of them by seed and index. Everything in which homes differ is drawn here
// (devices, their phases, habits and clocks, addresses, the WAN) and listed in Home.Varied. Only Load does I/O. A Scenario and a Home are
// read-only once created and may be shared by goroutines. Not modelled: seasons and holidays; a phone that leaves with its owner (it
// stays in the home, with background traffic only).
package scenarios

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml"
)

// Path is the path of packets between the home and the internet.
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
	Duration  time.Duration // default duration of a run
	WarmUp    time.Duration // from the start: not scored
	Path      Path
	Devices   []Entry
	Household Household
	WAN       WAN
	WiFi      WiFi
	Router    Router

	// Exact homes have clocks without drift and clouds at distance 0, for the comparison with a capture: a profile learned from it includes
	// both. It cannot be set in a file.
	Exact bool

	// PhoneUse is a factor on how often people use phones and tablets, for experiments; 0 means 1. Their background traffic is unchanged.
	// It cannot be set in a file.
	PhoneUse float64

	source string
}

// Entry is a model of device that homes can have.
type Entry struct {
	Device  string     // name in the catalogue, or path of a profile
	Units   draw.Range // how many a home has, if it has any
	Present int64      // parts per million of homes that have it
	Mode    string     // one of the profile's modes; "" = all of them
	Profile *profile.Profile
}

// MaxDensity is the maximum of Household.Density.
const MaxDensity = 10_000

// Household describes the residents and how often they use devices.
type Household struct {
	Density       float64 // factor on the rate of user actions; 1 = real life
	Steady        bool    // user actions are evenly spaced, as in a planned trial, without habits
	AtLeast       int     // models of IoT device in a home
	PhonesAtLeast int     // models of phone or tablet in a home

	Residents draw.Range // number of people whose daily routines determine when they use devices; 0 = no routine
	Guests    int64      // parts per million of evenings with a guest; twice that on Fridays and Saturdays
}

// WAN is the range of homes' internet connections.
type WAN struct {
	UpRate      draw.Range // bit/s
	DownRate    draw.Range // bit/s
	Delay       draw.Range // ns, one way
	Jitter      draw.Range // ns, at most, above Delay
	Loss        draw.Range // parts per million, each way
	Queue       draw.Range // bytes, each way
	Grant       draw.Range // ns between upstream grants; 0 = no grants, upstream packets never wait for one
	Clouds      draw.Range // ns that a cloud's distance adds to the round trip; one draw per cloud
	Unsolicited draw.Range // unsolicited packets per hour, in millionths
}

// WiFi is the home's radio.
type WiFi struct {
	Delay     int64 // ns, each way
	Jitter    int64 // ns, at most, above Delay
	Loss      int64 // parts per million, after retries
	PowerSave bool  // stations whose profile says so sleep between beacons
}

// Router is how the home router treats its LAN.
type Router struct {
	ARP       int64 // ns for which an ARP entry is reachable; 0 = Linux's 30 s
	IGMPQuery int64 // ns between IGMP queries; 0 = none
}

// RunDuration returns the default duration of a run.
func (s *Scenario) RunDuration() time.Duration { return s.Duration }

// Source returns the argument of Load: a built-in name or the absolute path of a file. It is empty after Parse.
func (s *Scenario) Source() string { return s.source }

// Digest returns the SHA-256, in hex, of the contents of the scenario and its devices' profiles. Layout, comments and the paths of
// profiles are ignored.
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

// ParseDuration parses a Go duration with the additional units d (24 h) and w (7 d).
func ParseDuration(s string) (time.Duration, error) { return strictyaml.ParseDuration(s) }
