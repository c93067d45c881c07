// Package nn is the neural models: LSTMs one way and both ways, and a temporal convolution, that give each packet of a
// sequence the probabilities of the classes. It trains them, runs them over sequences, and runs them packet by packet.
//
// It knows numbers and nothing of packets: what goes in is made by its caller. Everything is deterministic for a seed and a
// kernel, whatever the number of workers: a batch is cut into shards that do not depend on them, and gradients are added in
// the shards' order. A Net is read-only but for its Trainer and may be shared; Trainers and streams are for one goroutine.
package nn

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"glasshouse/classifier/nn/kernel"
)

// Kinds of nets.
const (
	LSTM   = "lstm"   // sees the past
	BiLSTM = "bilstm" // sees past and future
	Conv   = "conv"   // sees so many steps either way
)

// Spec is the shape of a net.
type Spec struct {
	Kind      string      `json:"kind"`
	Dense     int         `json:"dense"`  // numbers a step
	Embed     []Embedding `json:"embed"`  // ids a step
	Units     int         `json:"units"`  // of a layer and direction; a multiple of 16
	Layers    int         `json:"layers"` // recurrent
	Dilations []int       `json:"dilations,omitempty"`
	Classes   int         `json:"classes"`
	Dropout   float32     `json:"dropout"` // share of each layer's outputs that a training step leaves out
}

// Embedding turns an id below Vocab into Dim numbers that are learned.
type Embedding struct {
	Vocab int `json:"vocab"`
	Dim   int `json:"dim"`
}

// Limits of a Spec: what a damaged file can ask for stays small.
const (
	maxUnits, maxLayers, maxDense, maxClasses = 1024, 16, 256, 1024
	maxVocab, maxDim, maxEmbeds               = 1 << 16, 256, 8
	maxDilation, maxParams                    = 1024, 64 << 20
)

// Check tells what is wrong with a shape.
func (s *Spec) Check() error {
	switch {
	case s.Kind != LSTM && s.Kind != BiLSTM && s.Kind != Conv:
		return fmt.Errorf("a net of kind %q is not known", s.Kind)
	case s.Units <= 0 || s.Units > maxUnits || s.Units%16 != 0:
		return fmt.Errorf("%d units; a multiple of 16 up to %d is allowed", s.Units, maxUnits)
	case s.Kind != Conv && (s.Layers <= 0 || s.Layers > maxLayers):
		return fmt.Errorf("%d layers; 1 to %d are allowed", s.Layers, maxLayers)
	case s.Kind == Conv && (len(s.Dilations) == 0 || len(s.Dilations) > maxLayers):
		return fmt.Errorf("%d convolutions; 1 to %d are allowed", len(s.Dilations), maxLayers)
	case s.Dense < 0 || s.Dense > maxDense || len(s.Embed) > maxEmbeds || s.inputs() == 0:
		return fmt.Errorf("%d numbers and %d ids a step; up to %d and %d are allowed, and one of them is needed", s.Dense, len(s.Embed), maxDense, maxEmbeds)
	case s.Classes <= 0 || s.Classes > maxClasses:
		return fmt.Errorf("%d classes; 1 to %d are allowed", s.Classes, maxClasses)
	case !(s.Dropout >= 0 && s.Dropout < 1):
		return fmt.Errorf("dropout %v; it is at least 0 and under 1", s.Dropout)
	}
	for _, e := range s.Embed {
		if e.Vocab <= 0 || e.Vocab > maxVocab || e.Dim <= 0 || e.Dim > maxDim {
			return fmt.Errorf("an embedding of %d ids in %d numbers; up to %d and %d are allowed", e.Vocab, e.Dim, maxVocab, maxDim)
		}
	}
	for _, d := range s.Dilations {
		if d <= 0 || d > maxDilation {
			return fmt.Errorf("a dilation of %d steps; 1 to %d are allowed", d, maxDilation)
		}
	}
	if n := s.params(); n > maxParams {
		return fmt.Errorf("%d parameters; at most %d are allowed", n, maxParams)
	}
	return nil
}

// inputs is how many numbers a step is for the first layer.
func (s *Spec) inputs() int {
	n := s.Dense
	for _, e := range s.Embed {
		n += e.Dim
	}
	return n
}

// Ahead is how many steps past a step its answer depends on; -1 = all.
func (s *Spec) Ahead() int {
	switch s.Kind {
	case LSTM:
		return 0
	case BiLSTM:
		return -1
	}
	n := 0
	for _, d := range s.Dilations {
		n += d
	}
	return n
}

// affine is a matrix of in+1 rows and out columns among the parameters; the last row is the bias.
type affine struct{ in, out, at int }

func (a affine) size() int { return (a.in + 1) * a.out }

// layout is where the parameters are.
type layout struct {
	embeds []int    // first parameter of each table
	layers []affine // of recurrent layers each direction's; of convolutions the projection first
	head   affine
	size   int
}

func (s *Spec) layout() layout {
	var l layout
	for _, e := range s.Embed {
		l.embeds = append(l.embeds, l.size)
		l.size += e.Vocab * e.Dim
	}
	add := func(in, out int) affine {
		a := affine{in, out, l.size}
		l.size += a.size()
		return a
	}
	in := s.inputs()
	switch s.Kind {
	case Conv:
		l.layers = append(l.layers, add(in, s.Units))
		for range s.Dilations {
			l.layers = append(l.layers, add(3*s.Units, s.Units))
		}
		in = s.Units
	default:
		for range s.Layers {
			for range s.ways() {
				l.layers = append(l.layers, add(in+s.Units, 4*s.Units))
			}
			in = s.Units * s.ways()
		}
	}
	l.head = add(in, s.Classes)
	return l
}

// ways is the number of directions of a recurrent layer.
func (s *Spec) ways() int {
	if s.Kind == BiLSTM {
		return 2
	}
	return 1
}

// shard is how many sequences a shard has unless told otherwise.
func (s *Spec) shard() int {
	if s.Kind == Conv {
		return 4
	}
	return 16
}

func (s *Spec) params() int { return s.layout().size }

// Products is how many multiplications of weights a step takes.
func (s *Spec) Products() int {
	l := s.layout()
	n := l.head.in * l.head.out
	for _, a := range l.layers {
		n += a.in * a.out
	}
	return n
}

// Net is a shape and its parameters, ready to run.
type Net struct {
	Spec   Spec
	kn     *kernel.Kernel
	lay    layout
	theta  []float32
	packed []kernel.Packed // of lay.layers, and the head's last
}

// New returns a net with random parameters.
func New(spec Spec, seed uint64) (*Net, error) {
	n, err := empty(spec)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, 0x6e6e))
	for i, e := range spec.Embed {
		fill(r, n.theta[n.lay.embeds[i]:][:e.Vocab*e.Dim], 0.3)
	}
	for i, a := range n.lay.layers {
		w := n.theta[a.at:][:a.size()]
		if spec.Kind == Conv {
			fill(r, w[:a.in*a.out], math.Sqrt(6/float64(a.in)))
			if i > 0 {
				for j := range w { // residual branches begin small
					w[j] *= 0.5
				}
			}
			continue
		}
		fill(r, w, 1/math.Sqrt(float64(spec.Units)))
		bias := w[a.in*a.out:]
		for u := range spec.Units { // gates that forget little at first
			bias[spec.Units+u] = 1
		}
	}
	h := n.lay.head
	fill(r, n.theta[h.at:][:h.in*h.out], 1/math.Sqrt(float64(h.in)))
	n.pack()
	return n, nil
}

// FromParams returns a net with parameters as Params gave them, which it keeps.
func FromParams(spec Spec, params []float32) (*Net, error) {
	n, err := empty(spec)
	if err != nil {
		return nil, err
	}
	if len(params) != n.lay.size {
		return nil, fmt.Errorf("%d parameters for a net of %d", len(params), n.lay.size)
	}
	for _, v := range params {
		if v-v != 0 {
			return nil, errors.New("a parameter is not a finite number")
		}
	}
	n.theta = params
	n.pack()
	return n, nil
}

// NumParams is how many parameters a net of the shape has, which must be in order.
func (s *Spec) NumParams() int { return s.params() }

func empty(spec Spec) (*Net, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	kn, err := kernel.Best()
	if err != nil {
		return nil, err
	}
	n := &Net{Spec: spec, kn: kn, lay: spec.layout()}
	n.theta = kernel.Floats(n.lay.size)
	n.packed = make([]kernel.Packed, len(n.lay.layers)+1)
	return n, nil
}

// Params are the parameters: embeddings, then each layer's rows of weights with the bias last, then the head's.
func (n *Net) Params() []float32 { return n.theta }

// Layer is the weights of one layer and direction, for export: Rows × Cols, the last row the bias.
type Layer struct {
	Rows, Cols int
	W          []float32
}

// Layers gives the layers' weights as Params has them, the head's last.
func (n *Net) Layers() []Layer {
	var out []Layer
	for _, a := range append(append([]affine(nil), n.lay.layers...), n.lay.head) {
		out = append(out, Layer{a.in + 1, a.out, n.theta[a.at:][:a.size()]})
	}
	return out
}

// Table is the i-th embedding: Vocab rows of Dim.
func (n *Net) Table(i int) []float32 {
	e := n.Spec.Embed[i]
	return n.theta[n.lay.embeds[i]:][:e.Vocab*e.Dim]
}

// pack makes the weights ready for the kernels, after they have changed.
func (n *Net) pack() {
	for i := range n.packed {
		n.packOne(i)
	}
}

func (n *Net) packOne(i int) {
	a := n.affine(i)
	n.packed[i].Pack(n.theta[a.at:], a.in+1, a.out, a.out)
}

func (n *Net) affine(i int) affine {
	if i == len(n.lay.layers) {
		return n.lay.head
	}
	return n.lay.layers[i]
}

// embed writes a step's inputs for the first layer: its numbers, then its ids' embeddings.
func (n *Net) embed(dst, dense []float32, ids []int32) {
	at := copy(dst, dense[:n.Spec.Dense])
	for i, e := range n.Spec.Embed {
		id := min(max(int(ids[i]), 0), e.Vocab-1)
		at += copy(dst[at:at+e.Dim], n.theta[n.lay.embeds[i]+id*e.Dim:])
	}
}

func fill(r *rand.Rand, w []float32, bound float64) {
	for i := range w {
		w[i] = float32((2*r.Float64() - 1) * bound)
	}
}

// softmax turns sums into probabilities: all alike where a sum is no finite number.
func softmax(x []float32) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	sum := float32(0)
	for i, v := range x {
		e := kernel.Exp(v - top)
		x[i] = e
		sum += e
	}
	for i := range x {
		if x[i] /= sum; sum != sum {
			x[i] = 1 / float32(len(x))
		}
	}
}
