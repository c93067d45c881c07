package dataset

import (
	"strings"
	"testing"
)

func TestCheckTwice(t *testing.T) {
	set := func(dir, digest, world string, seed uint64, homes ...string) *Dataset {
		d := &Dataset{Dir: dir, Manifest: Manifest{ScenarioDigest: digest, World: world, Seed: seed, TimeScale: 1, Files: map[string]string{}}}
		for i, sum := range homes {
			d.Manifest.Homes = append(d.Manifest.Homes, HomeInfo{Home: i})
			d.Manifest.Files[HomeDir(i)+"/"+FilePackets] = sum
		}
		return d
	}
	a := set("a", "napt", WorldVirtual, 1, "x", "y")
	for _, c := range []struct {
		name string
		with *Dataset
		want string
	}{
		{"itself", a, "home 0 (seed 1) of a is in a, too"},
		{"a copy of one home", set("b", "vpn", "live", 3, "z", "y"), "home 1 (seed 3) of b is in a, too"},
		{"the same homes for longer", set("b", "napt", WorldVirtual, 1, "u", "v"), "home 0 (seed 1) of b is in a, too"},
		{"another seed", set("b", "napt", WorldVirtual, 2, "u", "v"), ""},
		{"another scenario", set("b", "vpn", WorldVirtual, 1, "u", "v"), ""},
		{"lived live", set("b", "napt", "live", 1, "u", "v"), ""},
	} {
		err := CheckTwice([]*Dataset{a, c.with})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	live := set("l", "napt", "live", 1, "p")
	if err := CheckTwice([]*Dataset{live, set("m", "napt", "live", 1, "q")}); err != nil { // two recordings
		t.Error(err)
	}
}
