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

// LeftOut says what happens to the packets of a class that was not learned.
type LeftOut struct {
	Class      string         `json:"class"`
	Model      string         `json:"model"`
	N          int            `json:"n"`                      // its packets
	Called     map[string]int `json:"called"`                 // what they are called
	Mean       float64        `json:"mean_probability"`       // of the likeliest class, for its packets
	MeanOthers float64        `json:"mean_probability_known"` // for those of learned classes
	AUC        float64        `json:"auc"`                    // of "less sure" as a sign of a device that was not learned
	Unknown    UnknownScore   `json:"unknown"`
}

// UnknownScore says how well a device that was never learned is told from those that were: AUC is that a packet (window, flow) of
// the one seems newer than one of the others. Intervals are over homes; nil below two.
type UnknownScore struct {
	Rate          float64        `json:"false_unknown_wanted"`
	Share         float64        `json:"share"` // of its packets, that are called unknown
	ShareInterval *stat.Interval `json:"share_interval,omitempty"`
	AUC           float64        `json:"auc"`
	AUCInterval   *stat.Interval `json:"auc_interval,omitempty"`
	FalseUnknown  float64        `json:"false_unknown"` // share of the known classes' packets that are
	FalseInterval *stat.Interval `json:"false_unknown_interval,omitempty"`
	Known         []FalseUnknown `json:"known"` // by class
	// Windows are of the model's number of packets; a window is new where one packet of the device is in it.
	Windows UnknownGroups `json:"windows"`
	// Flows are a home's packets to and from one far end; one is new where most packets are. Behind a tunnel there is but one a home.
	Flows UnknownGroups `json:"flows"`
}

// FalseUnknown is how often a class that was learned is called unknown.
type FalseUnknown struct {
	Class    string         `json:"class"`
	N        int            `json:"n"`
	Share    float64        `json:"share"`
	Interval *stat.Interval `json:"interval,omitempty"`
}

// UnknownGroups is the same of windows or flows.
type UnknownGroups struct {
	New   int     `json:"new"`
	Known int     `json:"known"`
	AUC   float64 `json:"auc"`
	// Told and False are the shares of new and of known ones above the threshold; flows have none.
	Told  float64 `json:"told"`
	False float64 `json:"false_unknown"`
}

// newBins is how finely novelties are counted for an AUC.
const newBins = 512

// strangerHome is what was counted of one home.
type strangerHome struct {
	strange, known [newBins]int // packets by novelty
	called         int          // of the strange ones
	of, wrong      map[string]int
	flows          map[uint64]*strangerFlow
}

type strangerFlow struct {
	sum        float64
	n, strange int
}

// strangers judges what is said of packets of a class that was not learned, and of others.
type strangers struct {
	class               string
	homes               []*strangerHome
	open                []float32
	in                  int // strange packets in the open window
	window              int
	newWindows, windows []float64
	u                   *novelty.Unknown
}

func (s *strangers) add(truth string, o *dataset.Observation, counts bool, v float32, called bool) {
	h := s.homes[len(s.homes)-1]
	s.open = append(s.open, v)
	if counts {
		bin := min(int(v*newBins), newBins-1)
		key := uint64(feature.HashRemote(o))<<16 | uint64(o.RemotePort)
		f := h.flows[key]
		if f == nil {
			f = &strangerFlow{}
			h.flows[key] = f
		}
		f.n++
		f.sum += float64(v)
		if truth == s.class {
			f.strange++
			s.in++
			h.strange[bin]++
			h.called += stat.Indicator(called)
		} else {
			h.known[bin]++
			h.of[truth]++
			h.wrong[truth] += stat.Indicator(called)
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

func (s *strangers) nextHome() {
	s.homes = append(s.homes, &strangerHome{of: make(map[string]int), wrong: make(map[string]int), flows: make(map[uint64]*strangerFlow)})
	s.open, s.in = s.open[:0], 0
}

// binnedAUC is the AUC of novelties that are counted in bins.
func binnedAUC(known, strange []int) float64 {
	below, pairs, n, k := 0.0, 0.0, 0, 0
	for i := range known {
		pairs += float64(strange[i]) * (below + float64(known[i])/2)
		below += float64(known[i])
		n, k = n+strange[i], k+known[i]
	}
	if n == 0 || k == 0 {
		return 0
	}
	return pairs / float64(n) / float64(k)
}

// of gives a figure over all homes, and its interval over homes.
func (s *strangers) of(figure func(homes []*strangerHome) (v float64, ok bool)) (float64, *stat.Interval) {
	all, _ := figure(s.homes)
	if len(s.homes) < 2 {
		return all, nil
	}
	var v []float64
	homes := make([]*strangerHome, len(s.homes))
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

func (s *strangers) Result() UnknownScore {
	r := UnknownScore{Rate: s.u.Rate}
	r.AUC, r.AUCInterval = s.of(func(homes []*strangerHome) (float64, bool) {
		var known, strange [newBins]int
		n := 0
		for _, h := range homes {
			for i := range known {
				known[i] += h.known[i]
				strange[i] += h.strange[i]
				n += h.strange[i]
			}
		}
		return binnedAUC(known[:], strange[:]), n > 0
	})
	part := func(count func(h *strangerHome) (part, of int)) (float64, *stat.Interval) {
		return s.of(func(homes []*strangerHome) (float64, bool) {
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
	r.Share, r.ShareInterval = part(func(h *strangerHome) (int, int) { return h.called, sum(h.strange[:]) })
	known := make(map[string]int)
	for _, h := range s.homes {
		for c, n := range h.of {
			known[c] += n
		}
	}
	r.FalseUnknown, r.FalseInterval = part(func(h *strangerHome) (int, int) {
		wrong := 0
		for _, n := range h.wrong {
			wrong += n
		}
		return wrong, sum(h.known[:])
	})
	for _, c := range score.Sorted(known) {
		f := FalseUnknown{Class: c, N: known[c]}
		f.Share, f.Interval = part(func(h *strangerHome) (int, int) { return h.wrong[c], h.of[c] })
		r.Known = append(r.Known, f)
	}
	r.Windows = groups(s.windows, s.newWindows, float64(s.u.Window))
	var plain, strange []float64
	for _, h := range s.homes {
		keys := make([]uint64, 0, len(h.flows))
		for k := range h.flows {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if f := h.flows[k]; 2*f.strange > f.n {
				strange = append(strange, f.sum/float64(f.n))
			} else {
				plain = append(plain, f.sum/float64(f.n))
			}
		}
	}
	r.Flows = groups(plain, strange, 2)
	return r
}

func groups(known, strange []float64, threshold float64) UnknownGroups {
	g := UnknownGroups{New: len(strange), Known: len(known)}
	above := func(v []float64) float64 {
		n := 0
		for _, x := range v {
			n += stat.Indicator(x > threshold)
		}
		return stat.Ratio(n, len(v))
	}
	g.Told, g.False = above(strange), above(known)
	if len(known) > 0 && len(strange) > 0 {
		g.AUC = twosample.AUC(known, strange)
	}
	return g
}

// Unlearned judges a model that has not learned a class.
func Unlearned(m model.Model, f Fold) (LeftOut, error) {
	meta := m.Meta()
	r := LeftOut{Class: f.LeftOut, Model: meta.Kind, Called: make(map[string]int)}
	u := meta.Unknown
	if u == nil { // too little to make a detector from
		u = &novelty.Unknown{}
	}
	s := &strangers{class: f.LeftOut, window: meta.WindowPackets(), u: u}
	var strange, known []float64
	for _, d := range f.Judge {
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
						strange = append(strange, p)
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
	r.Mean, r.MeanOthers = -stat.Mean(strange), -stat.Mean(known)
	if len(strange) > 0 && len(known) > 0 {
		r.AUC = twosample.AUC(known, strange)
	}
	r.Unknown = s.Result()
	return r, nil
}
