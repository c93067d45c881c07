package classifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"glasshouse/testbed/dataset"
)

// Model labels packets.
type Model interface {
	// Classes lists the classes in the order of a Stream's probabilities.
	Classes() []string
	// Stream begins a new sequence of packets: one home.
	Stream() Stream
	// Meta says how the model came about.
	Meta() *Meta
	// Save writes the model in a form that Load reads.
	Save(w io.Writer) error
}

// Stream labels the packets of one home as they pass.
type Stream interface {
	// Step takes the next packet and writes the probabilities of the classes (len(Classes()) of them) for the packet whose
	// frame it returns; ready is false while a model still looks ahead.
	Step(o *dataset.Observation, probs []float32) (frame int64, ready bool)
	// Flush answers, call by call, for the packets that a model which looks ahead still holds back: no more will come. After
	// it is not ready the stream is as new.
	Flush(probs []float32) (frame int64, ready bool)
}

// HomeID names a home that a model has seen.
type HomeID struct {
	ScenarioDigest string `json:"scenario_digest"`
	Seed           uint64 `json:"seed"`
	Home           int    `json:"home"`
}

// Meta says how a model came about.
type Meta struct {
	Kind      string         `json:"kind"`
	ClassMode string         `json:"class_mode"` // paper, device or category
	Classes   []string       `json:"classes"`
	Features  []string       `json:"features"`
	Path      string         `json:"path"` // of the homes that it learned from: napt, vpn or mixed
	Seed      uint64         `json:"seed"`
	Window    int            `json:"window"`
	Packets   int            `json:"packets"` // learned from
	TrainedOn []HomeID       `json:"trained_on"`
	Majority  string         `json:"majority"`       // commonest class in training
	Lengths   map[string]int `json:"length_look_up"` // "dir length" to the index of the class that is commonest for it
}

// ForestModel is the random forest.
type ForestModel struct {
	meta Meta
	f    *forest
}

var _ Model = (*ForestModel)(nil)

// Classes implements Model.
func (m *ForestModel) Classes() []string { return m.meta.Classes }

// Meta implements Model.
func (m *ForestModel) Meta() *Meta { return &m.meta }

// Stream implements Model.
func (m *ForestModel) Stream() Stream { return &forestStream{f: m.f} }

type forestStream struct {
	f *forest
	e Extractor
	x [NumFeatures]float32
}

// Step implements Stream: a forest needs no look-ahead.
func (s *forestStream) Step(o *dataset.Observation, probs []float32) (int64, bool) {
	s.e.Step(o, s.x[:])
	s.f.predict(s.x[:], probs)
	return o.Frame, true
}

// Flush implements Stream: nothing is held back.
func (s *forestStream) Flush([]float32) (int64, bool) {
	s.e = Extractor{}
	return 0, false
}

// A model file: magic, length and JSON of the Meta, length and body, sha256 of all before it. Integers are little-endian.
const (
	modelMagic = "GLASSHOUSE MODEL 1\n"
	maxMeta    = 64 << 20
	maxBody    = 4 << 30
)

// Save implements Model.
func (m *ForestModel) Save(w io.Writer) error {
	meta, err := json.Marshal(&m.meta)
	if err != nil {
		return err
	}
	b := []byte(modelMagic)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(meta)))
	b = append(b, meta...)
	body := m.f.marshal()
	b = binary.LittleEndian.AppendUint64(b, uint64(len(body)))
	b = append(b, body...)
	sum := sha256.Sum256(b)
	_, err = w.Write(append(b, sum[:]...))
	return err
}

func (f *forest) marshal() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(f.trees)))
	for i := range f.trees {
		t := &f.trees[i]
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.nodes)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.probs)))
		for _, n := range t.nodes {
			b = binary.LittleEndian.AppendUint16(b, uint16(n.feature))
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n.cut))
			b = binary.LittleEndian.AppendUint32(b, uint32(n.left))
		}
		for _, p := range t.probs {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(p))
		}
	}
	return b
}

// ErrNotModel means that a file is no model of ours, or is damaged.
var ErrNotModel = errors.New("not a Glasshouse model")

// LoadFile reads a model from a file.
func LoadFile(path string) (Model, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Load(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Load reads a model. Whatever the bytes are, it returns a model that works or an error.
func Load(b []byte) (Model, error) {
	rest, ok := bytes.CutPrefix(b, []byte(modelMagic))
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrNotModel)
	}
	if len(b) < len(modelMagic)+sha256.Size+16 {
		return nil, fmt.Errorf("%w: cut short", ErrNotModel)
	}
	if sum := sha256.Sum256(b[:len(b)-sha256.Size]); !bytes.Equal(sum[:], b[len(b)-sha256.Size:]) {
		return nil, fmt.Errorf("%w: damaged, its checksum differs", ErrNotModel)
	}
	return parseModel(rest[:len(rest)-sha256.Size])
}

func parseModel(b []byte) (Model, error) {
	part := func(limit uint64) ([]byte, error) {
		if len(b) < 8 {
			return nil, fmt.Errorf("%w: cut short", ErrNotModel)
		}
		n := binary.LittleEndian.Uint64(b)
		if n > limit || n > uint64(len(b)-8) {
			return nil, fmt.Errorf("%w: a part of %d bytes", ErrNotModel, n)
		}
		p := b[8 : 8+n]
		b = b[8+n:]
		return p, nil
	}
	meta, err := part(maxMeta)
	if err != nil {
		return nil, err
	}
	m := &ForestModel{}
	if err := json.Unmarshal(meta, &m.meta); err != nil {
		return nil, fmt.Errorf("%w: its description: %w", ErrNotModel, err)
	}
	if m.meta.Kind != "forest" {
		return nil, fmt.Errorf("%w that this version knows: kind %q", ErrNotModel, m.meta.Kind)
	}
	if len(m.meta.Features) != NumFeatures || len(m.meta.Classes) == 0 || len(m.meta.Classes) > 255 {
		return nil, fmt.Errorf("%w: %d features, %d classes", ErrNotModel, len(m.meta.Features), len(m.meta.Classes))
	}
	for k, c := range m.meta.Lengths {
		if c < 0 || c >= len(m.meta.Classes) {
			return nil, fmt.Errorf("%w: the length look-up of %q", ErrNotModel, k)
		}
	}
	body, err := part(maxBody)
	if err != nil {
		return nil, err
	}
	if m.f, err = unmarshalForest(body, len(m.meta.Classes)); err != nil {
		return nil, err
	}
	return m, nil
}

func unmarshalForest(b []byte, classes int) (*forest, error) {
	bad := func(what string) error { return fmt.Errorf("%w: a forest with %s", ErrNotModel, what) }
	if len(b) < 4 {
		return nil, bad("no trees")
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if n == 0 || uint64(n)*8 > uint64(len(b)) {
		return nil, bad("an impossible number of trees")
	}
	f := &forest{classes: classes, trees: make([]tree, n)}
	for i := range f.trees {
		if len(b) < 8 {
			return nil, bad("a tree cut short")
		}
		nodes, probs := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if nodes == 0 || nodes*10+probs*4 > uint64(len(b)) {
			return nil, bad("a tree cut short")
		}
		t := tree{nodes: make([]node, nodes), probs: make([]float32, probs)}
		for k := range t.nodes {
			t.nodes[k] = node{
				feature: int16(binary.LittleEndian.Uint16(b)), cut: math.Float32frombits(binary.LittleEndian.Uint32(b[2:])),
				left: int32(binary.LittleEndian.Uint32(b[6:])),
			}
			b = b[10:]
			x := t.nodes[k]
			switch {
			case x.feature >= NumFeatures || x.feature < -1:
				return nil, bad("an unknown feature")
			case x.feature == -1 && (x.left < 0 || uint64(x.left)+uint64(classes) > probs):
				return nil, bad("a leaf without probabilities")
			case x.feature >= 0 && (int64(x.left) <= int64(k) || uint64(x.left)+1 >= nodes): // children come later: no loops
				return nil, bad("a branch that leads nowhere")
			}
		}
		for k := range t.probs {
			t.probs[k] = math.Float32frombits(binary.LittleEndian.Uint32(b))
			b = b[4:]
		}
		f.trees[i] = t
	}
	if len(b) != 0 {
		return nil, bad("something behind its trees")
	}
	return f, nil
}

// argmax returns the index of the largest value; the first of equals.
func argmax(p []float32) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}
