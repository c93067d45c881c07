package evaluate

import (
	"math"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// Leak is how well one feature of a single packet identifies the home, or the dataset, that it comes from.
type Leak struct {
	Feature    string  `json:"feature"`
	Of         string  `json:"of"`       // home or run
	Accuracy   float64 `json:"accuracy"` // mean over homes of the share of the second half's packets that the first half identifies
	Chance     float64 `json:"chance"`
	Input      bool    `json:"learned"`    // the feature is an input of models
	Identifies bool    `json:"identifies"` // the accuracy is above 0.5 and above three times chance
}

// Limits of the work: homes, and scored packets of each.
const (
	leakHomes   = 32
	leakPackets = 4000
)

// Leaks tests each feature of an observation on its own. Lengths and intervals depend on a home's habits, so some figures are above
// chance; a feature that identifies homes, such as an address, would let a model memorise homes instead of learning behaviour.
func Leaks(sets []*dataset.Dataset) ([]Leak, error) {
	names := append(feature.Names(), "remote_addr", "local_port", "tcp_flags", "payload_length")
	type sample struct{ values []any }
	var homes [][]sample
	var runs []int
	for i, d := range sets {
		at, full := -1, false
		var e feature.Extractor
		var x [feature.NumFeatures]float32
		err := d.Rows(func(home int, r *dataset.Row) error {
			if home != at {
				at, e = home, feature.Extractor{}
				if full = len(homes) == leakHomes; !full {
					homes, runs = append(homes, nil), append(runs, i)
				}
			}
			e.Step(&r.Observation, x[:])
			if full || !model.IsScored(&d.Manifest, r) || len(homes[len(homes)-1]) == leakPackets {
				return nil
			}
			v := make([]any, 0, len(names))
			for k, f := range x {
				if k == feature.FeatInterval {
					f = float32(math.Round(10 * math.Log10(float64(f)+1e-6)))
				}
				v = append(v, f)
			}
			v = append(v, r.RemoteAddr, r.LocalPort, r.TCPFlags, r.PayloadLength)
			homes[len(homes)-1] = append(homes[len(homes)-1], sample{v})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var out []Leak
	test := func(of string, group []int, groups int) {
		if groups < 2 {
			return
		}
		for k, name := range names {
			seen := make(map[any][]float64)
			for h, s := range homes {
				for _, p := range s[:len(s)/2] {
					if seen[p.values[k]] == nil {
						seen[p.values[k]] = make([]float64, groups)
					}
					seen[p.values[k]][group[h]] += 1 / float64(len(s)/2) // homes have equal weight
				}
			}
			n, right := make([]int, groups), make([]int, groups)
			for h, s := range homes {
				for _, p := range s[len(s)/2:] {
					n[group[h]]++
					best, by := -1, 0.0
					for g, w := range seen[p.values[k]] {
						if w > by {
							best, by = g, w
						}
					}
					if best == group[h] {
						right[group[h]]++
					}
				}
			}
			l := Leak{Feature: name, Of: of, Chance: 1 / float64(groups), Input: k < feature.NumFeatures}
			for g := range groups {
				l.Accuracy += stat.Ratio(right[g], n[g]) / float64(groups)
			}
			l.Identifies = l.Accuracy > 0.5 && l.Accuracy > 3*l.Chance
			out = append(out, l)
		}
	}
	each := make([]int, len(homes))
	for h := range each {
		each[h] = h
	}
	test("home", each, len(homes))
	test("run", runs, len(sets))
	return out, nil
}
