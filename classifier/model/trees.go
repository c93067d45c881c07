package model

import (
	"io"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Trees is a model of decision trees: a forest or boosted ones.
type Trees struct {
	meta Meta
	cols *feature.Columns
	p    Predictor
}

// Predictor turns a packet's features into the probabilities of the classes.
type Predictor interface {
	Predict(x, probs []float32)
	Marshal() []byte
}

var _ Model = (*Trees)(nil)

// NewTrees returns a model of trees trained on the features and classes of meta.
func NewTrees(meta Meta, p Predictor) (*Trees, error) {
	cols, err := feature.NewColumns(meta.Features)
	return &Trees{meta: meta, cols: cols, p: p}, err
}

// Predictor is the trees: a *tree.Forest or a *tree.Boost.
func (m *Trees) Predictor() Predictor { return m.p }

// LoadTrees reads the body of a model file of kind forest or boost.
func LoadTrees(meta Meta, body []byte) (Model, error) {
	m := &Trees{meta: meta}
	var err error
	if m.cols, err = feature.NewColumns(meta.Features); err != nil {
		return nil, tree.BadModel(err)
	}
	if meta.Kind == KindBoost {
		m.p, err = tree.UnmarshalBoost(body, len(meta.Features), len(meta.Classes))
	} else {
		m.p, err = tree.UnmarshalForest(body, len(meta.Features), len(meta.Classes))
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Classes implements Model.
func (m *Trees) Classes() []string { return m.meta.Classes }

// Meta implements Model.
func (m *Trees) Meta() *Meta { return &m.meta }

// Save implements Model.
func (m *Trees) Save(w io.Writer) error { return Write(w, &m.meta, m.p.Marshal()) }

// Stream implements Model.
func (m *Trees) Stream() Stream {
	return &treeStream{p: m.p, power: m.Power(), r: feature.Reader{C: m.cols}, x: make([]float32, len(m.meta.Features))}
}

// Power is the exponent of a forest's probabilities; in boosted trees it is part of the leaves.
func (m *Trees) Power() float64 {
	if c := m.meta.Calibration; c != nil && m.meta.Kind == KindForest {
		return 1 / c.Temperature
	}
	return 1
}

// SetCalibration applies a temperature to the model's probabilities.
func (m *Trees) SetCalibration(c *Calibration) {
	m.meta.Calibration = c
	if b, ok := m.p.(*tree.Boost); ok {
		tree.CalibrateBoost(b, c.Temperature)
	}
}

type treeStream struct {
	p     Predictor
	power float64
	r     feature.Reader
	x     []float32
}

// Step implements Stream: trees need no look-ahead.
func (s *treeStream) Step(o *dataset.Observation, probs []float32) (int64, bool) {
	s.r.Step(o, s.x)
	s.p.Predict(s.x, probs)
	if s.power != 1 {
		Temper(probs, s.power)
	}
	return o.Frame, true
}

// Flush implements Stream: nothing is held back.
func (s *treeStream) Flush([]float32) (int64, bool) {
	s.r.Reset()
	return 0, false
}
