package score

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"glasshouse/classifier/model"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/prediction"
)

// PredictionOptions configure the scoring of predictions made by another program.
type PredictionOptions struct {
	Classes string // one of ClassModes; "" = paper
	Window  int    // packets per window for presence; 0 = 100
	// TrainedOn is the model's training data, for its classes and the baselines. Without it both come from the scored dataset, which makes
	// the baselines as good as they can be.
	TrainedOn []*dataset.Dataset
}

// Predictions are the contents of a predictions file: a class for each packet, by home and frame.
type Predictions struct {
	path    string
	known   []string // allowed classes; nil = any
	classes []string
	index   map[string]uint16
	homes   map[int]*homePredictions
}

type homePredictions struct {
	predicted   []uint16 // by frame: 0 = none yet, else index in classes + 1
	probability []float32
	line        []int64
}

// maxForeign is the maximum number of classes in a file.
const maxForeign = 1000

// ReadPredictions reads a predictions file, CSV or Parquet. packets has the number of packets by home; each packet needs exactly one
// prediction. If known is not nil, other classes are errors. Errors in the file are of type *prediction.Error.
func ReadPredictions(path string, packets map[int]int64, known []string) (*Predictions, error) {
	in := &Predictions{path: path, known: known, index: make(map[string]uint16), homes: make(map[int]*homePredictions)}
	for home, n := range packets {
		in.homes[home] = &homePredictions{predicted: make([]uint16, n), probability: make([]float32, n), line: make([]int64, n)}
	}
	if err := prediction.Read(path, in.take); err != nil {
		return nil, err
	}
	return in, in.whole()
}

// At returns the prediction for a packet and its probability, which is negative if the file has none.
func (in *Predictions) At(home int, frame int64) (class string, probability float32) {
	h := in.homes[home]
	return in.classes[h.predicted[frame-1]-1], h.probability[frame-1]
}

// EvaluatePredictions scores a predictions file, CSV or Parquet, on a dataset as Evaluate scores a model. Every WAN packet needs exactly
// one prediction, whether it is scored or not. Errors in the file are of type *prediction.Error. The result's Model is the file's
// name.
func EvaluatePredictions(path string, d *dataset.Dataset, o PredictionOptions) (*Score, error) {
	if o.Classes == "" {
		o.Classes = model.ClassPaper
	}
	packets := make(map[int]int64)
	for _, h := range d.Manifest.Homes {
		packets[h.Home] = h.Packets
	}
	in, err := ReadPredictions(path, packets, nil)
	if err != nil {
		return nil, err
	}
	from := o.TrainedOn
	if len(from) == 0 {
		from = []*dataset.Dataset{d}
	}
	meta, err := Describe(from, o.Classes)
	if err != nil {
		return nil, err
	}
	meta.Kind, meta.Window = path, o.Window
	s := NewScorer(meta)
	err = d.Rows(func(home int, r *dataset.Row) error {
		if r.Frame < 1 || r.Frame > packets[home] {
			return fmt.Errorf("%s, home %d: frame %d of %d packets", d.Dir, home, r.Frame, packets[home])
		}
		class, probability := in.At(home, r.Frame)
		s.Add(&d.Manifest, home, r, class, probability)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.Result(), nil
}

func (in *Predictions) take(line int64, p prediction.Prediction) error {
	bad := func(format string, args ...any) error {
		return &prediction.Error{Path: in.path, Line: line, What: fmt.Sprintf(format, args...)}
	}
	h := in.homes[p.Home]
	switch {
	case h == nil:
		return bad("the dataset has no home %d", p.Home)
	case p.Frame < 1 || p.Frame > int64(len(h.predicted)):
		return bad("home %d has no frame %d; allowed: 1 to %d", p.Home, p.Frame, len(h.predicted))
	case h.predicted[p.Frame-1] != 0:
		return bad("duplicate prediction for home %d, frame %d; the first is in line %d", p.Home, p.Frame, h.line[p.Frame-1])
	}
	i, ok := in.index[p.Class]
	if !ok {
		switch {
		case in.known != nil && !slices.Contains(in.known, p.Class):
			return bad("unknown class %q; allowed: %s", p.Class, strings.Join(in.known, ", "))
		case len(in.classes) == maxForeign:
			return bad("more than %d classes", maxForeign)
		}
		in.classes = append(in.classes, p.Class)
		i = uint16(len(in.classes))
		in.index[p.Class] = i
	}
	h.predicted[p.Frame-1], h.probability[p.Frame-1], h.line[p.Frame-1] = i, p.Probability, line
	return nil
}

// whole returns an error that lists the frames without a prediction, if any.
func (in *Predictions) whole() error {
	for _, home := range slices.Sorted(maps.Keys(in.homes)) {
		h := in.homes[home]
		missing := 0
		var first []string
		for i, g := range h.predicted {
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
			return &prediction.Error{Path: in.path, What: fmt.Sprintf("home %d: %d of %d frames have no prediction: %s", home, missing, len(h.predicted), strings.Join(first, " "))}
		}
	}
	return nil
}

// Describe returns the metadata of datasets without a model: classes, the most common one, and the most common one by packet length.
func Describe(sets []*dataset.Dataset, mode string) (*model.Meta, error) {
	m := &model.Meta{ClassMode: mode, Path: model.PathOf(sets), Lengths: make(map[string]int)}
	counts, lengths := make(map[string]int), make(map[string]map[string]int)
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			m.TrainedOn = append(m.TrainedOn, model.HomeID{ScenarioDigest: d.Manifest.ScenarioDigest, Seed: d.Manifest.Seed, Home: h.Home})
		}
		err := d.Rows(func(_ int, r *dataset.Row) error {
			if !model.IsScored(&d.Manifest, r) {
				return nil
			}
			c, k := model.ClassOf(&r.Label, mode), model.LengthKey(&r.Observation)
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
		return nil, fmt.Errorf("%s: no packets of devices after the start-up", sets[0].Dir)
	}
	for c := range counts {
		m.Classes = append(m.Classes, c)
	}
	sort.Strings(m.Classes)
	m.Majority = model.Commonest(counts, m.Classes)
	for k, c := range lengths {
		m.Lengths[k] = slices.Index(m.Classes, model.Commonest(c, m.Classes))
	}
	return m, nil
}
