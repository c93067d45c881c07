package score

import "glasshouse/classifier/stat"

// FirstTold says how long it takes to tell a class for the first time: from its first packet in a home that counts to the first
// of its packets that is labelled rightly. A lucky guess counts, so FalseHomes stands beside it.
type FirstTold struct {
	Class         string  `json:"class"`
	Homes         int     `json:"homes"`        // that have it
	Told          int     `json:"told"`         // in which it was told at least once
	MedianS       float64 `json:"median_s"`     // over the homes in which it was told, s
	MedianPackets float64 `json:"median_n"`     // its packets up to the one that was told, the same homes
	AbsentHomes   int     `json:"absent_homes"` // that do not have it
	FalseHomes    int     `json:"false_homes"`  // of these, in which some packet is labelled with it
}

func (s *Scorer) first(classes []string) []FirstTold {
	out := make([]FirstTold, 0, len(classes))
	for _, c := range classes {
		f := FirstTold{Class: c}
		var seconds, packets []float64
		for _, h := range s.homes {
			switch first := h.first[c]; {
			case len(h.guesses) == 0:
			case first == nil:
				f.AbsentHomes++
				if h.guessed(c) {
					f.FalseHomes++
				}
			default:
				f.Homes++
				if first.told {
					f.Told++
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

func (h *homeTally) guessed(class string) bool {
	for k := range h.guesses {
		if k[1] == class {
			return true
		}
	}
	return false
}
