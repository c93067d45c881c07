package neural

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"glasshouse/classifier/feature"
	"glasshouse/testbed/dataset"
)

// Inputs of neural models. Both begin with HomeMole's eleven numbers: the port is an id with an embedding, the other ten are
// numbers, the interval as a logarithm.
const (
	InputsPaper = "paper" // the eleven
	InputsRich  = "rich"  // and what follows from the packets before: see richNames
)

// PaperNumbers is how many of the eleven are numbers; the port is the other.
const PaperNumbers = feature.NumFeatures - 1

// RichNames are the further numbers: logarithms of times since earlier packets, and the length's. Length and direction together are an id with
// an embedding, too. Nothing but observations goes in.
func RichNames() []string {
	return []string{
		"log_length", "since_length", "since_length_2", "since_length_3", "since_direction", "since_remote", "burst_position",
		"length_before", "length_before_2",
	}
}

// Never is the time since something that has not been yet, seconds.
const Never = 1e4

const (
	burstPause  = int64(100e6) // ns without a packet that end a burst
	remoteSlots = 4096         // remote endpoints told apart, by hash
)

// History is what inputs are made from: one home's packets so far. Used by one goroutine.
type History struct {
	Rich    bool
	e       feature.Extractor
	x       [feature.NumFeatures]float32
	lengths [][3]int64 // when the last packets of a size were, newest first; 0 = never
	remotes [remoteSlots]int64
	turn    [2]int64
	last    int64
	burst   int
	before  [2]int32
}

// NewHistory returns the state of one home for one of the sets of inputs.
func NewHistory(inputs string) *History {
	h := &History{Rich: inputs == InputsRich}
	if h.Rich {
		h.lengths = make([][3]int64, 2*feature.LengthSlots)
	}
	return h
}

// Reset makes the history as new, for another home.
func (h *History) Reset() {
	*h = History{Rich: h.Rich, lengths: h.lengths}
	clear(h.lengths)
}

// Numbers is how many numbers step writes.
func (h *History) Numbers() int {
	if h.Rich {
		return PaperNumbers + len(RichNames())
	}
	return PaperNumbers
}

// Step writes a packet's numbers, not yet normalised. It allocates nothing.
func (h *History) Step(o *dataset.Observation, out []float32) {
	h.e.Step(o, h.x[:])
	copy(out, h.x[feature.FeatIP:])
	out[feature.FeatInterval-1] = logTime(float64(h.x[feature.FeatInterval]))
	if !h.Rich {
		return
	}
	since := func(at int64) float32 {
		if at == 0 {
			return logTime(Never)
		}
		return logTime(min(float64(o.TsNs-at)/1e9, Never))
	}
	size := feature.SizeOf(o)
	seen, way := &h.lengths[int(size)+feature.LengthSlots], 0
	if o.Dir > 0 {
		way = 1
	}
	remote := &h.remotes[feature.HashRemote(o)%remoteSlots]
	if h.burst++; o.TsNs-h.last >= burstPause {
		h.burst = 1
	}
	x := out[PaperNumbers:]
	x[0] = float32(math.Log(float64(max(o.Length, 1))))
	x[1], x[2], x[3] = since(seen[0]), since(seen[1]), since(seen[2])
	x[4], x[5] = since(h.turn[way]), since(*remote)
	x[6] = float32(math.Log(float64(h.burst)))
	x[7], x[8] = float32(h.before[0]), float32(h.before[1])
	seen[0], seen[1], seen[2] = o.TsNs, seen[0], seen[1]
	h.turn[way], *remote, h.last = o.TsNs, o.TsNs, o.TsNs
	h.before[0], h.before[1] = size, h.before[0]
}

// logTime brings seconds to a scale on which microseconds and hours both count.
func logTime(s float64) float32 { return float32(math.Log(1e-5 + max(s, 0))) }

// Encoder turns what history gives into what a net takes: numbers of mean 0 and deviation 1 over the training packets, and ids, of which 0
// stands for what was rare or not seen in training.
type Encoder struct {
	Inputs string    `json:"inputs"`
	Mean   []float32 `json:"mean"`
	Scale  []float32 `json:"scale"` // 1/deviation; 0 for what never changes
	Ports  []uint16  `json:"ports"`
	Sizes  []int32   `json:"sizes,omitempty"`
	port   map[uint16]int32
	size   map[int32]int32
}

// Limits of ids with an embedding of their own, and how often a size must have been seen for one.
const (
	maxPorts, maxSizes = 255, 1023
	rareSize           = 20
)

func (e *Encoder) index() {
	e.port, e.size = make(map[uint16]int32, len(e.Ports)), make(map[int32]int32, len(e.Sizes))
	for i, p := range e.Ports {
		e.port[p] = int32(i + 1)
	}
	for i, s := range e.Sizes {
		e.size[s] = int32(i + 1)
	}
}

// Check tells what is wrong with an Encoder that came from a file.
func (e *Encoder) Check() error {
	n := NewHistory(e.Inputs).Numbers()
	switch {
	case e.Inputs != InputsPaper && e.Inputs != InputsRich:
		return fmt.Errorf("inputs %q are not known", e.Inputs)
	case len(e.Mean) != n || len(e.Scale) != n:
		return fmt.Errorf("means and scales of %d and %d numbers, not %d", len(e.Mean), len(e.Scale), n)
	case len(e.Ports) > maxPorts || len(e.Sizes) > maxSizes || e.Inputs == InputsPaper && len(e.Sizes) > 0:
		return fmt.Errorf("%d ports and %d sizes", len(e.Ports), len(e.Sizes))
	}
	for i := range e.Mean {
		if e.Mean[i]-e.Mean[i] != 0 || e.Scale[i]-e.Scale[i] != 0 {
			return errors.New("a mean or scale is not a finite number")
		}
	}
	return nil
}

func (e *Encoder) numIDs() int {
	if e.Inputs == InputsRich {
		return 2
	}
	return 1
}

// ids writes a packet's ids: the port's, and with rich inputs the size's.
func (e *Encoder) ids(port uint16, size int32, ids []int32) {
	ids[0] = e.port[port]
	if len(ids) > 1 {
		ids[1] = e.size[size]
	}
}

func (e *Encoder) normalise(x []float32) {
	for i := range x {
		x[i] = min(max((x[i]-e.Mean[i])*e.Scale[i], -10), 10)
	}
}

// learn sets means, scales and ids from the raw inputs of training packets.
func (e *Encoder) learn(c *Corpus, homes []int) {
	n := c.Numbers
	e.Mean, e.Scale = make([]float32, n), make([]float32, n)
	ports, sizes := make(map[uint16]int), make(map[int32]int)
	sum, squares := make([]float64, n), make([]float64, n)
	count := 0.0
	for _, k := range homes {
		h := &c.Homes[k]
		for i := range h.Class {
			ports[h.Port[i]]++
			sizes[h.Size[i]]++
			for j, v := range h.X[i*n : (i+1)*n] {
				sum[j] += float64(v)
				squares[j] += float64(v) * float64(v)
			}
			count++
		}
	}
	for j := range n {
		mean := sum[j] / count
		e.Mean[j] = float32(mean)
		if d := math.Sqrt(max(squares[j]/count-mean*mean, 0)); d > 1e-4 {
			e.Scale[j] = float32(1 / d)
		}
	}
	e.Ports = most(ports, maxPorts, 1)
	if e.Inputs == InputsRich {
		e.Sizes = most(sizes, maxSizes, rareSize)
	}
	e.index()
}

// most lists the commonest keys, in order of the keys.
func most[K uint16 | int32](counts map[K]int, limit, least int) []K {
	var out []K
	for k, n := range counts {
		if n >= least {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b K) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return int(a) - int(b)
	})
	out = out[:min(limit, len(out))]
	slices.Sort(out)
	return out
}
