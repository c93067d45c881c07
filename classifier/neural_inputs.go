package classifier

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"glasshouse/testbed/dataset"
)

// Inputs of neural models. Both begin with HomeMole's eleven numbers: the port is an id with an embedding, the other ten are
// numbers, the interval as a logarithm.
const (
	inputsPaper = "paper" // the eleven
	inputsRich  = "rich"  // and what follows from the packets before: see richNames
)

// paperNumbers is how many of the eleven are numbers; the port is the other.
const paperNumbers = NumFeatures - 1

// richNames are the further numbers: logarithms of times since earlier packets, and the length's. Length and direction together are an id with
// an embedding, too. Nothing but observations goes in.
func richNames() []string {
	return []string{
		"log_length", "since_length", "since_length_2", "since_length_3", "since_direction", "since_remote", "burst_position",
		"length_before", "length_before_2",
	}
}

// never is the time since something that has not been yet, seconds.
const never = 1e4

const (
	burstPause  = int64(100e6) // ns without a packet that end a burst
	remoteSlots = 4096         // remote endpoints told apart, by hash
)

// history is what inputs are made from: one home's packets so far. Used by one goroutine.
type history struct {
	rich    bool
	e       Extractor
	x       [NumFeatures]float32
	lengths [][3]int64 // when the last packets of a size were, newest first; 0 = never
	remotes [remoteSlots]int64
	turn    [2]int64
	last    int64
	burst   int
	before  [2]int32
}

func newHistory(inputs string) *history {
	h := &history{rich: inputs == inputsRich}
	if h.rich {
		h.lengths = make([][3]int64, 2*lengthSlots)
	}
	return h
}

func (h *history) reset() {
	*h = history{rich: h.rich, lengths: h.lengths}
	clear(h.lengths)
}

// numbers is how many numbers step writes.
func (h *history) numbers() int {
	if h.rich {
		return paperNumbers + len(richNames())
	}
	return paperNumbers
}

// step writes a packet's numbers, not yet normalised. It allocates nothing.
func (h *history) step(o *dataset.Observation, out []float32) {
	h.e.Step(o, h.x[:])
	copy(out, h.x[featIP:])
	out[featInterval-1] = logTime(float64(h.x[featInterval]))
	if !h.rich {
		return
	}
	since := func(at int64) float32 {
		if at == 0 {
			return logTime(never)
		}
		return logTime(min(float64(o.TsNs-at)/1e9, never))
	}
	size := sizeOf(o)
	seen, way := &h.lengths[int(size)+lengthSlots], 0
	if o.Dir > 0 {
		way = 1
	}
	remote := &h.remotes[hashRemote(o)%remoteSlots]
	if h.burst++; o.TsNs-h.last >= burstPause {
		h.burst = 1
	}
	x := out[paperNumbers:]
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

// encoder turns what history gives into what a net takes: numbers of mean 0 and deviation 1 over the training packets, and ids, of which 0
// stands for what was rare or not seen in training.
type encoder struct {
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

func (e *encoder) index() {
	e.port, e.size = make(map[uint16]int32, len(e.Ports)), make(map[int32]int32, len(e.Sizes))
	for i, p := range e.Ports {
		e.port[p] = int32(i + 1)
	}
	for i, s := range e.Sizes {
		e.size[s] = int32(i + 1)
	}
}

// check tells what is wrong with an encoder that came from a file.
func (e *encoder) check() error {
	n := newHistory(e.Inputs).numbers()
	switch {
	case e.Inputs != inputsPaper && e.Inputs != inputsRich:
		return fmt.Errorf("inputs %q are not known", e.Inputs)
	case len(e.Mean) != n || len(e.Scale) != n:
		return fmt.Errorf("means and scales of %d and %d numbers, not %d", len(e.Mean), len(e.Scale), n)
	case len(e.Ports) > maxPorts || len(e.Sizes) > maxSizes || e.Inputs == inputsPaper && len(e.Sizes) > 0:
		return fmt.Errorf("%d ports and %d sizes", len(e.Ports), len(e.Sizes))
	}
	for i := range e.Mean {
		if e.Mean[i]-e.Mean[i] != 0 || e.Scale[i]-e.Scale[i] != 0 {
			return errors.New("a mean or scale is not a finite number")
		}
	}
	return nil
}

func (e *encoder) numIDs() int {
	if e.Inputs == inputsRich {
		return 2
	}
	return 1
}

// ids writes a packet's ids: the port's, and with rich inputs the size's.
func (e *encoder) ids(port uint16, size int32, ids []int32) {
	ids[0] = e.port[port]
	if len(ids) > 1 {
		ids[1] = e.size[size]
	}
}

func (e *encoder) normalise(x []float32) {
	for i := range x {
		x[i] = min(max((x[i]-e.Mean[i])*e.Scale[i], -10), 10)
	}
}

// learn sets means, scales and ids from the raw inputs of training packets.
func (e *encoder) learn(c *corpus, homes []int) {
	n := c.numbers
	e.Mean, e.Scale = make([]float32, n), make([]float32, n)
	ports, sizes := make(map[uint16]int), make(map[int32]int)
	sum, squares := make([]float64, n), make([]float64, n)
	count := 0.0
	for _, k := range homes {
		h := &c.homes[k]
		for i := range h.class {
			ports[h.port[i]]++
			sizes[h.size[i]]++
			for j, v := range h.x[i*n : (i+1)*n] {
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
	if e.Inputs == inputsRich {
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
