package scenarios

import (
	"errors"
	"path/filepath"
	"slices"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml"
)

// Limits of a scenario.
const (
	longest  = 366 * 24 * time.Hour
	maxUnits = 50
	maxHome  = 200 // units in one home: they fit into a /24
	maxText  = 600

	maxResidents = 8
)

var defaultStart = time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC)

// Parse parses a scenario. file is its name in messages, and paths of device profiles are relative to its directory. The error is
// strictyaml.ConfigErrors with all errors, including those of the profiles.
func Parse(file string, src []byte) (*Scenario, error) {
	return parse(file, src, func(name string) (*profile.Profile, string, error) {
		if strictyaml.IsFile(name) && !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(file), name)
			if abs, err := filepath.Abs(name); err == nil {
				name = abs
			}
		}
		p, err := catalogue.Resolve(name)
		return p, name, err
	})
}

// resolver finds a device's profile, and a name for it that does not depend on the current directory.
type resolver func(nameOrPath string) (*profile.Profile, string, error)

func parse(file string, src []byte, resolve resolver) (*Scenario, error) {
	doc, root := strictyaml.Parse(file, src)
	if doc.Failed() {
		return nil, doc.Err()
	}
	r := &reader{resolve: resolve}
	r.scenario(root)
	var own strictyaml.ConfigErrors
	errors.As(doc.Err(), &own)
	if all := append(own, r.foreign...); len(all) > 0 {
		return nil, all
	}
	return &r.s, nil
}

type reader struct {
	s       Scenario
	resolve resolver
	foreign strictyaml.ConfigErrors // of device profiles
}

func (r *reader) scenario(root strictyaml.Node) {
	m := root.Map("name", "about", "start", "duration", "warm_up", "path", "devices", "household", "wan", "wifi", "router")
	s := &r.s
	n := m.Need("name")
	if s.Name = n.String(60); s.Name != "" && !strictyaml.IsName(s.Name) {
		n.Errorf("lower-case letters and digits in words joined by hyphens", "invalid name %q", s.Name)
	}
	s.About = m.Opt("about").String(maxText)
	s.Start = defaultStart
	if m.Has("start") {
		r.start(m.Opt("start"))
	}
	s.Duration, s.WarmUp = 10*time.Minute, 15*time.Second
	if m.Has("duration") {
		s.Duration = time.Duration(m.Opt("duration").Duration(time.Second, longest))
	}
	if m.Has("warm_up") {
		s.WarmUp = time.Duration(m.Opt("warm_up").Duration(0, longest))
	}
	if s.WarmUp >= s.Duration && s.Duration > 0 {
		m.Opt("warm_up").Errorf("less than the duration", "the warm-up (%s) leaves nothing of a run of %s",
			strictyaml.FormatDuration(s.WarmUp), strictyaml.FormatDuration(s.Duration))
	}
	s.Path = Path(m.Need("path").Enum(string(PathNAPT), string(PathVPN)))
	list := m.Need("devices").List()
	if m.Has("devices") && len(list) == 0 {
		m.Opt("devices").Errorf("one or more", "no devices")
	}
	units := int64(0)
	for _, d := range list {
		e := r.entry(d)
		units += e.Units.Max
		s.Devices = append(s.Devices, e)
	}
	if units > maxHome {
		m.Opt("devices").Errorf("at most 200 in a home", "up to %d units", units)
	}
	r.household(m.Opt("household"))
	r.wan(m.Opt("wan"))
	r.wifi(m.Opt("wifi"))
	r.router(m.Opt("router"))
}

func (r *reader) start(n strictyaml.Node) {
	s := n.String(40)
	if s == "" {
		return
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1971 || t.Year() > 2200 {
		n.Errorf("RFC 3339 in the years 1971 to 2200, as in 2026-01-05T00:00:00Z", "invalid time %q", s)
		return
	}
	r.s.Start = t.UTC()
}

func (r *reader) entry(n strictyaml.Node) (e Entry) {
	m := n.Map("device", "units", "present", "mode")
	e.Units, e.Present = draw.Range{Min: 1, Max: 1}, strictyaml.Micro
	if m.Has("units") {
		e.Units.Min, e.Units.Max = m.Opt("units").IntRange(1, maxUnits)
	}
	if m.Has("present") {
		e.Present = m.Opt("present").Decimal(0, 100) / 100
	}
	if m.Has("mode") {
		e.Mode = m.Opt("mode").String(32)
	}
	at := m.Need("device")
	e.Device = at.String(maxText)
	if e.Device == "" {
		return e
	}
	p, name, err := r.resolve(e.Device)
	if err != nil {
		r.unresolved(at, e.Device, err)
		return e
	}
	e.Device, e.Profile = name, p
	for _, other := range r.s.Devices {
		if other.Profile == nil || other.Profile.Device != p.Device {
			continue
		}
		at.Errorf("units: N, for several of one model", "device %q is listed twice", p.Device)
		break
	}
	if e.Mode != "" && !slices.Contains(p.Modes, e.Mode) {
		allowed := "no mode at all"
		if len(p.Modes) > 0 {
			allowed = strictyaml.OneOf(e.Mode, p.Modes)
		}
		m.Opt("mode").Errorf(allowed, "%s has no mode %q", p.Device, e.Mode)
	}
	return e
}

func (r *reader) unresolved(at strictyaml.Node, name string, err error) {
	var inside strictyaml.ConfigErrors
	switch {
	case errors.As(err, &inside):
		at.Errorf("", "the profile has errors, which follow")
		r.foreign = append(r.foreign, inside...)
	case strictyaml.IsFile(name):
		at.Errorf("a device of the catalogue, or the path of a profile", "%v", err)
	default:
		at.Errorf(strictyaml.OneOf(name, catalogue.Names())+" (or the path of a profile)", "no device %q in the catalogue", name)
	}
}

func (r *reader) household(n strictyaml.Node) {
	h := &r.s.Household
	*h = Household{Density: 1, AtLeast: 1}
	phones, models, known := 0, 0, len(r.s.Devices) > 0
	for _, e := range r.s.Devices {
		switch {
		case e.Profile == nil:
			known = false // its kind is unknown, so the numbers are not compared
		case e.Profile.Kind == profile.KindIoT:
			models++
		default:
			phones++
		}
	}
	h.AtLeast = min(1, models)
	if models == 0 {
		h.PhonesAtLeast = min(1, phones)
	}
	if !n.Given() {
		return
	}
	if !known {
		models, phones = maxHome, maxHome
	}
	m := n.Map("density", "steady", "at_least", "phones_at_least", "residents", "guests")
	h.Steady = m.Opt("steady").Bool()
	if m.Has("density") {
		h.Density = float64(m.Opt("density").Decimal(0, MaxDensity)) / strictyaml.Micro
	}
	if m.Has("at_least") {
		h.AtLeast = int(m.Opt("at_least").Int(0, int64(models)))
	}
	if m.Has("phones_at_least") {
		h.PhonesAtLeast = int(m.Opt("phones_at_least").Int(0, int64(phones)))
	}
	if m.Has("residents") {
		h.Residents.Min, h.Residents.Max = m.Opt("residents").IntRange(1, maxResidents)
	}
	if m.Has("guests") {
		h.Guests = m.Opt("guests").Decimal(0, 100) / 100
		if h.Residents.Max == 0 && h.Guests > 0 {
			m.Opt("guests").Errorf("residents: 1 or more", "guests without residents")
		}
	}
	if known && h.AtLeast+h.PhonesAtLeast == 0 {
		n.Errorf("at_least or phones_at_least: 1 or more", "a home may be empty")
	}
}

func bitUnits() []strictyaml.Unit {
	return []strictyaml.Unit{{Name: "gbit", Factor: 1e9}, {Name: "mbit", Factor: 1e6}, {Name: "kbit", Factor: 1e3}, {Name: "bit", Factor: 1}}
}

func byteUnits() []strictyaml.Unit {
	return []strictyaml.Unit{{Name: "mb", Factor: 1e6}, {Name: "kb", Factor: 1e3}, {Name: "b", Factor: 1}, {Name: "", Factor: 1}}
}

func (r *reader) wan(n strictyaml.Node) {
	w := &r.s.WAN
	*w = WAN{
		UpRate: one(20e6), DownRate: one(100e6), Delay: one(int64(10 * time.Millisecond)),
		Jitter: one(int64(time.Millisecond)), Queue: one(250_000), Clouds: cloudsAnywhere(),
	}
	if !n.Given() {
		return
	}
	m := n.Map("up_rate", "down_rate", "delay", "jitter", "loss", "queue", "grant", "clouds", "unsolicited_per_hour")
	const rates = "8kbit to 100gbit"
	if m.Has("up_rate") {
		w.UpRate.Min, w.UpRate.Max = m.Opt("up_rate").Quantity(bitUnits(), 8e3, 100e9, rates)
	}
	if m.Has("down_rate") {
		w.DownRate.Min, w.DownRate.Max = m.Opt("down_rate").Quantity(bitUnits(), 8e3, 100e9, rates)
	}
	if m.Has("delay") {
		w.Delay.Min, w.Delay.Max = m.Opt("delay").DurationRange(0, 5*time.Second)
	}
	if m.Has("jitter") {
		w.Jitter.Min, w.Jitter.Max = m.Opt("jitter").DurationRange(0, 5*time.Second)
	}
	w.Loss = percent(m.Opt("loss"))
	if m.Has("queue") {
		w.Queue.Min, w.Queue.Max = m.Opt("queue").Quantity(byteUnits(), 3000, 1e9, "3kB to 1000MB")
	}
	if m.Has("grant") {
		w.Grant.Min, w.Grant.Max = m.Opt("grant").DurationRange(0, 100*time.Millisecond)
	}
	if m.Has("clouds") {
		w.Clouds.Min, w.Clouds.Max = m.Opt("clouds").DurationRange(0, time.Second)
	}
	w.Unsolicited.Min, w.Unsolicited.Max = m.Opt("unsolicited_per_hour").DecimalRange(0, 1_000_000)
}

func (r *reader) wifi(n strictyaml.Node) {
	w := &r.s.WiFi
	*w = WiFi{Delay: int64(time.Millisecond), Jitter: int64(2 * time.Millisecond)}
	if !n.Given() {
		return
	}
	m := n.Map("delay", "jitter", "loss", "power_save")
	if m.Has("delay") {
		w.Delay = m.Opt("delay").Duration(0, time.Second)
	}
	if m.Has("jitter") {
		w.Jitter = m.Opt("jitter").Duration(0, time.Second)
	}
	w.Loss = percent(m.Opt("loss")).Min
	w.PowerSave = m.Opt("power_save").Bool()
}

// igmpInterval is RFC 3376's query interval (section 8.2).
const igmpInterval = 125 * time.Second

func (r *reader) router(n strictyaml.Node) {
	x := &r.s.Router
	*x = Router{IGMPQuery: int64(igmpInterval)}
	if !n.Given() {
		return
	}
	m := n.Map("arp", "igmp_query")
	if m.Has("arp") {
		x.ARP = m.Opt("arp").Duration(time.Second, 24*time.Hour)
	}
	if m.Has("igmp_query") {
		x.IGMPQuery = m.Opt("igmp_query").Duration(0, 24*time.Hour)
	}
}

func one(n int64) draw.Range { return draw.Range{Min: n, Max: n} }

// percent reads a percentage, or a range of them, in parts per million.
func percent(n strictyaml.Node) draw.Range {
	lo, hi := n.DecimalRange(0, 100)
	return draw.Range{Min: lo / 100, Max: hi / 100}
}
