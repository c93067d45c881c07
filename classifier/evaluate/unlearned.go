package evaluate

import (
	"slices"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/twosample"
	"glasshouse/testbed/dataset"
)

// LeftOut is the result for the packets of a class that was left out of training.
type LeftOut struct {
	Class      string         `json:"class"`
	Model      string         `json:"model"`
	N          int            `json:"n"`                      // packets of the class
	Called     map[string]int `json:"called"`                 // number of them by label
	Mean       float64        `json:"mean_probability"`       // of the most probable class, for these packets
	MeanOthers float64        `json:"mean_probability_known"` // the same for packets of trained classes
	AUC        float64        `json:"auc"`                    // of a low probability as the score for a class left out
	Unknown    UnknownScore   `json:"unknown"`
}

// UnknownScore is how well packets of an unknown device are detected. AUC is the probability that a packet (window, flow) of the unknown
// device has a higher novelty score than one of the known devices. Intervals are over homes; nil for fewer than two.
type UnknownScore struct {
	Rate          float64        `json:"false_unknown_wanted"`
	Share         float64        `json:"share"` // of the unknown device's packets that are labelled unknown
	ShareInterval *stat.Interval `json:"share_interval,omitempty"`
	AUC           float64        `json:"auc"`
	AUCInterval   *stat.Interval `json:"auc_interval,omitempty"`
	FalseUnknown  float64        `json:"false_unknown"` // the same for packets of known classes
	FalseInterval *stat.Interval `json:"false_unknown_interval,omitempty"`
	Known         []FalseUnknown `json:"known"` // by class
	// Windows have the model's number of packets; a window is new if it has a packet of the unknown device.
	Windows UnknownGroups `json:"windows"`
	// Flows are a home's packets exchanged with one remote endpoint; a flow is new if most of its packets are. A tunnel is one flow per home.
	Flows UnknownGroups `json:"flows"`
}

// FalseUnknown is how often packets of a known class are labelled unknown.
type FalseUnknown struct {
	Class    string         `json:"class"`
	N        int            `json:"n"`
	Share    float64        `json:"share"`
	Interval *stat.Interval `json:"interval,omitempty"`
}

// UnknownGroups is the score over windows or flows.
type UnknownGroups struct {
	New   int     `json:"new"`
	Known int     `json:"known"`
	AUC   float64 `json:"auc"`
	// Detected and False are the shares of new and of known ones above the threshold; 0 for flows, which have no threshold.
	Detected float64 `json:"told"`
	False    float64 `json:"false_unknown"`
}

// newBins is the number of novelty bins for an AUC.
const newBins = 512

// unknownHome has the counts of one home.
type unknownHome struct {
	unknown, known [newBins]int // packets by novelty
	detected       int          // packets of the unknown device
	of, wrong      map[string]int
	flows          map[uint64]*unknownFlow
}

type unknownFlow struct {
	sum        float64
	n, unknown int
}

// unknownTally counts the results for packets of a class left out of training, and of the others.
type unknownTally struct {
	class               string
	homes               []*unknownHome
	open                []float32
	in                  int // packets of the unknown device in the open window
	window              int
	newWindows, windows []float64
	u                   *novelty.Unknown
}

func (s *unknownTally) add(truth string, o *dataset.Observation, counts bool, v float32, detected bool) {
	h := s.homes[len(s.homes)-1]
	s.open = append(s.open, v)
	if counts {
		bin := min(int(v*newBins), newBins-1)
		key := uint64(feature.HashRemote(o))<<16 | uint64(o.RemotePort)
		f := h.flows[key]
		if f == nil {
			f = &unknownFlow{}
			h.flows[key] = f
		}
		f.n++
		f.sum += float64(v)
		if truth == s.class {
			f.unknown++
			s.in++
			h.unknown[bin]++
			h.detected += stat.Indicator(detected)
		} else {
			h.known[bin]++
			h.of[truth]++
			h.wrong[truth] += stat.Indicator(detected)
		}
	}
	if len(s.open) == s.window {
		v := float64(novelty.WindowNovelty(s.open))
		if s.in > 0 {
			s.newWindows = append(s.newWindows, v)
		} else {
			s.windows = append(s.windows, v)
		}
		s.open, s.in = s.open[:0], 0
	}
}

func (s *unknownTally) nextHome() {
	s.homes = append(s.homes, &unknownHome{of: make(map[string]int), wrong: make(map[string]int), flows: make(map[uint64]*unknownFlow)})
	s.open, s.in = s.open[:0], 0
}

// binnedAUC is the AUC of binned novelties.
func binnedAUC(known, unknown []int) float64 {
	below, pairs, n, k := 0.0, 0.0, 0, 0
	for i := range known {
		pairs += float64(unknown[i]) * (below + float64(known[i])/2)
		below += float64(known[i])
		n, k = n+unknown[i], k+known[i]
	}
	if n == 0 || k == 0 {
		return 0
	}
	return pairs / float64(n) / float64(k)
}

// of returns a figure over all homes with its interval.
func (s *unknownTally) of(figure func(homes []*unknownHome) (v float64, ok bool)) (float64, *stat.Interval) {
	all, _ := figure(s.homes)
	if len(s.homes) < 2 {
		return all, nil
	}
	var v []float64
	homes := make([]*unknownHome, len(s.homes))
	stat.Resample(len(s.homes), func(drawn []int) {
		for i, h := range drawn {
			homes[i] = s.homes[h]
		}
		if x, ok := figure(homes); ok {
			v = append(v, x)
		}
	})
	if len(v) == 0 {
		return all, nil
	}
	in := stat.Percentiles(v, len(s.homes))
	in[0], in[1] = max(in[0], 0), min(in[1], 1)
	return all, &in
}

func (s *unknownTally) Result() UnknownScore {
	r := UnknownScore{Rate: s.u.Rate}
	r.AUC, r.AUCInterval = s.of(func(homes []*unknownHome) (float64, bool) {
		var known, unknown [newBins]int
		n := 0
		for _, h := range homes {
			for i := range known {
				known[i] += h.known[i]
				unknown[i] += h.unknown[i]
				n += h.unknown[i]
			}
		}
		return binnedAUC(known[:], unknown[:]), n > 0
	})
	part := func(count func(h *unknownHome) (part, of int)) (float64, *stat.Interval) {
		return s.of(func(homes []*unknownHome) (float64, bool) {
			part, of := 0, 0
			for _, h := range homes {
				p, n := count(h)
				part, of = part+p, of+n
			}
			return stat.Ratio(part, of), of > 0
		})
	}
	sum := func(v []int) (n int) {
		for _, k := range v {
			n += k
		}
		return n
	}
	r.Share, r.ShareInterval = part(func(h *unknownHome) (int, int) { return h.detected, sum(h.unknown[:]) })
	known := make(map[string]int)
	for _, h := range s.homes {
		for c, n := range h.of {
			known[c] += n
		}
	}
	r.FalseUnknown, r.FalseInterval = part(func(h *unknownHome) (int, int) {
		wrong := 0
		for _, n := range h.wrong {
			wrong += n
		}
		return wrong, sum(h.known[:])
	})
	for _, c := range score.Sorted(known) {
		f := FalseUnknown{Class: c, N: known[c]}
		f.Share, f.Interval = part(func(h *unknownHome) (int, int) { return h.wrong[c], h.of[c] })
		r.Known = append(r.Known, f)
	}
	r.Windows = groups(s.windows, s.newWindows, float64(s.u.Window))
	var plain, unknown []float64
	for _, h := range s.homes {
		keys := make([]uint64, 0, len(h.flows))
		for k := range h.flows {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if f := h.flows[k]; 2*f.unknown > f.n {
				unknown = append(unknown, f.sum/float64(f.n))
			} else {
				plain = append(plain, f.sum/float64(f.n))
			}
		}
	}
	r.Flows = groups(plain, unknown, 2)
	return r
}

func groups(known, unknown []float64, threshold float64) UnknownGroups {
	g := UnknownGroups{New: len(unknown), Known: len(known)}
	above := func(v []float64) float64 {
		n := 0
		for _, x := range v {
			n += stat.Indicator(x > threshold)
		}
		return stat.Ratio(n, len(v))
	}
	g.Detected, g.False = above(unknown), above(known)
	if len(known) > 0 && len(unknown) > 0 {
		g.AUC = twosample.AUC(known, unknown)
	}
	return g
}

// ScoreLeftOut scores a model on a fold whose class LeftOut it was not trained on.
func ScoreLeftOut(m model.Model, f Fold) (LeftOut, error) {
	meta := m.Meta()
	r := LeftOut{Class: f.LeftOut, Model: meta.Kind, Called: make(map[string]int)}
	u := meta.Unknown
	if u == nil { // too little data for a detector
		u = &novelty.Unknown{}
	}
	s := &unknownTally{class: f.LeftOut, window: meta.WindowPackets(), u: u}
	var unknown, known []float64
	for _, d := range f.Test {
		at := -1
		var l *model.Labeller[dataset.Row]
		flush := func() error {
			if l == nil {
				return nil
			}
			return l.Flush()
		}
		err := d.Rows(func(home int, row *dataset.Row) error {
			if home != at {
				if err := flush(); err != nil {
					return err
				}
				at = home
				s.nextHome()
				l = model.NewLabeller(m, func(of dataset.Row, class string, _ float32) error {
					counts := model.IsScored(&d.Manifest, &of)
					truth := model.ClassOf(&of.Label, meta.ClassMode)
					s.add(truth, &of.Observation, counts, l.Novelty(), class == novelty.Label)
					p := -float64(slices.Max(l.Probs()))
					switch {
					case !counts:
					case truth == f.LeftOut:
						r.N++
						r.Called[class]++
						unknown = append(unknown, p)
					default:
						known = append(known, p)
					}
					return nil
				})
			}
			return l.Step(&row.Observation, *row)
		})
		if err == nil {
			err = flush()
		}
		if err != nil {
			return r, err
		}
	}
	r.Mean, r.MeanOthers = -stat.Mean(unknown), -stat.Mean(known)
	if len(unknown) > 0 && len(known) > 0 {
		r.AUC = twosample.AUC(known, unknown)
	}
	r.Unknown = s.Result()
	return r, nil
}
