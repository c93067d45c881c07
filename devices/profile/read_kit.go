package profile

import (
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/strictyaml"
)

const (
	maxKits     = 16                    // of one model, at one hub
	minInterval = 20 * time.Millisecond // the least that Bluetooth allows between advertisements
)

// kits reads the kits of a hub. They come before the activities, which name them.
func (r *reader) kits(n strictyaml.Node) {
	if !n.Given() {
		return
	}
	seen := make(map[string]bool)
	for _, item := range n.List() {
		k := r.kit(item)
		if k.Name != "" && seen[k.Name] {
			item.Errorf("each name once", "a second kit %q", k.Name)
		}
		seen[k.Name] = true
		r.p.Kits = append(r.p.Kits, k)
	}
}

func (r *reader) kit(n strictyaml.Node) (k Kit) {
	m := n.Map("name", "about", "radio", "sensor", "oui", "units", "every", "basis", "assumed", "source")
	k.Name = readName(m.Need("name"))
	k.About = m.Need("about").String(maxTextLength)
	k.Radio = Radio(m.Need("radio").Enum(string(RadioZigbee), string(RadioBLE)))
	k.Sensor = Sensor(m.Need("sensor").Enum(Sensors()...))
	k.OUI = readOUI(m.Need("oui"))
	k.Units = draw.Range{Min: 1, Max: 1}
	if m.Has("units") {
		k.Units = integers(m.Opt("units"), 1, maxKits)
	}
	k.Every = durations(m.Need("every"), minInterval, maxPeriod)
	k.Origin = r.origin(m)
	return k
}

// kitOf checks the kit that an activity names.
func (r *reader) kitOf(m strictyaml.Map, a *Routine) {
	if !m.Has("kit") {
		return
	}
	n := m.Opt("kit")
	a.Kit = n.String(32)
	switch {
	case a.Kit == "":
	case r.p.Kit(a.Kit) == nil:
		names := make([]string, 0, len(r.p.Kits))
		for i := range r.p.Kits {
			names = append(names, r.p.Kits[i].Name)
		}
		allowed := "a device without kits has none"
		if len(names) > 0 {
			allowed = strictyaml.OneOf(a.Kit, names)
		}
		n.Errorf(allowed, "no kit %q", a.Kit)
	case a.Trigger == TriggerBoot:
		n.Errorf("", "boot is the hub's own")
	}
}
