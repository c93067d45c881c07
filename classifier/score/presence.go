package score

import (
	"math"

	"glasshouse/classifier/stat"
)

// Presence scores which classes are active in a window of packets. Hamming loss is the share of wrong (window, class) pairs over the
// classes of model and truth; "unknown" is not one of them.
type Presence struct {
	Window           int     `json:"window"` // packets
	Windows          int     `json:"windows"`
	ClassesPerWindow float64 `json:"classes_per_window"`
	HammingLoss      float64 `json:"hamming_loss"`
	MacroF1          float64 `json:"macro_f1"`
	BaselineAbsent   float64 `json:"baseline_absent"`   // Hamming loss of the all-absent baseline
	BaselineConstant float64 `json:"baseline_constant"` // Hamming loss of the best constant set
}

// presenceCount counts the windows of one class.
type presenceCount struct{ both, truthOnly, predictedOnly int }

// presenceWindow is a home's current window.
type presenceWindow struct {
	n                int
	truth, predicted map[string]bool
	counted          int
}

func (h *homeTally) closeWindow() {
	w := &h.open
	if w.counted > 0 {
		h.windows++
		for c := range w.truth {
			if p := h.presence(c); w.predicted[c] {
				p.both++
			} else {
				p.truthOnly++
			}
		}
		for c := range w.predicted {
			if !w.truth[c] {
				h.presence(c).predictedOnly++
			}
		}
	}
	w.n, w.counted = 0, 0
	clear(w.truth)
	clear(w.predicted)
}

func (h *homeTally) presence(class string) *presenceCount {
	p := h.present[class]
	if p == nil {
		p = &presenceCount{}
		h.present[class] = p
	}
	return p
}

func (s *Scorer) presence(labels []string) Presence {
	p := Presence{Window: s.window}
	for _, h := range s.homes {
		p.Windows += h.windows
	}
	if p.Windows == 0 {
		return p
	}
	var wrong, present, best int
	f1, in := 0.0, 0
	for _, c := range labels {
		var n presenceCount
		for _, h := range s.homes {
			if k := h.present[c]; k != nil {
				n.both, n.truthOnly, n.predictedOnly = n.both+k.both, n.truthOnly+k.truthOnly, n.predictedOnly+k.predictedOnly
			}
		}
		there := n.both + n.truthOnly
		wrong += n.predictedOnly + n.truthOnly
		present += there
		best += min(there, p.Windows-there)
		if there > 0 {
			in++
			f1 += stat.Ratio(2*n.both, 2*n.both+n.predictedOnly+n.truthOnly)
		}
	}
	pairs := float64(p.Windows * len(labels))
	p.ClassesPerWindow = float64(present) / float64(p.Windows)
	p.HammingLoss, p.BaselineAbsent, p.BaselineConstant = float64(wrong)/pairs, float64(present)/pairs, float64(best)/pairs
	p.MacroF1 = f1 / math.Max(float64(in), 1)
	return p
}
