package score

import "glasshouse/classifier/stat"

// FirstCorrect is the time to the first correct label of a class: from its first scored packet in a home to the first of its packets with
// the correct label. A lucky prediction counts, so compare FalseHomes.
type FirstCorrect struct {
	Class         string  `json:"class"`
	Homes         int     `json:"homes"`        // that have the class
	Correct       int     `json:"told"`         // in which it was labelled correctly at least once
	MedianS       float64 `json:"median_s"`     // time to the first correct label, s, over those homes
	MedianPackets float64 `json:"median_n"`     // its packets up to the first correct label, over those homes
	AbsentHomes   int     `json:"absent_homes"` // that do not have the class
	FalseHomes    int     `json:"false_homes"`  // of these, in which some packet is labelled with it
}

func (s *Scorer) first(classes []string) []FirstCorrect {
	out := make([]FirstCorrect, 0, len(classes))
	for _, c := range classes {
		f := FirstCorrect{Class: c}
		var seconds, packets []float64
		for _, h := range s.homes {
			switch first := h.first[c]; {
			case len(h.predictions) == 0:
			case first == nil:
				f.AbsentHomes++
				if h.predicted(c) {
					f.FalseHomes++
				}
			default:
				f.Homes++
				if first.correct {
					f.Correct++
					seconds = append(seconds, float64(first.toNs-first.fromNs)/1e9)
					packets = append(packets, float64(first.packets))
				}
			}
		}
		f.MedianS, f.MedianPackets = stat.Median(seconds), stat.Median(packets)
		out = append(out, f)
	}
	return out
}

func (h *homeTally) predicted(class string) bool {
	for k := range h.predictions {
		if k[1] == class {
			return true
		}
	}
	return false
}
