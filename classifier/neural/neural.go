// Package neural has models that are neural nets: LSTM, bidirectional LSTM and a temporal convolution (TCN). It encodes observations as
// inputs, trains nets with package nn, and keeps checkpoints. For a seed the result does not depend on the number of workers.
package neural

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/nn"
	"glasshouse/classifier/nn/kernel"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Options shape and teach a neural model; zero values mean the defaults.
type Options struct {
	Kind    string // KindLSTM, KindBiLSTM or KindTCN
	Classes string // one of ClassModes
	Rich    bool   // inputs besides the paper's numbers; the tcn always has them
	Window  int    // packets of a training window
	Seed    uint64

	Units      int     // of a layer: 64; a multiple of 16
	Layers     int     // of an LSTM: 2
	Dropout    float64 // share of outputs that a training step leaves out: 0.3, of the tcn 0.1; negative = none
	Rate       float64 // of Adam: 6e-3, of the tcn 4e-3; it falls to nothing along a cosine
	Epochs     int     // at most, times through the training homes: 10
	Patience   int     // epochs without a better validation loss that end the training: 3
	Weights    string  // of classes: one of ClassWeights; "" = none, as of trees
	Workers    int     // 1; what is learned does not depend on it
	Checkpoint string  // file to keep the state in after each epoch, and to go on from; "" = none
	Progress   func(Progress)
}

// ClassWeights lists how classes can be weighted while a net learns: all packets alike, by the inverse of the root of a class's
// share, or by its inverse, so that all classes count alike.
func ClassWeights() []string { return []string{"none", "sqrt", "balanced"} }

// Progress tells how far a training is.
type Progress struct {
	Epoch, Epochs int     // from 1
	Share         float64 // of the epoch that is done
	Loss          float64 // mean over the epoch so far, nats a packet, classes weighted
	Validation    float64 // loss on the validation homes at the epoch's end; 0 before
	Accuracy      float64 // on the validation homes
	Resumed       bool    // the epochs before are from a checkpoint
}

// Model is a neural net with what turns observations into its inputs.
type Model struct {
	meta  model.Meta
	enc   Encoder
	net   *nn.Net
	quick bool // streams are quick ones
}

var _ model.Model = (*Model)(nil)

// Classes implements Model.
func (m *Model) Classes() []string { return m.meta.Classes }

// Meta implements Model.
func (m *Model) Meta() *model.Meta { return &m.meta }

// Inputs says how packets become the net's inputs, for export.
func (m *Model) Inputs() *Encoder { return &m.enc }

// Net is the model's net, for export.
func (m *Model) Net() *nn.Net { return m.net }

// Stream implements Model.
func (m *Model) Stream() model.Stream {
	stream := m.net.NewStream
	if m.quick {
		stream = m.net.NewQuickStream
	}
	s := &neuralStream{m: m, h: NewHistory(m.enc.Inputs), s: stream(), ids: make([]int32, m.enc.numIDs())}
	s.x = make([]float32, s.h.Numbers())
	s.frames = make([]int64, s.s.Delay()+1)
	return s
}

// neuralStream carries a home's state. It allocates nothing a packet.
type neuralStream struct {
	m           *Model
	h           *History
	s           nn.Stream
	x           []float32
	ids         []int32
	frames      []int64 // a ring of those without an answer
	came, given int
}

// Step implements Stream.
func (s *neuralStream) Step(o *dataset.Observation, probs []float32) (int64, bool) {
	s.h.Step(o, s.x)
	s.m.enc.normalise(s.x)
	s.m.enc.ids(o.RemotePort, feature.SizeOf(o), s.ids)
	s.frames[s.came%len(s.frames)] = o.Frame
	s.came++
	if !s.s.Step(s.x, s.ids, probs) {
		return 0, false
	}
	return s.answered(), true
}

// Flush implements Stream.
func (s *neuralStream) Flush(probs []float32) (int64, bool) {
	if s.s.Flush(probs) {
		return s.answered(), true
	}
	s.h.Reset()
	s.came, s.given = 0, 0
	return 0, false
}

func (s *neuralStream) answered() int64 {
	s.given++
	return s.frames[(s.given-1)%len(s.frames)]
}

// shape is the net for a kind of model.
func (o *Options) shape(e *Encoder, classes int) nn.Spec {
	s := nn.Spec{Dense: len(e.Mean), Units: o.Units, Classes: classes, Dropout: float32(max(o.Dropout, 0))}
	s.Embed = []nn.Embedding{{Vocab: len(e.Ports) + 1, Dim: 30}} // HomeMole's: 10 numbers and these are its 40 inputs
	if e.Inputs == InputsRich {
		s.Embed = []nn.Embedding{{Vocab: len(e.Ports) + 1, Dim: 16}, {Vocab: len(e.Sizes) + 1, Dim: 32}}
	}
	switch o.Kind {
	case model.KindLSTM:
		s.Kind, s.Layers = nn.LSTM, o.Layers
	case model.KindBiLSTM:
		s.Kind, s.Layers = nn.BiLSTM, o.Layers
	default:
		s.Kind, s.Dilations = nn.Conv, []int{1, 2, 4, 8, 16, 32}
	}
	return s
}

// neuralHead is the JSON at the beginning of a neural model's body; the parameters follow it.
type neuralHead struct {
	Spec    nn.Spec `json:"spec"`
	Encoder Encoder `json:"encoder"`
}

// Save implements Model.
func (m *Model) Save(w io.Writer) error {
	head, err := json.Marshal(neuralHead{m.net.Spec, m.enc})
	if err != nil {
		return err
	}
	body := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	body = append(body, head...)
	return model.Write(w, &m.meta, tree.AppendFloats(body, m.net.Params()))
}

// ReadFloats reads little-endian IEEE 754 numbers of 32 bits.
func ReadFloats(b []byte) []float32 {
	out := kernel.Floats(len(b) / 4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// Load reads a neural model's body.
func Load(meta model.Meta, body []byte) (model.Model, error) {
	if len(body) < 8 {
		return nil, tree.BadModel(errors.New("a net cut short"))
	}
	n := binary.LittleEndian.Uint64(body)
	body = body[8:]
	if n > uint64(len(body)) {
		return nil, tree.BadModel(errors.New("a net cut short"))
	}
	var head neuralHead
	if err := json.Unmarshal(body[:n], &head); err != nil {
		return nil, tree.BadModel(err)
	}
	body = body[n:]
	if err := head.Encoder.Check(); err != nil {
		return nil, tree.BadModel(err)
	}
	if err := head.Spec.Check(); err != nil {
		return nil, tree.BadModel(err)
	}
	e, s := &head.Encoder, &head.Spec
	switch {
	case s.Dense != len(e.Mean) || len(s.Embed) != e.numIDs() || s.Embed[0].Vocab != len(e.Ports)+1 || len(s.Embed) > 1 && s.Embed[1].Vocab != len(e.Sizes)+1:
		return nil, tree.BadModel(errors.New("a net whose inputs are not what the model makes of packets"))
	case s.Classes != len(meta.Classes):
		return nil, tree.BadModel(fmt.Errorf("a net of %d classes for %d", s.Classes, len(meta.Classes)))
	case len(body) != 4*s.NumParams():
		return nil, tree.BadModel(fmt.Errorf("%d bytes of parameters, not %d", len(body), 4*s.NumParams()))
	}
	e.index()
	m := &Model{meta: meta, enc: *e}
	var err error
	if m.net, err = nn.FromParams(*s, ReadFloats(body)); err != nil {
		return nil, tree.BadModel(err)
	}
	return m, nil
}

// CalibrateNet makes a net's sums smaller by a temperature.
func CalibrateNet(n *nn.Net, temperature float64) (*nn.Net, error) {
	params := slices.Clone(n.Params())
	layers := n.Layers()
	head := params[len(params)-len(layers[len(layers)-1].W):]
	for i := range head {
		head[i] = float32(float64(head[i]) / temperature)
	}
	return nn.FromParams(n.Spec, params)
}

// SetCalibration makes the net's probabilities those at a temperature.
func (m *Model) SetCalibration(c *model.Calibration) error {
	m.meta.Calibration = c
	var err error
	m.net, err = CalibrateNet(m.net, c.Temperature)
	return err
}
