package onnx

import (
	"slices"
	"strconv"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/nn"
)

// InputNames lists the columns of an exported model's input. Those of a neural model are raw values: logarithms and normalisation are
// part of the graph.
func InputNames(m *model.Meta) []string {
	if !slices.Contains(model.NeuralKinds(), m.Kind) {
		return m.Features
	}
	if len(m.Features) <= feature.NumFeatures {
		return feature.Names()
	}
	return append(feature.Names(), neural.RichNames()[1:]...) // the length's logarithm follows from the length
}

// Columns of the rich inputs among InputNames.
const (
	inSince  = feature.NumFeatures // five of them
	inBurst  = inSince + 5
	inBefore = inBurst + 1 // two
)

// netGraph adds the nodes of a network in order.
type netGraph struct {
	g *Graph
	n int
}

// node adds a node with one output, whose name it returns.
func (b *netGraph) node(op string, in []string, attrs ...Attr) string {
	out := b.name()
	b.g.Node("", op, in, []string{out}, attrs...)
	return out
}

func (b *netGraph) name() string {
	b.n++
	return "t" + strconv.Itoa(b.n)
}

func (b *netGraph) floats(v []float32, dims ...int64) string {
	name := b.name()
	b.g.Floats(name, v, dims...)
	return name
}

func (b *netGraph) number(v float32) string { return b.floats([]float32{v}) }

func (b *netGraph) ints(v ...int64) string {
	name := b.name()
	b.g.Ints(name, v, int64(len(v)))
	return name
}

// columns selects columns of the input.
func (b *netGraph) columns(of ...int64) string {
	return b.node("Gather", []string{"features", b.ints(of...)}, IntAttr("axis", 1))
}

// logTime is ln(x + 1e-5) with x limited, as in package neural.
func (b *netGraph) logTime(x string, limit float32) string {
	x = b.node("Clip", []string{x, b.number(0), b.number(limit)})
	return b.node("Log", []string{b.node("Add", []string{x, b.number(1e-5)})})
}

// affine is x·W + bias, row by row, for a layer whose last row is the bias.
func (b *netGraph) affine(x string, l nn.Layer) string {
	in, out := int64(l.Rows-1), int64(l.Cols)
	x = b.node("MatMul", []string{x, b.floats(l.W[:in*out], in, out)})
	return b.node("Add", []string{x, b.floats(l.W[in*out:], out)})
}

// exportNeural adds the nodes of a neural model, from raw features to probabilities, with standard operators.
func exportNeural(g *Graph, m *neural.Model) {
	b := &netGraph{g: g}
	x := b.inputs(m)
	layers := m.Net().Layers()
	spec := m.Net().Spec
	if spec.Kind == nn.Conv {
		x = b.convolutions(x, &spec, layers)
	} else {
		x = b.recurrent(x, &spec, layers)
	}
	sums := b.affine(x, layers[len(layers)-1])
	g.Node("", "Softmax", []string{sums}, []string{"probabilities"}, IntAttr("axis", 1))
	best := b.node("ArgMax", []string{sums}, IntAttr("axis", 1), IntAttr("keepdims", 0))
	g.Strings("classes", m.Meta().Classes)
	g.Node("", "Gather", []string{"classes", best}, []string{"label"}, IntAttr("axis", 0))
}

// inputs computes what neural's history and encoder compute: normalised numbers and embeddings.
func (b *netGraph) inputs(m *neural.Model) string {
	const most = 1e9 // seconds; longer than any interval
	parts := []string{b.columns(feature.FeatIP, feature.FeatTCP, feature.FeatUDP, feature.FeatTLS, feature.FeatHTTP, feature.FeatDNS, feature.FeatOther, feature.FeatDir, feature.FeatLength), b.logTime(b.columns(feature.FeatInterval), most)}
	length := b.node("Clip", []string{b.columns(feature.FeatLength), b.number(1), b.number(1e9)})
	rich := m.Inputs().Inputs == neural.InputsRich
	if rich {
		parts = append(parts, b.node("Log", []string{length}), b.logTime(b.columns(inSince, inSince+1, inSince+2, inSince+3, inSince+4), neural.Never),
			b.node("Log", []string{b.columns(inBurst)}), b.columns(inBefore, inBefore+1))
	}
	concat := IntAttr("axis", 1)
	x := b.node("Sub", []string{b.node("Concat", parts, concat), b.floats(m.Inputs().Mean, int64(len(m.Inputs().Mean)))})
	x = b.node("Mul", []string{x, b.floats(m.Inputs().Scale, int64(len(m.Inputs().Scale)))})
	parts = []string{b.node("Clip", []string{x, b.number(-10), b.number(10)})}

	ports := make([]byte, 1<<16) // maxPorts ids fit in a byte
	for i, p := range m.Inputs().Ports {
		ports[p] = byte(i + 1)
	}
	parts = append(parts, b.embedded(m, 0, b.columns(feature.FeatPort), b.table(ports)))
	if rich {
		sizes := make([]int64, 2*feature.LengthSlots)
		for i, s := range m.Inputs().Sizes {
			if at := int(s) + feature.LengthSlots; at >= 0 && at < len(sizes) {
				sizes[at] = int64(i + 1)
			}
		}
		table := b.name()
		b.g.Ints(table, sizes, int64(len(sizes)))
		size := b.node("Clip", []string{length, b.number(1), b.number(feature.LengthSlots - 1)})
		sign := b.node("Sign", []string{b.columns(feature.FeatDir)})
		at := b.node("Add", []string{b.node("Mul", []string{size, sign}), b.number(feature.LengthSlots)})
		parts = append(parts, b.embedded(m, 1, at, table))
	}
	return b.node("Concat", parts, concat)
}

func (b *netGraph) table(v []byte) string {
	name := b.name()
	b.g.Bytes(name, v, int64(len(v)))
	return name
}

// embedded looks up the i-th embedding of a column's values by a table of ids.
func (b *netGraph) embedded(m *neural.Model, i int, column, table string) string {
	e := m.Net().Spec.Embed[i]
	at := b.node("Reshape", []string{b.node("Cast", []string{column}, IntAttr("to", int64(Int64))), b.ints(-1)})
	id := b.node("Cast", []string{b.node("Gather", []string{table, at})}, IntAttr("to", int64(Int64)))
	return b.node("Gather", []string{b.floats(m.Net().Table(i), int64(e.Vocab), int64(e.Dim)), id})
}

// convolutions adds the projection and the residual convolutions.
func (b *netGraph) convolutions(x string, spec *nn.Spec, layers []nn.Layer) string {
	u := int64(spec.Units)
	x = b.node("Relu", []string{b.affine(x, layers[0])})
	x = b.node("Unsqueeze", []string{b.node("Transpose", []string{x}, IntsAttr("perm", []int64{1, 0})), b.ints(0)}) // 1 × units × packets
	for i, d := range spec.Dilations {
		l := layers[i+1]
		w := make([]float32, 3*u*u) // out × in × tap, from (tap, in) × out
		for tap := range 3 {
			for in := range int(u) {
				for out := range int(u) {
					w[(out*int(u)+in)*3+tap] = l.W[(tap*int(u)+in)*l.Cols+out]
				}
			}
		}
		step := int64(d)
		y := b.node("Conv", []string{x, b.floats(w, u, u, 3), b.floats(l.W[3*u*u:], u)},
			IntsAttr("dilations", []int64{step}), IntsAttr("pads", []int64{step, step}), IntsAttr("kernel_shape", []int64{3}))
		x = b.node("Add", []string{x, b.node("Relu", []string{y})})
	}
	return b.node("Transpose", []string{b.node("Squeeze", []string{x, b.ints(0)})}, IntsAttr("perm", []int64{1, 0}))
}

// recurrent adds the LSTM layers.
func (b *netGraph) recurrent(x string, spec *nn.Spec, layers []nn.Layer) string {
	u, ways, direction := spec.Units, 1, "forward"
	if spec.Kind == nn.BiLSTM {
		ways, direction = 2, "bidirectional"
	}
	x = b.node("Unsqueeze", []string{x, b.ints(1)}) // packets × 1 × inputs
	for i := range spec.Layers {
		var w, r, bias []float32
		var in int
		for _, l := range layers[i*ways : (i+1)*ways] {
			in = l.Rows - 1 - u
			for _, gate := range [4]int{0, 2, 1, 3} { // input, output, forget, cell from input, forget, output, cell
				for unit := range u {
					col := gate*u + unit
					for k := range in {
						w = append(w, l.W[k*l.Cols+col])
					}
					for k := range u {
						r = append(r, l.W[(in+k)*l.Cols+col])
					}
					bias = append(bias, l.W[(in+u)*l.Cols+col])
				}
			}
			bias = append(bias, make([]float32, 4*u)...) // the recurrence has no bias of its own
		}
		d, h := int64(ways), int64(u)
		y := b.node("LSTM", []string{x, b.floats(w, d, 4*h, int64(in)), b.floats(r, d, 4*h, h), b.floats(bias, d, 8*h)},
			IntAttr("hidden_size", h), StringAttr("direction", direction))
		x = b.node("Reshape", []string{y, b.ints(-1, 1, d*h)}) // packets × directions × 1 × units
	}
	return b.node("Squeeze", []string{x, b.ints(1)})
}
