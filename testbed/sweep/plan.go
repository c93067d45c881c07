package sweep

import (
	"errors"
	"fmt"
	"slices"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml"
	"glasshouse/scenarios"
)

// classOther is the class of all that is no target: other IoT devices, phones and tablets.
const classOther = "other"

// always is an entry's chance to be in a home: parts per million.
const always = 1_000_000

// cast is who can be in a home.
type cast struct {
	base    *scenarios.Scenario
	targets []scenarios.Entry // what the attacker looks for: one unit each
	others  []scenarios.Entry // other IoT devices
	phones  []scenarios.Entry // phones and tablets
}

// newCast finds the targets (all IoT devices of the scenario if none are named) and who else can be there: what the scenario has
// beside them, and after it the catalogue.
func newCast(sc *scenarios.Scenario, targets []string) (*cast, error) {
	c := &cast{base: sc}
	for _, e := range sc.Devices {
		e.Present, e.Units = always, draw.Range{Min: 1, Max: 1}
		iot := e.Profile.Kind == profile.KindIoT
		switch {
		case !iot:
			c.phones = append(c.phones, e)
		case len(targets) == 0 || slices.Contains(targets, e.Profile.Device):
			c.targets = append(c.targets, e)
		default:
			c.others = append(c.others, e)
		}
	}
	for i, t := range targets {
		if !slices.ContainsFunc(c.targets, func(e scenarios.Entry) bool { return e.Profile.Device == t }) {
			return nil, fmt.Errorf("the scenario %s has no IoT device %q (allowed: %s)", sc.Name, t, strictyaml.OneOf(t, iotOf(sc)))
		}
		if slices.Contains(targets[:i], t) {
			return nil, fmt.Errorf("target %s is named twice", t)
		}
	}
	if len(c.targets) == 0 {
		return nil, fmt.Errorf("the scenario %s has no IoT device to look for", sc.Name)
	}
	if len(c.targets) > 200 {
		return nil, errors.New("more than 200 targets")
	}
	for _, name := range catalogue.Names() {
		p, err := catalogue.Load(name)
		if err != nil {
			return nil, err
		}
		e := scenarios.Entry{Device: name, Units: draw.Range{Min: 1, Max: 1}, Present: always, Profile: p}
		has := func(list []scenarios.Entry) bool {
			return slices.ContainsFunc(list, func(o scenarios.Entry) bool { return o.Profile.Device == p.Device })
		}
		switch {
		case p.Kind != profile.KindIoT:
			if !slices.ContainsFunc(sc.Devices, func(o scenarios.Entry) bool { return o.Profile.Kind != profile.KindIoT }) {
				c.phones = append(c.phones, e)
			}
		case !has(c.targets) && !has(c.others):
			c.others = append(c.others, e)
		}
	}
	if len(c.others) == 0 {
		return nil, errors.New("all devices that there are are targets: who is other?")
	}
	return c, nil
}

func iotOf(sc *scenarios.Scenario) []string {
	var names []string
	for _, p := range sc.Profiles() {
		if p.Kind == profile.KindIoT {
			names = append(names, p.Device)
		}
	}
	return names
}

// base is the setting in which nothing is varied: all targets and two other devices together; as many phones as the scenario's
// homes have on average.
func (c *cast) setting() Setting {
	phones := int64(0)
	for _, e := range c.base.Devices {
		if e.Profile.Kind != profile.KindIoT {
			phones += e.Present * (e.Units.Min + e.Units.Max) / 2
		}
	}
	return Setting{
		Devices: len(c.targets) + 2, Phones: int((phones + always/2) / always), Intensity: 1, intensity: micro, Path: c.base.Path,
	}
}

// classes lists what the attacker tells apart: the targets, and all else.
func (c *cast) classes() []string {
	out := make([]string, 0, len(c.targets)+1)
	for _, e := range c.targets {
		out = append(out, e.Profile.Device)
	}
	return append(out, classOther)
}

// family returns the homes in which the targets of home number home are found at a setting: each has s.Devices IoT devices and
// s.Phones phones, and together they have every target once and one other device at least. There is more than one where a home
// has no room for all. They are drawn from one seed (scenarios.Draw with the same seed and number), so that a target is the same
// unit, of the same habits and script, whoever else is there.
func (c *cast) family(s Setting, seed uint64, home int) []*scenarios.Scenario {
	n := (len(c.targets) + s.Devices) / s.Devices // enough for one more than the targets
	targets := shuffled(c.targets, draw.New(seed, fmt.Sprintf("sweep:targets:%d", home)))
	others := shuffled(c.others, draw.New(seed, fmt.Sprintf("sweep:others:%d", home)))
	phones := shuffled(c.phones, draw.New(seed, fmt.Sprintf("sweep:phones:%d", home)))
	homes := make([]*scenarios.Scenario, n)
	next := 0
	for i := range homes {
		sc := *c.base
		sc.Devices = nil
		for k := i; k < len(targets); k += n {
			sc.Devices = append(sc.Devices, targets[k])
		}
		left := s.Devices - len(sc.Devices)
		sc.Devices = append(sc.Devices, take(others, next, left)...)
		next += left
		sc.Devices = append(sc.Devices, take(phones, 0, s.Phones)...)
		sc.Household.AtLeast, sc.Household.PhonesAtLeast = 0, 0
		sc.Path = s.Path
		sc.PhoneUse = float64(s.intensity) / micro
		if s.loss != nil {
			sc.WAN.Loss = draw.Range{Min: int64(*s.loss), Max: int64(*s.loss)}
		}
		if s.delay != nil {
			sc.WAN.Delay = draw.Range{Min: int64(*s.delay), Max: int64(*s.delay)}
		}
		homes[i] = &sc
	}
	return homes
}

// shuffled returns the entries in a drawn order.
func shuffled(list []scenarios.Entry, d *draw.Stream) []scenarios.Entry {
	out := slices.Clone(list)
	for i := len(out) - 1; i > 0; i-- {
		j := int(d.N(int64(i + 1)))
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// take returns n units from a list that goes round, from a place: beyond its end come second units, third ones, and so on.
func take(list []scenarios.Entry, from, n int) []scenarios.Entry {
	var out []scenarios.Entry
	for i := range min(n, len(list)) {
		e := list[(from+i)%len(list)]
		units := int64(1 + (n-1-i)/len(list))
		e.Units = draw.Range{Min: units, Max: units}
		out = append(out, e)
	}
	return out
}
