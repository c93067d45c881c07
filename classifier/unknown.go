package classifier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"glasshouse/testbed/dataset"
)

// UnknownLabel is what a packet is called that seems to come from a device that was never learned.
const UnknownLabel = "unknown"

func isUnknown(label string) bool { return label == UnknownLabel }

// Unknown tells devices that were never learned from those that were. A packet is new if its signature (port, protocol, direction, length,
// rhythm, the length before) is rare in every class that was learned, if the packets to and from the same far end are, and if the model is
// not sure of it. How these count together is learned by boosted trees from classes that are taken away from what is known, in
// turn, on homes that the judged model has not learned from: no device that is asked for later teaches it. The thresholds are conformal
// (Vovk et al. 2005): of those homes' packets that the model takes for a class, a stated share lies above that class's.
type Unknown struct {
	Rate       float64     `json:"false_unknown"` // that share
	Homes      int         `json:"homes"`
	Packets    int         `json:"packets"`
	Thresholds []float32   `json:"thresholds"` // by class guessed
	Window     float32     `json:"window_threshold"`
	Levels     []signature `json:"levels"`
	Trees      []byte      `json:"trees"`

	judge *boost
}

// signature is how common the signatures of one level are in the class in which they are commonest: logarithms of shares.
type signature struct {
	Keys []byte `json:"keys"`
	Best []byte `json:"best"`
	best map[uint64]float32
}

// Levels of signatures.
const (
	levelAll    = iota // port, protocol, direction, length
	levelPort          // port, protocol
	levelLength        // direction, length
	levelRhythm        // direction, length, and how long ago the same was
	levelBefore        // direction, length, and those of the packet before
	numLevels
)

const (
	rareLog      = -16.0 // of what was not seen
	flowSlots    = 4096  // far ends told apart, by hash
	flowMemory   = 64    // packets that a mean looks back over
	numNovelties = 2*numLevels + 5
)

// glance is what the detector keeps of a packet until the model has its answer.
type glance struct {
	level [numLevels]float32
	flow  uint32
	size  int32
}

// signatures makes the keys of one home's packets, in order.
type signatures struct {
	last   [2 * lengthSlots]int64
	before int32
}

func (s *signatures) step(o *dataset.Observation, keys *[numLevels]uint64) {
	size := sizeOf(o)
	code := uint64(size + lengthSlots)
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
		octave = uint64(bits.Len64(uint64(max(o.TsNs-*last, 0)) >> 20)) // of milliseconds, nearly
	}
	keys[levelRhythm] = octave<<12 | code
	keys[levelBefore] = uint64(s.before+lengthSlots)<<12 | code
	*last, s.before = o.TsNs, size
}

// mean is a mean that forgets.
type mean64 struct {
	n int32
	v [numLevels + 1]float32
}

func (m *mean64) add(i int, x float32) { m.v[i] += (x - m.v[i]) / float32(m.n) }

// novelties makes the detector's inputs, packet by packet, in order.
type novelties struct {
	flows []mean64
	sizes []mean64
}

func newNovelties() novelties {
	return novelties{make([]mean64, flowSlots), make([]mean64, 2*lengthSlots)}
}

// step takes what was seen of a packet and the probabilities that a model gives it, and writes numNovelties.
func (n *novelties) step(g *glance, probs []float32, out []float32) {
	top, entropy := float32(0), 0.0
	for _, p := range probs {
		top = max(top, p)
		if p > 0 {
			entropy -= float64(float64(p) * logFast(float64(p)))
		}
	}
	f, s := &n.flows[g.flow%flowSlots], &n.sizes[g.size+lengthSlots]
	f.n, s.n = min(f.n+1, flowMemory), min(s.n+1, flowMemory)
	for i, l := range g.level {
		f.add(i, l)
		out[i], out[numLevels+i] = l, f.v[i]
	}
	unsure := 1 - top
	f.add(numLevels, unsure)
	s.add(numLevels, unsure)
	rest := out[2*numLevels:]
	rest[0], rest[1], rest[2], rest[3], rest[4] = unsure, float32(entropy), f.v[numLevels], s.v[numLevels], float32(f.n)
}

// detector finds unknown devices among one home's packets. Used by one goroutine.
type detector struct {
	u    *Unknown
	sigs signatures
	n    novelties
	x    [numNovelties]float32
	p    [2]float32
}

func newDetector(u *Unknown) *detector { return &detector{u: u, n: newNovelties()} }

func (d *detector) reset() {
	d.sigs = signatures{}
	clear(d.n.flows)
	clear(d.n.sizes)
}

// see notes a packet before the model answers.
func (d *detector) see(o *dataset.Observation) glance {
	g := glance{flow: hashRemote(o), size: sizeOf(o)}
	var keys [numLevels]uint64
	d.sigs.step(o, &keys)
	for i, k := range keys {
		v, ok := d.u.Levels[i].best[k]
		if !ok {
			v = rareLog
		}
		g.level[i] = v
	}
	return g
}

// novelty is how new a packet seems, 0 to 1.
func (d *detector) novelty(g *glance, probs []float32) float32 {
	d.n.step(g, probs, d.x[:])
	d.u.judge.predict(d.x[:], d.p[:])
	return d.p[1]
}

// WindowNovelty is how new a window of packets seems: the mean of its newest tenth. It puts novelties in order.
func WindowNovelty(novelties []float32) float32 {
	n := (len(novelties) + 9) / 10
	sum := float32(0)
	for i := range n { // the largest n, one by one: windows are short
		for j := i + 1; j < len(novelties); j++ {
			if novelties[j] > novelties[i] {
				novelties[i], novelties[j] = novelties[j], novelties[i]
			}
		}
		sum += novelties[i]
	}
	return sum / float32(max(n, 1))
}

// load makes a detector that came from a file ready.
func (u *Unknown) load(classes int) error {
	if len(u.Levels) != numLevels || len(u.Thresholds) != classes || !(u.Rate > 0 && u.Rate < 1) {
		return fmt.Errorf("%d levels, %d thresholds, rate %v", len(u.Levels), len(u.Thresholds), u.Rate)
	}
	for i := range u.Levels {
		l := &u.Levels[i]
		if len(l.Keys)%8 != 0 || len(l.Keys) != 2*len(l.Best) {
			return errors.New("signatures cut short")
		}
		l.best = make(map[uint64]float32, len(l.Best)/4)
		for k := range len(l.Best) / 4 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(l.Best[4*k:]))
			if v-v != 0 {
				return errors.New("a signature's share is not a number")
			}
			l.best[binary.LittleEndian.Uint64(l.Keys[8*k:])] = v
		}
	}
	var err error
	u.judge, err = unmarshalBoost(u.Trees, numNovelties, 2)
	return err
}
