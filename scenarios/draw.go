package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

// Draw draws home number home of the scenario. Equal arguments give equal homes.
func (s *Scenario) Draw(seed uint64, home int) (*Home, error) {
	if home < 0 {
		return nil, fmt.Errorf("invalid home %d; allowed: 0 or higher", home)
	}
	h := &Home{Index: home, WiFi: s.WiFi, Router: s.Router, steady: s.Household.Steady, activities: s.Activities()}
	h.Seed = draw.New(seed, fmt.Sprintf("home:%d", home)).Uint64()
	h.drawWAN(s.WAN)
	a := newAddresses(h.Seed)
	h.drawNetwork(a)
	for _, e := range s.present(h.Seed) {
		if err := h.move(e, a, s); err != nil {
			return nil, err
		}
	}
	if len(h.Specimens) == 0 {
		return nil, errors.New("the scenario has no devices")
	}
	h.clock = int64(s.Start.Sub(s.Start.Truncate(24 * time.Hour)))
	h.drawPeople(s.Household, s.Start)
	h.drawOwners()
	h.drawClouds(a, s.WAN.Clouds)
	if s.Exact {
		for i := range h.Specimens {
			h.Specimens[i].Drift = 0
		}
		for i := range h.Clouds {
			h.Clouds[i].Extra = 0
		}
	}
	h.Varied = h.varied()
	return h, nil
}

// resident is an entry that the home has, with its number of units.
type resident struct {
	entry Entry
	units int64
}

// present draws the devices of the home. If there are too few, absent ones are drawn again in random order.
func (s *Scenario) present(seed uint64) []resident {
	d := draw.New(seed, "presence")
	here := make([]bool, len(s.Devices))
	order := make([]int, len(s.Devices))
	units := make([]int64, len(s.Devices))
	count := [2]int{} // IoT devices; phones and tablets
	kind := func(i int) int {
		if s.Devices[i].Profile.Kind == profile.KindIoT {
			return 0
		}
		return 1
	}
	for i, e := range s.Devices {
		here[i] = d.Chance(e.Present)
		units[i] = d.In(e.Units)
		if here[i] {
			count[kind(i)]++
		}
		j := int(d.N(int64(i + 1)))
		order[i] = order[j]
		order[j] = i
	}
	least := [2]int{s.Household.AtLeast, s.Household.PhonesAtLeast}
	for _, i := range order {
		if k := kind(i); !here[i] && count[k] < least[k] {
			here[i] = true
			count[k]++
		}
	}
	var all []resident
	for i, e := range s.Devices {
		if here[i] {
			all = append(all, resident{e, units[i]})
		}
	}
	return all
}

// habits are quantiles of how often people use a device, in thousandths of the usual rate; the mean is about 1000. The spread is
// assumed: a factor of four between the 10th and the 90th percentile of homes.
func habits() []int64 {
	return []int64{250, 450, 560, 650, 730, 810, 890, 970, 1060, 1160, 1270, 1400, 1570, 1820, 2600}
}

// maxDrift is the maximum clock drift of devices, parts per billion: the tolerance of common crystals.
const maxDrift = 40_000

// UnitName names the n-th unit of a device, from 1.
func UnitName(device string, n int64) string {
	if n > 1 {
		return fmt.Sprintf("%s-%d", device, n)
	}
	return device
}

// move puts an entry's units into the home.
func (h *Home) move(r resident, a *addresses, s *Scenario) error {
	p := r.entry.Profile
	h.Profiles = append(h.Profiles, p)
	for n := int64(1); n <= r.units; n++ {
		u := script.Specimen{Index: int32(len(h.Specimens)), Name: UnitName(p.Device, n), Profile: p, Options: make(map[string]any)}
		if slices.ContainsFunc(h.Specimens, func(o script.Specimen) bool { return o.Name == u.Name }) {
			return fmt.Errorf("two devices of the home have the name %q: rename one profile", u.Name)
		}
		d := draw.New(h.Seed, "unit:"+u.Name)
		u.Seed = d.Uint64()
		u.Drift = d.In(draw.Range{Min: -maxDrift, Max: maxDrift})
		q := habits()
		i := d.N(int64(len(q) - 1))
		u.Habit = float64(q[i]+d.N(q[i+1]-q[i])) / 1000
		if s.Household.Steady {
			u.Habit = 1
		}
		if s.PhoneUse > 0 && p.Kind != profile.KindIoT {
			u.Habit *= s.PhoneUse
		}
		if r.entry.Mode != "" {
			u.Options["mode"] = r.entry.Mode
		}
		u.Kits, u.PAN = script.DrawKits(p, u.Seed)
		u.MAC = a.mac(p.OUI)
		var err error
		if u.Addr, err = a.onLAN(h.LAN); err != nil {
			return err
		}
		h.Specimens = append(h.Specimens, u)
	}
	return nil
}

// drawOwners assigns phones and tablets to residents in turn, from a drawn one.
func (h *Home) drawOwners() {
	people := int64(2)
	if h.People != nil {
		people = 0
		for i := range h.People.Persons {
			if !h.People.Persons[i].Guest {
				people++
			}
		}
	}
	next := draw.New(h.Seed, "owners").N(people)
	for _, u := range h.Specimens {
		if u.Profile.Kind != profile.KindIoT {
			u.Options["owner"] = fmt.Sprintf("resident-%d", 1+next%people)
			next++
		}
	}
}

func (h *Home) drawWAN(w WAN) {
	d := draw.New(h.Seed, "wan")
	h.WAN = Link{
		UpRate: d.In(w.UpRate), DownRate: d.In(w.DownRate), Delay: d.In(w.Delay), Jitter: d.In(w.Jitter),
		Loss: d.In(w.Loss), Queue: d.In(w.Queue), Unsolicited: d.In(w.Unsolicited), Grant: d.In(w.Grant),
	}
}

// varied lists what was drawn for this home.
func (h *Home) varied() map[string]any {
	units := make(map[string]any, len(h.Specimens))
	for i, x := range h.Scripts(0, 0) {
		u := h.Specimens[i]
		unit := map[string]any{
			"mac": fmt.Sprintf("%x", u.MAC), "address": u.Addr.String(), "seed": fmt.Sprintf("%016x", u.Seed),
			"drift_ppb": u.Drift, "habit": u.Habit, "options": u.Options, "timers": x.Beats(),
		}
		if u.PAN != nil {
			kits := make(map[string]any, len(u.Kits))
			for j := range u.Kits {
				kits[u.Kits[j].Name] = u.Kits[j].Describe()
			}
			unit["pan"], unit["kits"] = u.PAN.Describe(), kits
		}
		units[u.Name] = unit
	}
	clouds := make(map[string]any, len(h.Clouds))
	for _, c := range h.Clouds {
		clouds[c.Host] = map[string]any{"cloud": c.Cloud, "address": c.Addr.String(), "extra_ns": c.Extra}
	}
	all := map[string]any{
		"units": units, "clouds": clouds, "lan": h.LAN.String(), "wan_address": h.WANAddr.String(), "isp_address": h.ISPAddr.String(),
		"vpn_server": h.VPNServer.String(), "dns": h.DNS.String(), "ntp": h.NTP.String(),
		"wan": map[string]any{
			"up_bit_s": h.WAN.UpRate, "down_bit_s": h.WAN.DownRate, "delay_ns": h.WAN.Delay, "jitter_ns": h.WAN.Jitter,
			"loss_ppm": h.WAN.Loss, "queue_bytes": h.WAN.Queue, "grant_ns": h.WAN.Grant, "unsolicited_per_hour_millionths": h.WAN.Unsolicited,
		},
	}
	if h.people != nil {
		all["people"] = h.people
	}
	return all
}

// drawClouds assigns addresses to the hosts of the home's devices. A cloud has about half as many addresses as hosts, so hosts share
// them; each cloud has a distance.
func (h *Home) drawClouds(a *addresses, distance draw.Range) {
	hosts := make(map[string][]string) // by cloud
	seen := make(map[string]bool)
	var clouds []string
	for _, p := range h.Profiles {
		for _, s := range p.Services {
			if !s.WAN() || seen[s.Host] {
				continue
			}
			seen[s.Host] = true
			if hosts[s.Cloud] == nil {
				clouds = append(clouds, s.Cloud)
			}
			hosts[s.Cloud] = append(hosts[s.Cloud], s.Host)
		}
	}
	slices.Sort(clouds)
	for _, cloud := range clouds {
		h.Clouds = append(h.Clouds, a.cloud(h, cloud, hosts[cloud], distance)...)
	}
	slices.SortFunc(h.Clouds, func(x, y Cloud) int { return cmp.Compare(x.Host, y.Host) })
}
