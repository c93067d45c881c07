package scenarios

import (
	"net/netip"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

// Home is one home of a scenario, as drawn. It is read-only.
type Home struct {
	Index int
	Seed  uint64 // of everything that is drawn for this home alone

	Specimens []script.Specimen  // its devices; Index is the position
	Profiles  []*profile.Profile // of the specimens, each once
	Clouds    []Cloud            // one per host of its devices, sorted by host
	WAN       Link               // its internet connection
	WiFi      WiFi               // its radio
	Router    Router             // how it treats its LAN
	Varied    map[string]any     // everything in which homes of the scenario differ; encodes to JSON

	LAN        netip.Prefix // 192.168.x.0/24
	GatewayMAC [6]byte      // of wlan0
	GatewayLAN netip.Addr   // .1
	WANMAC     [6]byte      // of the gateway in WAN captures
	ISPMAC     [6]byte      // of the ISP's router in WAN captures
	WANAddr    netip.Addr   // in 100.64.0.0/10
	ISPAddr    netip.Addr   // in the same /24
	VPNServer  netip.Addr   // in 198.18.0.0/15, as all of the internet
	DNS        netip.Addr
	NTP        netip.Addr // address of the cloud "ntp-pool"

	People *script.People // nil: user actions at one rate around the clock

	clock      int64          // ns since midnight at script time 0
	people     map[string]any // their part of Varied
	steady     bool           // user actions are evenly spaced
	activities []string
	byHost     map[string]netip.Addr
}

// Cloud is a host on the internet.
type Cloud struct {
	Host  string
	Cloud string       // hosts of one cloud share its addresses
	Addr  netip.Addr   // what the host's name resolves to, first
	Addrs []netip.Addr // all of the cloud's, Addr first
	Extra int64        // ns that this cloud's distance adds to the round trip
}

// Link is a home's internet connection. All values but the rates apply to each direction.
type Link struct {
	UpRate      int64 // bit/s
	DownRate    int64 // bit/s
	Delay       int64 // ns, one way
	Jitter      int64 // ns, at most, above Delay
	Loss        int64 // parts per million
	Queue       int64 // bytes
	Grant       int64 // ns between upstream grants; 0 = none
	Unsolicited int64 // unsolicited packets per hour, in millionths
}

// Medium has the fields of accesspoint.Medium, and converts to it.
type Medium struct {
	Delay   int64
	Jitter  int64
	Loss    float64
	Beacon  int64
	AwakeNs int64
}

const (
	beaconInterval = int64(102_400 * time.Microsecond) // IEEE 802.11: 100 time units of 1024 µs
	awakeTime      = int64(200 * time.Millisecond)     // assumed: idle time before a station sleeps
)

// Medium returns the home's radio for the access point.
func (h *Home) Medium() Medium {
	m := Medium{Delay: h.WiFi.Delay, Jitter: h.WiFi.Jitter, Loss: float64(h.WiFi.Loss) / 1e6, AwakeNs: awakeTime}
	if h.WiFi.PowerSave {
		m.Beacon = beaconInterval
	}
	return m
}

// Agenda draws the events of a run; density is as in Household.
func (h *Home) Agenda(duration time.Duration, density float64) *script.Agenda {
	return script.Merge(h.Scripts(duration, density))
}

// Scripts draws the scripts that Agenda merges, one per specimen.
func (h *Home) Scripts(duration time.Duration, density float64) []*script.Script {
	phone, peer := h.Peer()
	o := script.Options{Duration: int64(duration), Density: density, Peer: peer, People: h.People, Clock: h.clock, Steady: h.steady}
	o.PeerOwner, _ = phone.Options["owner"].(string)
	scripts := make([]*script.Script, len(h.Specimens))
	for i, s := range h.Specimens {
		scripts[i] = script.New(s, o)
	}
	return scripts
}

// Peer returns the phone or tablet that accesses devices on the LAN: the first one, if any.
func (h *Home) Peer() (script.Specimen, bool) {
	for _, s := range h.Specimens {
		if s.Profile.Kind != profile.KindIoT {
			return s, true
		}
	}
	return script.Specimen{}, false
}

// Lookup returns the address of a host on the internet.
func (h *Home) Lookup(host string) (netip.Addr, bool) {
	a, ok := h.byHost[host]
	return a, ok
}

// Activities returns the vocabulary of activities: that of the scenario.
func (h *Home) Activities() []string { return h.activities }

// FarDelays returns, for each address of a cloud, the ns that its distance adds to the round trip.
func (h *Home) FarDelays() map[netip.Addr]int64 {
	far := make(map[netip.Addr]int64)
	for _, c := range h.Clouds {
		for _, a := range c.Addrs {
			far[a] = c.Extra
		}
	}
	return far
}

// Leases returns the DHCP reservations by MAC address.
func (h *Home) Leases() map[[6]byte]netip.Addr {
	leases := make(map[[6]byte]netip.Addr, len(h.Specimens))
	for _, s := range h.Specimens {
		leases[s.MAC] = s.Addr
	}
	return leases
}
