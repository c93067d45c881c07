package cli_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/write"
)

// TestDatasetScripts runs the scripts that need data sets but no home: whole, of four homes; shard-1 and shard-2, the same in
// two parts; other, of another seed and without captures; unfinished, with one home of four.
func TestDatasetScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/datasets",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "isjson": isJSON},
		Setup: func(e *testscript.Env) error {
			for _, s := range []struct {
				name, shard, captures string
				seed                  uint64
				homes                 []int
				unfinished            bool
			}{
				{"whole", "", dataset.CapturesWAN, 5, []int{0, 1, 2, 3}, false},
				{"shard-1", "1/2", dataset.CapturesWAN, 5, []int{0, 2}, false},
				{"shard-2", "2/2", dataset.CapturesWAN, 5, []int{1, 3}, false},
				{"other", "2/2", dataset.CapturesNone, 6, []int{1, 3}, false},
				{"unfinished", "", dataset.CapturesWAN, 5, []int{1}, true},
			} {
				m := smallManifest(s.seed, s.captures)
				m.Shard = s.shard
				set, _, err := dataset.OpenOrCreate(filepath.Join(e.WorkDir, s.name), m, []byte("name: small\n"))
				if err != nil {
					return err
				}
				for _, home := range s.homes {
					if err := smallHome(set, home); err != nil {
						return fmt.Errorf("%s, home %d: %w", s.name, home, err)
					}
				}
				if s.unfinished {
					continue
				}
				if err := set.FinishHomes(true, nil); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

func smallManifest(seed uint64, captures string) dataset.Manifest {
	own := []string{"gateway", "internet"}
	return dataset.Manifest{
		Scenario: "small", ScenarioDigest: "0123", Path: "napt", Seed: seed, World: "virtual", StartNs: 1767571200e9, DurationNs: 1e9,
		TimeScale: 1, Captures: captures, Snaplen: map[string]int{dataset.CapturesWAN: 128}[captures], RunHomes: 4,
		Vocabulary: map[string][]string{
			"label_device": append([]string{"plug"}, own...), "label_unit": append([]string{"plug"}, own...), "label_class": append([]string{"plug"}, own...),
			"label_kind": {"iot", "infrastructure"}, "label_category": {"plug", "infrastructure"}, "label_activity": {"none", "heartbeat"},
			"label_role": dataset.RoleNames(),
		},
	}
}

// smallHome writes a home of one plug that sends 50 datagrams.
func smallHome(set *dataset.Set, home int) error {
	m := &set.Manifest
	d, err := write.CreateDirectHome(set.PartPath(home), write.DirectOptions{
		Options: write.Options{EpochNs: m.StartNs, Snaplen: m.Snaplen}, Captures: m.HasWAN(), LAN: m.HasLAN(),
		Units:      []dataset.Label{{Device: "plug", Unit: "plug", Class: "plug", Kind: "iot", Category: "plug"}},
		Activities: []string{"none", "heartbeat"},
	})
	if err != nil {
		return err
	}
	ip := make([]byte, 60)
	ip[0], ip[3], ip[8], ip[9], ip[25] = 0x45, 60, 64, 17, 40
	copy(ip[12:], []byte{100, 64, 0, byte(home), 198, 18, 1, 2, 0x9c, 0x40, 0x1f, 0x90})
	for i := range int64(50) {
		x := packet.Lineage{Activity: 1, Role: packet.RoleData, Event: i / 10, LANFrame: d.LAN(i*1e6, ip[:40], 74)}
		var o dataset.Observation
		d.WAN(&o, i*1e6, packet.Up, ip, len(ip))
		d.Row(&o, x, false)
		if i%10 == 9 {
			d.Event(&dataset.Event{Event: i / 10, Device: "plug", Unit: "plug", Activity: "heartbeat", Outcome: "ok"})
		}
	}
	if err := d.Close(); err != nil {
		return err
	}
	info := dataset.HomeInfo{Home: home, Seed: m.Seed, Devices: []dataset.DeviceInfo{{Name: "plug", Unit: "plug", Class: "plug", Kind: "iot", Category: "plug", MAC: "02:00:00:00:00:01"}}}
	return set.HomeDone(info, d.Counts(), dataset.Fidelity{}, d.Hashes())
}
