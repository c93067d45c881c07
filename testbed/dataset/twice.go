package dataset

import (
	"fmt"
	"path"
)

// CheckTwice returns an error if the same packets are in data sets twice: a set that is named twice, a shard beside what it was merged
// into, or a virtual home that was lived again for another time. A home that was lived live twice is two recordings, and a home on
// another path or in another world is another data set: these may stand beside each other.
func CheckTwice(sets []*Dataset) error {
	type virtual struct {
		digest string
		seed   uint64
		home   int
		scale  float64
	}
	files, homes := make(map[string]string), make(map[virtual]string)
	for _, d := range sets {
		m := &d.Manifest
		for _, h := range m.Homes {
			sum := m.Files[path.Join(HomeDir(h.Home), FilePackets)]
			v := virtual{m.ScenarioDigest, m.Seed, h.Home, m.TimeScale}
			other, twice := files[sum]
			if sum == "" {
				twice = false
			}
			if !twice && m.World == WorldVirtual {
				other, twice = homes[v]
			}
			if twice {
				return fmt.Errorf("home %d (seed %d) of %s is in %s, too; each home may be there once", h.Home, m.Seed, d.Dir, other)
			}
			files[sum] = d.Dir
			if m.World == WorldVirtual {
				homes[v] = d.Dir
			}
		}
	}
	return nil
}
