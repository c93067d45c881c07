package classifier

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"glasshouse/testbed/dataset"
)

// ForeignOptions say how predictions of somebody's own model are scored.
type ForeignOptions struct {
	Classes string // one of ClassModes; "" = paper
	Window  int    // packets, of presence; 0 = 100
	// TrainedOn is what the model has learned from, for its classes and the baselines. Without it both come from the data set
	// that is scored: baselines that know the answers, so they are at their best.
	TrainedOn []*dataset.Dataset
}

// foreign is what a file says: guesses by home and frame.
type foreign struct {
	path    string
	classes []string
	index   map[string]uint16
	homes   map[int]*foreignHome
}

type foreignHome struct {
	guess       []uint16 // by frame; 0 = none yet, else an index of classes + 1
	probability []float32
	line        []int64
}

// maxForeign is how many classes a file may name.
const maxForeign = 1000

// EvaluatePredictions scores the predictions in a file, CSV or Parquet, on a data set as Evaluate scores a model: every WAN
// packet needs one guess, whether it counts or not. What is not right with them is a *dataset.PredictionError. The result's
// Model is the file's name.
func EvaluatePredictions(path string, d *dataset.Dataset, o ForeignOptions) (*Score, error) {
	if o.Classes == "" {
		o.Classes = ClassPaper
	}
	in := &foreign{path: path, index: make(map[string]uint16), homes: make(map[int]*foreignHome)}
	for _, h := range d.Manifest.Homes {
		in.homes[h.Home] = &foreignHome{
			guess: make([]uint16, h.Packets), probability: make([]float32, h.Packets), line: make([]int64, h.Packets),
		}
	}
	if err := dataset.ReadPredictions(path, in.take); err != nil {
		return nil, err
	}
	if err := in.whole(d); err != nil {
		return nil, err
	}
	from := o.TrainedOn
	if len(from) == 0 {
		from = []*dataset.Dataset{d}
	}
	meta, err := describe(from, o.Classes)
	if err != nil {
		return nil, err
	}
	meta.Kind, meta.Window = path, o.Window
	s := NewScorer(meta)
	err = d.Rows(func(home int, r *dataset.Row) error {
		h := in.homes[home]
		if r.Frame < 1 || r.Frame > int64(len(h.guess)) {
			return fmt.Errorf("%s, home %d: frame %d of %d packets", d.Dir, home, r.Frame, len(h.guess))
		}
		s.Add(&d.Manifest, home, r, in.classes[h.guess[r.Frame-1]-1], h.probability[r.Frame-1])
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.Result(), nil
}

func (in *foreign) take(line int64, p dataset.Prediction) error {
	bad := func(format string, args ...any) error {
		return &dataset.PredictionError{Path: in.path, Line: line, What: fmt.Sprintf(format, args...)}
	}
	h := in.homes[p.Home]
	switch {
	case h == nil:
		return bad("the data set has no home %d", p.Home)
	case p.Frame < 1 || p.Frame > int64(len(h.guess)):
		return bad("home %d has no frame %d; there are 1 to %d", p.Home, p.Frame, len(h.guess))
	case h.guess[p.Frame-1] != 0:
		return bad("home %d, frame %d has a prediction already, in line %d", p.Home, p.Frame, h.line[p.Frame-1])
	}
	i, ok := in.index[p.Class]
	if !ok {
		if len(in.classes) == maxForeign {
			return bad("more than %d classes", maxForeign)
		}
		in.classes = append(in.classes, p.Class)
		i = uint16(len(in.classes))
		in.index[p.Class] = i
	}
	h.guess[p.Frame-1], h.probability[p.Frame-1], h.line[p.Frame-1] = i, p.Probability, line
	return nil
}

// whole tells what is missing.
func (in *foreign) whole(d *dataset.Dataset) error {
	for _, info := range d.Manifest.Homes {
		h := in.homes[info.Home]
		missing := 0
		var first []string
		for i, g := range h.guess {
			if g != 0 {
				continue
			}
			if missing++; missing <= 5 {
				first = append(first, fmt.Sprint(i+1))
			}
		}
		if missing > 5 {
			first = append(first, "…")
		}
		if missing > 0 {
			return &dataset.PredictionError{Path: in.path, What: fmt.Sprintf("home %d: %d of %d frames have no prediction: %s", info.Home, missing, len(h.guess), strings.Join(first, " "))}
		}
	}
	return nil
}

// describe notes what training data says without a model: classes, the commonest one, and the commonest for each length.
func describe(sets []*dataset.Dataset, mode string) (*Meta, error) {
	m := &Meta{ClassMode: mode, Path: pathOf(sets), Lengths: make(map[string]int)}
	counts, lengths := make(map[string]int), make(map[string]map[string]int)
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			m.TrainedOn = append(m.TrainedOn, HomeID{d.Manifest.ScenarioDigest, d.Manifest.Seed, h.Home})
		}
		err := d.Rows(func(_ int, r *dataset.Row) error {
			if !scored(&d.Manifest, r) {
				return nil
			}
			c, k := classOf(&r.Label, mode), lengthKey(&r.Observation)
			counts[c]++
			if lengths[k] == nil {
				lengths[k] = make(map[string]int)
			}
			lengths[k][c]++
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(counts) == 0 {
		return nil, fmt.Errorf("%s: no packet of a device after the start-up", sets[0].Dir)
	}
	for c := range counts {
		m.Classes = append(m.Classes, c)
	}
	sort.Strings(m.Classes)
	m.Majority = commonest(counts, m.Classes)
	for k, c := range lengths {
		m.Lengths[k] = slices.Index(m.Classes, commonest(c, m.Classes))
	}
	return m, nil
}
