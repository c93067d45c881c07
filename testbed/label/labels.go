// Package label makes the labels of a dataset by construction: it follows each packet's lineage from the device that sent it to its row,
// and guesses nothing. Rows joins what the tap sees with the truth that comes later; Trace finds a packet again where the live world's
// kernels and tunnel have had it; Labeller writes lineage in the dataset's words. No label is taken from a packet's bytes, and no
// observer is known here. What is used by several goroutines says so.
package label

import (
	"net"
	"slices"

	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/write"
)

// Names that the data set gives to what is no device of the home.
const (
	nameGateway        = "gateway"
	nameInternet       = "internet"
	nameInfrastructure = "infrastructure"
	nameNone           = "none"
	nameUnknown        = "unknown"
)

// Labeller turns lineage into the strings of the data set, and keeps the vocabulary of each label column.
type Labeller struct {
	units      []dataset.Label // per unit, what does not depend on the packet
	activities []string        // index = packet.Lineage.Activity; 0 is "none"
	ids        map[string]uint16
}

// NewLabeller returns a labeller.
func NewLabeller(specimens []script.Specimen, activities []string) *Labeller {
	l := &Labeller{activities: activities, ids: make(map[string]uint16)}
	for i, a := range activities {
		l.ids[a] = uint16(i)
	}
	for _, s := range specimens {
		p := s.Profile
		l.units = append(l.units, dataset.Label{
			Device: p.Device, Unit: s.Name, Class: p.Class, Kind: string(p.Kind), Category: p.Category,
		})
	}
	return l
}

// Activity returns the number of an activity, 0 for one outside of the vocabulary.
func (l *Labeller) Activity(name string) uint16 { return l.ids[name] }

// Label writes the lineage's truth into a row.
func (l *Labeller) Label(row *dataset.Row, x packet.Lineage) {
	lost := row.Lost
	switch {
	case x.Unit >= 0 && int(x.Unit) < len(l.units):
		row.Label = l.units[x.Unit]
	case x.Unit == packet.UnitGateway:
		row.Label = ownLabel(nameGateway)
	case x.Unit == packet.UnitInternet:
		row.Label = ownLabel(nameInternet)
	default:
		row.Label = dataset.Label{Device: nameUnknown, Unit: nameUnknown, Class: nameUnknown, Kind: nameUnknown, Category: nameUnknown}
	}
	row.Activity = l.activities[0]
	if int(x.Activity) < len(l.activities) {
		row.Activity = l.activities[x.Activity]
	}
	row.Role, row.Event, row.LANFrame, row.Lost = x.Role.String(), x.Event, x.LANFrame, lost
}

// ownLabel is the label of what is no device of the home's.
func ownLabel(name string) dataset.Label {
	return dataset.Label{Device: name, Unit: name, Class: name, Kind: nameInfrastructure, Category: nameInfrastructure}
}

// Home describes a home as it was drawn.
func (l *Labeller) Home(h *scenarios.Home) dataset.HomeInfo {
	info := dataset.HomeInfo{Home: h.Index, Seed: h.Seed, Varied: h.Varied}
	for i, s := range h.Specimens {
		info.Devices = append(info.Devices, dataset.DeviceInfo{
			Name: s.Profile.Device, Unit: s.Name, Class: l.units[i].Class, Kind: l.units[i].Kind,
			Category: s.Profile.Category, MAC: net.HardwareAddr(s.MAC[:]).String(), Address: s.Addr.String(),
		})
	}
	return info
}

// Direct lets a home's files be written by lineage, with these labels.
func (l *Labeller) Direct(o write.Options) write.DirectOptions {
	return write.DirectOptions{Options: o, Units: l.units, Activities: l.activities}
}

// Vocabulary lists the values that each label column can take in this run.
func (l *Labeller) Vocabulary() map[string][]string {
	v := map[string][]string{"label_activity": l.activities, "label_role": packet.RoleNames()}
	add := func(column, value string) {
		if !slices.Contains(v[column], value) {
			v[column] = append(v[column], value)
		}
	}
	for _, u := range l.units {
		add("label_device", u.Device)
		add("label_unit", u.Unit)
		add("label_class", u.Class)
		add("label_kind", u.Kind)
		add("label_category", u.Category)
	}
	for _, own := range []string{nameGateway, nameInternet} {
		add("label_device", own)
		add("label_unit", own)
		add("label_class", own)
	}
	add("label_kind", nameInfrastructure)
	add("label_category", nameInfrastructure)
	return v
}

// ScenarioVocabulary lists the values that each label column can take in any home of a scenario.
func ScenarioVocabulary(sc *scenarios.Scenario) map[string][]string {
	var all []script.Specimen
	for _, e := range sc.Devices {
		for n := int64(1); n <= e.Units.Max; n++ {
			all = append(all, script.Specimen{Name: scenarios.UnitName(e.Profile.Device, n), Profile: e.Profile})
		}
	}
	return NewLabeller(all, sc.Activities()).Vocabulary()
}
