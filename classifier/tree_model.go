package classifier

import (
	"io"

	"glasshouse/testbed/dataset"
)

// TreeModel is a model of decision trees: a forest or boosted ones.
type TreeModel struct {
	meta Meta
	cols *columns
	p    predictor
}

// predictor turns a packet's features into the probabilities of the classes.
type predictor interface {
	predict(x, probs []float32)
	marshal() []byte
}

var _ Model = (*TreeModel)(nil)

// loadTrees reads the body of a model file of kind forest or boost.
func loadTrees(meta Meta, body []byte) (Model, error) {
	m := &TreeModel{meta: meta}
	var err error
	if m.cols, err = newColumns(meta.Features); err != nil {
		return nil, badModel(err)
	}
	if meta.Kind == KindBoost {
		m.p, err = unmarshalBoost(body, len(meta.Features), len(meta.Classes))
	} else {
		m.p, err = unmarshalForest(body, len(meta.Features), len(meta.Classes))
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Classes implements Model.
func (m *TreeModel) Classes() []string { return m.meta.Classes }

// Meta implements Model.
func (m *TreeModel) Meta() *Meta { return &m.meta }

// Save implements Model.
func (m *TreeModel) Save(w io.Writer) error { return writeModel(w, &m.meta, m.p.marshal()) }

// Stream implements Model.
func (m *TreeModel) Stream() Stream {
	return &treeStream{p: m.p, power: m.power(), r: reader{c: m.cols}, x: make([]float32, len(m.meta.Features))}
}

// power is what a forest's probabilities are taken to; boosted trees have it in them.
func (m *TreeModel) power() float64 {
	if c := m.meta.Calibration; c != nil && m.meta.Kind == KindForest {
		return 1 / c.Temperature
	}
	return 1
}

// SetCalibration makes the model's probabilities those at a temperature.
func (m *TreeModel) SetCalibration(c *Calibration) {
	m.meta.Calibration = c
	if b, ok := m.p.(*boost); ok {
		calibrateBoost(b, c.Temperature)
	}
}

type treeStream struct {
	p     predictor
	power float64
	r     reader
	x     []float32
}

// Step implements Stream: trees need no look-ahead.
func (s *treeStream) Step(o *dataset.Observation, probs []float32) (int64, bool) {
	s.r.step(o, s.x)
	s.p.predict(s.x, probs)
	if s.power != 1 {
		temper(probs, s.power)
	}
	return o.Frame, true
}

// Flush implements Stream: nothing is held back.
func (s *treeStream) Flush([]float32) (int64, bool) {
	s.r.reset()
	return 0, false
}
