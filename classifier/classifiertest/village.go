package classifiertest

import (
	"path/filepath"
	"testing"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/write"
)

// Village writes a dataset of homes with two plugs of one model, a camera and a hub, each with its own packet lengths.
func Village(tb testing.TB, path, world string, homes int) *dataset.Dataset {
	tb.Helper()
	names := []string{"plug", "camera", "hub", "gateway", "internet"}
	m := dataset.Manifest{
		Scenario: "village-" + path, ScenarioDigest: path, Path: path, Seed: 7, World: world, StartNs: 1767571200e9, DurationNs: 900e9, TimeScale: 1,
		Captures: dataset.CapturesNone, RunHomes: homes,
		Vocabulary: map[string][]string{
			"label_device": names, "label_unit": append([]string{"plug-2"}, names...), "label_class": names, "label_kind": {"iot", "infrastructure"},
			"label_category": {"plug", "infrastructure"}, "label_activity": {"none"}, "label_role": dataset.RoleNames(),
		},
	}
	set, _, err := dataset.OpenOrCreate(filepath.Join(tb.TempDir(), "set"), m, []byte("name: village\n"))
	if err != nil {
		tb.Fatal(err)
	}
	units := []dataset.Label{
		{Device: "plug", Unit: "plug", Class: "plug", Kind: "iot", Category: "plug"},
		{Device: "plug", Unit: "plug-2", Class: "plug", Kind: "iot", Category: "plug"},
		{Device: "camera", Unit: "camera", Class: "camera", Kind: "iot", Category: "plug"},
		{Device: "hub", Unit: "hub", Class: "hub", Kind: "iot", Category: "plug"},
	}
	for home := range homes {
		d, err := write.CreateDirectHome(set.PartPath(home), write.DirectOptions{Options: write.Options{EpochNs: m.StartNs}, Units: units, Activities: []string{"none"}})
		if err != nil {
			tb.Fatal(err)
		}
		for i := range int64(900) {
			u := int(i) % len(units)
			ip := make([]byte, 100+100*u+int(i*7%11))
			ip[0], ip[2], ip[3], ip[8], ip[9] = 0x45, byte(len(ip)>>8), byte(len(ip)), 64, 17
			copy(ip[12:], []byte{100, 64, 0, 1, 198, 18, byte(home), byte(u), 0x9c, 0x40, 0x1f, 0x90}) // servers differ by home
			ip[24], ip[25] = byte((len(ip)-20)>>8), byte(len(ip)-20)
			var o dataset.Observation
			x := packet.Lineage{Unit: int32(u), Role: packet.RoleData, Event: packet.EventNone, LANFrame: i + 1}
			d.WAN(&o, i*1e9, packet.Up, ip, len(ip))
			d.Row(&o, x, false)
		}
		if err := d.Close(); err != nil {
			tb.Fatal(err)
		}
		info := dataset.HomeInfo{Home: home, Seed: m.Seed}
		for _, u := range units {
			info.Devices = append(info.Devices, dataset.DeviceInfo{Name: u.Device, Unit: u.Unit, Class: u.Class})
		}
		if err := set.HomeDone(info, d.Counts(), dataset.Fidelity{}, d.Hashes()); err != nil {
			tb.Fatal(err)
		}
	}
	if err := set.FinishHomes(true, nil); err != nil {
		tb.Fatal(err)
	}
	d, err := dataset.Open(filepath.Dir(set.HomePath(0)))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
