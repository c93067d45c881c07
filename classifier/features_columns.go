package classifier

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"glasshouse/testbed/dataset"
)

// Feature sets that tree models learn from.
const (
	FeaturesPaper    = "paper"    // HomeMole's eleven numbers
	FeaturesOneHot   = "onehot"   // the same, but whether the port is this or that of the 50 most used ones, instead of its number
	FeaturesSequence = "sequence" // HomeMole's eleven numbers and what is derived from the sequence of packets
	FeaturesFlow     = "flow"     // those, and what is derived from the packets of the same flow
)

// FeatureSets lists the feature sets.
func FeatureSets() []string {
	return []string{FeaturesPaper, FeaturesOneHot, FeaturesSequence, FeaturesFlow}
}

// hotPorts is how many ports FeaturesOneHot tells apart, as the third-party readings of HomeMole's code do.
const hotPorts = 50

const hotPrefix = "remote_port="

// columns are the features of a model, in its order. A model file lists their names, and nothing else is needed to compute
// them: training, scoring and watching have one definition.
type columns struct {
	from     []int // of all features
	port     []float32
	sequence bool // some are of the sequence, or of flows
	flow     bool // some are of flows
}

// newColumns returns the columns of these names: a feature's, or "remote_port=443".
func newColumns(names []string) (*columns, error) {
	all := allNames()
	c := &columns{}
	for _, name := range names {
		from, port := slices.Index(all, name), float32(-1)
		if p, ok := strings.CutPrefix(name, hotPrefix); ok {
			n, err := strconv.ParseUint(p, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("feature %q is not known", name)
			}
			from, port = featPort, float32(n)
		}
		if from < 0 {
			return nil, fmt.Errorf("feature %q is not known", name)
		}
		c.from, c.port = append(c.from, from), append(c.port, port)
		c.sequence = c.sequence || from >= NumFeatures
		c.flow = c.flow || from >= allFeatures
	}
	return c, nil
}

// columnNames returns the names of a set's features; ports are those that FeaturesOneHot tells apart.
func columnNames(set string, ports []uint16) []string {
	switch set {
	case FeaturesOneHot:
		names := make([]string, 0, len(ports)+NumFeatures-1)
		for _, p := range ports {
			names = append(names, hotPrefix+strconv.Itoa(int(p)))
		}
		return append(names, FeatureNames()[featPort+1:]...)
	case FeaturesSequence:
		return append(FeatureNames(), sequenceNames()...)
	case FeaturesFlow:
		return allNames()
	}
	return FeatureNames()
}

// allNames lists the names of all features but those of ports, in the order of a reader's values.
func allNames() []string { return append(append(FeatureNames(), sequenceNames()...), flowNames()...) }

// mostUsed returns the most used ports, at most n of them; the smaller of equals first.
func mostUsed(counts map[uint16]int, n int) []uint16 {
	ports := make([]uint16, 0, len(counts))
	for p := range counts {
		ports = append(ports, p)
	}
	slices.SortFunc(ports, func(a, b uint16) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return int(a) - int(b)
	})
	return ports[:min(n, len(ports))]
}

// reader turns one home's observations, in order, into the values of columns.
type reader struct {
	c   *columns
	e   Extractor
	s   sequence
	f   flowTable
	all [numFlowFeatures]float32
}

// step writes the values for an observation to out, one per column. It allocates nothing, but for a new flow where features of
// flows are asked for.
func (r *reader) step(o *dataset.Observation, out []float32) {
	r.e.Step(o, r.all[:NumFeatures])
	if r.c.sequence {
		r.s.step(o, r.all[:])
	}
	if r.c.flow {
		r.f.flow(o).step(o, r.all[:])
	}
	for i, from := range r.c.from {
		v := r.all[from]
		if p := r.c.port[i]; p >= 0 {
			v = float32(b2i(v == p))
		}
		out[i] = v
	}
}

// reset makes the reader as new, for another home.
func (r *reader) reset() {
	r.e, r.f = Extractor{}, flowTable{}
	if r.s.n > 0 {
		r.s = sequence{}
	}
}

// dropConstant removes from x (row-major) the columns that have one value throughout, and returns what is left: behind a
// tunnel the port and the protocol flags carry nothing. If all are constant the last one stays.
func dropConstant(x []float32, names []string) ([]float32, []string) {
	f := len(names)
	varies := make([]bool, f)
	for i := f; i < len(x); i += f {
		for k := range f {
			varies[k] = varies[k] || x[i+k] != x[k]
		}
	}
	if !slices.Contains(varies, true) {
		varies[f-1] = true
	}
	var left []string
	for k, v := range varies {
		if v {
			left = append(left, names[k])
		}
	}
	if len(left) == f {
		return x, names
	}
	at := 0
	for i := 0; i < len(x); i += f {
		for k, v := range varies {
			if v {
				x[at] = x[i+k]
				at++
			}
		}
	}
	return x[:at], left
}
