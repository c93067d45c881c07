package feature

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// Feature sets of tree models.
const (
	Paper    = "paper"    // HomeMole's eleven numbers
	OneHot   = "onehot"   // the same with the port one-hot encoded, for the 50 most used ports
	Sequence = "sequence" // Paper, and features of the sequence of packets
	Flow     = "flow"     // Sequence, and features of the packet's flow
)

// Sets lists the feature sets.
func Sets() []string {
	return []string{Paper, OneHot, Sequence, Flow}
}

// HotPorts is the number of ports that OneHot encodes, as in the third-party readings of HomeMole's code.
const HotPorts = 50

// HotPrefix begins the name of a column that is 1 for one remote port; the port follows.
const HotPrefix = "remote_port="

// Columns are a model's features in order. Their names, which a model file lists, are all that is needed to compute them, so training,
// scoring and live classification share one definition.
type Columns struct {
	From     []int // of all features
	port     []float32
	sequence bool // some are of the sequence, or of flows
	flow     bool // some are of flows
}

// NewColumns returns the Columns with these names: a feature's name, or a one-hot port such as "remote_port=443".
func NewColumns(names []string) (*Columns, error) {
	all := AllNames()
	c := &Columns{}
	for _, name := range names {
		from, port := slices.Index(all, name), float32(-1)
		if p, ok := strings.CutPrefix(name, HotPrefix); ok {
			n, err := strconv.ParseUint(p, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("unknown feature %q", name)
			}
			from, port = FeatPort, float32(n)
		}
		if from < 0 {
			return nil, fmt.Errorf("unknown feature %q", name)
		}
		c.From, c.port = append(c.From, from), append(c.port, port)
		c.sequence = c.sequence || from >= NumFeatures
		c.flow = c.flow || from >= allFeatures
	}
	return c, nil
}

// ColumnNames returns the names of a set's features; ports are those that OneHot encodes.
func ColumnNames(set string, ports []uint16) []string {
	switch set {
	case OneHot:
		names := make([]string, 0, len(ports)+NumFeatures-1)
		for _, p := range ports {
			names = append(names, HotPrefix+strconv.Itoa(int(p)))
		}
		return append(names, Names()[FeatPort+1:]...)
	case Sequence:
		return append(Names(), SequenceNames()...)
	case Flow:
		return AllNames()
	}
	return Names()
}

// AllNames lists the names of all features except one-hot ports, in the order of a Reader's values.
func AllNames() []string { return append(append(Names(), SequenceNames()...), flowNames()...) }

// MostUsed returns the n most used ports at most; of equally used ones the smaller comes first.
func MostUsed(counts map[uint16]int, n int) []uint16 {
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

// Reader turns one home's observations, in order, into the values of Columns.
type Reader struct {
	C   *Columns
	e   Extractor
	s   sequence
	f   flowTable
	all [numFlowFeatures]float32
}

// Step writes the values for an observation to out, one per column. It allocates nothing, except for a new flow if there are features
// of flows.
func (r *Reader) Step(o *dataset.Observation, out []float32) {
	r.e.Step(o, r.all[:NumFeatures])
	if r.C.sequence {
		r.s.Step(o, r.all[:])
	}
	if r.C.flow {
		r.f.flow(o).step(o, r.all[:])
	}
	for i, from := range r.C.From {
		v := r.all[from]
		if p := r.C.port[i]; p >= 0 {
			v = float32(stat.Indicator(v == p))
		}
		out[i] = v
	}
}

// Reset prepares the Reader for another home.
func (r *Reader) Reset() {
	r.e, r.f = Extractor{}, flowTable{}
	if r.s.n > 0 {
		r.s = sequence{}
	}
}

// DropConstant removes constant columns from x (row-major) and returns the rest: behind a tunnel the port and the protocol flags carry
// no information. If all are constant the last one stays.
func DropConstant(x []float32, names []string) ([]float32, []string) {
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
