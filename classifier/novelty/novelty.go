// Package novelty scores how unlike the training devices' traffic a packet is, so that a model can label it unknown. Detectors are fitted
// in package train and applied here. A detector is for one goroutine.
package novelty

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"glasshouse/classifier/exact"
	"glasshouse/classifier/feature"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Label is the label of a packet that seems to come from an unknown device, one that is not of the training classes.
const Label = "unknown"

// IsUnknown reports whether a guess is that the device is unknown.
func IsUnknown(label string) bool { return label == Label }

// Unknown detects packets of devices outside the training classes. A packet is novel if its signature (port, protocol, direction, length,
// time since the last alike, previous length) is rare in every training class, if those of the packets exchanged with the same remote
// endpoint are, and if the model is uncertain. Boosted trees weigh these; they are trained by leaving out known classes in turn, on
// training homes held out from the model, so no device of the test set has a part in it. The thresholds are conformal (Vovk et al.
// 2005): of the held-out packets that the model assigns to a class, the share Rate lies above the class's threshold.
type Unknown struct {
	Rate       float64     `json:"false_unknown"`
	Homes      int         `json:"homes"`
	Packets    int         `json:"packets"`
	Thresholds []float32   `json:"thresholds"` // by predicted class
	Window     float32     `json:"window_threshold"`
	Levels     []Signature `json:"levels"`
	Trees      []byte      `json:"trees"`

	scorer *tree.Boost
}

// SetTrees sets the trees that compute a packet's novelty.
func (u *Unknown) SetTrees(b *tree.Boost) { u.scorer, u.Trees = b, b.Marshal() }

// Signature is, for the signatures of one level, the logarithm of their share in the class in which they are most common.
type Signature struct {
	Keys []byte `json:"keys"`
	Best []byte `json:"best"`

	shares map[uint64]float32
}

// Add adds a signature's key and the logarithm of its share. Keys must be added in ascending order.
func (s *Signature) Add(key uint64, share float32) {
	if s.shares == nil {
		s.shares = make(map[uint64]float32)
	}
	s.Keys = binary.LittleEndian.AppendUint64(s.Keys, key)
	s.Best = binary.LittleEndian.AppendUint32(s.Best, math.Float32bits(share))
	s.shares[key] = share
}

// Levels of signatures.
const (
	levelAll    = iota // port, protocol, direction, length
	levelPort          // port, protocol
	levelLength        // direction, length
	levelRhythm        // direction, length, and the time since the last such packet
	levelBefore        // direction, length, and those of the previous packet
	NumLevels
)

// RareLog is the logarithm of the share that a signature has which training did not see; NumNovelties is how many numbers describe how
// new a packet is.
const (
	RareLog      = -16.0 // of a signature that was not in training
	flowSlots    = 4096  // remote endpoints, by hash
	flowMemory   = 64    // packets over which a mean decays
	NumNovelties = 2*NumLevels + 5
)

// Glance is what the detector keeps of a packet until the model has labelled it.
type Glance struct {
	Level [NumLevels]float32
	Flow  uint32
	Size  int32
}

// Signatures makes the keys of one home's packets, in order.
type Signatures struct {
	last   [2 * feature.LengthSlots]int64
	before int32
}

// Step writes a packet's signatures of all levels.
func (s *Signatures) Step(o *dataset.Observation, keys *[NumLevels]uint64) {
	size := feature.SizeOf(o)
	code := uint64(size + feature.LengthSlots)
	app := uint64(0)
	for i := range len(o.AppProto) {
		app = app*31 + uint64(o.AppProto[i])
	}
	protocol := uint64(o.IPProto)<<8 | app&0xff
	keys[levelAll] = uint64(o.RemotePort)<<28 | protocol<<12 | code
	keys[levelPort] = uint64(o.RemotePort)<<16 | protocol
	keys[levelLength] = code
	last := &s.last[code]
	octave := uint64(63)
	if *last != 0 {
		octave = uint64(bits.Len64(uint64(max(o.TsNs-*last, 0)) >> 20)) // about milliseconds (2^20 ns)
	}
	keys[levelRhythm] = octave<<12 | code
	keys[levelBefore] = uint64(s.before+feature.LengthSlots)<<12 | code
	*last, s.before = o.TsNs, size
}

// decayingMeans are means over the last flowMemory values or so.
type decayingMeans struct {
	n int32
	v [NumLevels + 1]float32
}

func (m *decayingMeans) add(i int, x float32) { m.v[i] += (x - m.v[i]) / float32(m.n) }

// novelties computes the detector's inputs, packet by packet, in order.
type novelties struct {
	flows []decayingMeans
	sizes []decayingMeans
}

// NewNovelties returns the state of one home.
func NewNovelties() novelties {
	return novelties{make([]decayingMeans, flowSlots), make([]decayingMeans, 2*feature.LengthSlots)}
}

// Step takes a packet's Glance and the model's probabilities, and writes NumNovelties inputs.
func (n *novelties) Step(g *Glance, probs []float32, out []float32) {
	top, entropy := float32(0), 0.0
	for _, p := range probs {
		top = max(top, p)
		if p > 0 {
			entropy -= float64(float64(p) * exact.LogFast(float64(p)))
		}
	}
	f, s := &n.flows[g.Flow%flowSlots], &n.sizes[g.Size+feature.LengthSlots]
	f.n, s.n = min(f.n+1, flowMemory), min(s.n+1, flowMemory)
	for i, l := range g.Level {
		f.add(i, l)
		out[i], out[NumLevels+i] = l, f.v[i]
	}
	unsure := 1 - top
	f.add(NumLevels, unsure)
	s.add(NumLevels, unsure)
	rest := out[2*NumLevels:]
	rest[0], rest[1], rest[2], rest[3], rest[4] = unsure, float32(entropy), f.v[NumLevels], s.v[NumLevels], float32(f.n)
}

// Detector detects unknown devices among one home's packets. It is for one goroutine.
type Detector struct {
	U    *Unknown
	sigs Signatures
	n    novelties
	x    [NumNovelties]float32
	p    [2]float32
}

// NewDetector returns a detector for the packets of one home.
func NewDetector(u *Unknown) *Detector { return &Detector{U: u, n: NewNovelties()} }

// Reset makes the detector as new, for another home.
func (d *Detector) Reset() {
	d.sigs = Signatures{}
	clear(d.n.flows)
	clear(d.n.sizes)
}

// See records a packet before the model labels it.
func (d *Detector) See(o *dataset.Observation) Glance {
	g := Glance{Flow: feature.HashRemote(o), Size: feature.SizeOf(o)}
	var keys [NumLevels]uint64
	d.sigs.Step(o, &keys)
	for i, k := range keys {
		v, ok := d.U.Levels[i].shares[k]
		if !ok {
			v = RareLog
		}
		g.Level[i] = v
	}
	return g
}

// Novelty returns a packet's novelty score, 0 to 1.
func (d *Detector) Novelty(g *Glance, probs []float32) float32 {
	d.n.Step(g, probs, d.x[:])
	d.U.scorer.Predict(d.x[:], d.p[:])
	return d.p[1]
}

// WindowNovelty is a window's novelty score: the mean of its highest tenth. It reorders novelties.
func WindowNovelty(novelties []float32) float32 {
	n := (len(novelties) + 9) / 10
	sum := float32(0)
	for i := range n { // selection of the n largest: windows are short
		for j := i + 1; j < len(novelties); j++ {
			if novelties[j] > novelties[i] {
				novelties[i], novelties[j] = novelties[j], novelties[i]
			}
		}
		sum += novelties[i]
	}
	return sum / float32(max(n, 1))
}

// Load validates and prepares a detector that was read from a file.
func (u *Unknown) Load(classes int) error {
	if len(u.Levels) != NumLevels || len(u.Thresholds) != classes || !(u.Rate > 0 && u.Rate < 1) {
		return fmt.Errorf("%d levels, %d thresholds, rate %v", len(u.Levels), len(u.Thresholds), u.Rate)
	}
	for i := range u.Levels {
		l := &u.Levels[i]
		if len(l.Keys)%8 != 0 || len(l.Keys) != 2*len(l.Best) {
			return errors.New("signatures are truncated")
		}
		l.shares = make(map[uint64]float32, len(l.Best)/4)
		for k := range len(l.Best) / 4 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(l.Best[4*k:]))
			if v-v != 0 {
				return errors.New("a signature's share is not a number")
			}
			l.shares[binary.LittleEndian.Uint64(l.Keys[8*k:])] = v
		}
	}
	var err error
	u.scorer, err = tree.UnmarshalBoost(u.Trees, NumNovelties, 2)
	return err
}
