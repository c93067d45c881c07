package reproduce

import (
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/distributions"
	"glasshouse/testbed/realdata"
)

// Giveaway says how far the packets of a device in a real home are from those in virtual ones: side 0 is the real home, 1 the virtual ones.
type Giveaway struct {
	Device  string     `json:"device"`
	PerHour [2]float64 `json:"packets_per_hour"` // from a unit's first packet to its last
	Up      [2]float64 `json:"up_share"`
	// Strange is the share of the real packets whose direction and length no packet of the device had in the homes that were learned from, Others the
	// share whose direction and length packets of another device had more often there.
	Strange float64 `json:"strange_lengths"`
	Others  float64 `json:"others_lengths"`
	GapKS   float64 `json:"gap_ks"` // Kolmogorov-Smirnov distance of the intervals between a unit's packets
}

type lengthOf struct {
	dir    int8
	length int32
}

// habits are what is counted of a device's packets.
type habits struct {
	n, up   float64
	span    float64 // s from the first packet of each unit to its last
	lengths map[lengthOf]float64
	gaps    []float64 // s
}

// habitsOf reads a data set by device.
func habitsOf(d *dataset.Dataset) (map[string]*habits, error) {
	out := make(map[string]*habits)
	last := make(map[string]int64)
	at := -1
	err := d.Rows(func(home int, r *dataset.Row) error {
		if home != at {
			at = home
			clear(last)
		}
		if !r.Owned() {
			return nil
		}
		h := out[r.Device]
		if h == nil {
			h = &habits{lengths: make(map[lengthOf]float64)}
			out[r.Device] = h
		}
		h.n++
		if r.Dir > 0 {
			h.up++
		}
		h.lengths[lengthOf{r.Dir, r.Length}]++
		if before, ok := last[r.Unit]; ok {
			gap := float64(r.TsNs-before) / 1e9
			h.gaps = append(h.gaps, gap)
			h.span += gap
		}
		last[r.Unit] = r.TsNs
		return nil
	})
	return out, err
}

// giveaways compares a real home's devices with those of virtual homes.
func giveaways(h *realdata.Home, s *realSets) ([]Giveaway, error) {
	real, err := habitsOf(s.whole)
	if err != nil {
		return nil, err
	}
	made, err := habitsOf(s.learn)
	if err != nil {
		return nil, err
	}
	var out []Giveaway
	for _, c := range h.Captures {
		d := c.Profile.Device
		if len(out) > 0 && contains(out, d) {
			continue
		}
		g := Giveaway{Device: d}
		for side, x := range []*habits{real[d], made[d]} {
			if x != nil {
				g.PerHour[side], g.Up[side] = 3600*x.n/max(x.span, 1), x.up/x.n
			}
		}
		if r, m := real[d], made[d]; r != nil && m != nil {
			for l, n := range r.lengths {
				most := 0.0
				for other, x := range made {
					if other != d {
						most = max(most, x.lengths[l])
					}
				}
				switch {
				case m.lengths[l] == 0:
					g.Strange += n
				case most > m.lengths[l]:
					g.Others += n
				}
			}
			g.Strange, g.Others = g.Strange/r.n, g.Others/r.n
			g.GapKS = distributions.Compare(d, "s", r.gaps, m.gaps).KS
		}
		out = append(out, g)
	}
	return out, nil
}

func contains(all []Giveaway, device string) bool {
	for _, g := range all {
		if g.Device == device {
			return true
		}
	}
	return false
}
