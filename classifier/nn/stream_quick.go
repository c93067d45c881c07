package nn

import "glasshouse/classifier/nn/kernel"

// maxTables bounds what a quick stream keeps of embeddings that are multiplied beforehand: 16 MB.
const maxTables = 4 << 20

// NewQuickStream returns a stream that takes less time a step, and may differ from NewStream's a little: of an LSTM, weights of recurrent
// layers are whole numbers of 8 bits (a weight is rounded to a 127th of the largest that its gate has), outputs of 16 (a 4096th), and
// what an id's embedding adds to the first layer is looked up. A step waits for the second cache to give the weights: that of 8 bits
// is half the bytes of 16. Sums are the same with every kernel. Of other nets it is NewStream's.
func (n *Net) NewQuickStream() Stream {
	tables := 0
	for _, e := range n.Spec.Embed {
		tables += 4 * n.Spec.Units * e.Vocab
	}
	if n.Spec.Kind != LSTM || tables > maxTables {
		return n.NewStream()
	}
	return newQuick(n)
}

// quick is the quick stream of an LSTM.
type quick struct {
	n       *Net
	tables  [][]float32    // of each embedding: what an id adds to the first layer's sums
	dense   kernel.Whole   // what the numbers add
	bias    [][]float32    // of each layer; the first one's is in the first table, if there is one
	weights []kernel.Whole // of each layer: inputs from the layer before, and its own outputs
	head    kernel.Whole
	last    []float32 // the head's bias
	g, h, y []float32 // a layer's sums and outputs; the head's sums
	cells   [][]float32
	x, out  []int16 // the numbers; all layers' outputs, side by side
}

// Numbers of a step are whole multiples of a 2048th, and are cut to ±denseMost.
const (
	denseOne  = 2048
	denseMost = 15.9
)

func newQuick(n *Net) *quick {
	u := n.Spec.Units
	classes := 16 // the head's columns: so many that no kernel has a rest
	if n.Spec.Classes > classes {
		classes = (n.Spec.Classes + 63) / 64 * 64
	}
	q := &quick{n: n, g: kernel.Floats(4 * u), h: kernel.Floats(u), y: kernel.Floats(classes), last: kernel.Floats(classes)}
	q.x, q.out = make([]int16, n.Spec.Dense+1), make([]int16, n.Spec.Layers*u)
	for i := range n.Spec.Layers {
		a := n.affine(i)
		w := n.theta[a.at:]
		rows := 2 * u
		if i == 0 {
			rows = u
		}
		var m kernel.Whole
		m.Pack(w[(a.in-rows)*a.out:], rows, a.out, a.out, kernel.WholeOne, kernel.WholeOne, kernel.Bits8)
		q.weights = append(q.weights, m)
		q.bias = append(q.bias, w[a.in*a.out:][:a.out])
		q.cells = append(q.cells, kernel.Floats(u))
	}
	h := n.lay.head
	padded := kernel.Floats(h.in * classes)
	for r := range h.in {
		copy(padded[r*classes:], n.theta[h.at+r*h.out:][:h.out])
	}
	copy(q.last, n.theta[h.at+h.in*h.out:][:h.out])
	q.head.Pack(padded, h.in, classes, classes, kernel.WholeOne, kernel.WholeOne, kernel.Bits16)
	first := n.theta[n.affine(0).at:]
	q.dense.Pack(first, n.Spec.Dense, 4*u, 4*u, denseOne, denseMost*denseOne, kernel.Bits16)
	at := n.Spec.Dense
	for i, e := range n.Spec.Embed {
		var rows kernel.Packed
		rows.Pack(first[at*4*u:], e.Dim, 4*u, 4*u)
		t := kernel.Floats(e.Vocab * 4 * u)
		if i == 0 {
			for id := range e.Vocab {
				copy(t[id*4*u:], q.bias[0])
			}
		}
		n.kn.Mul(t, 4*u, n.Table(i), e.Dim, 1, e.Vocab, &rows)
		q.tables = append(q.tables, t)
		at += e.Dim
	}
	return q
}

// Delay implements Stream.
func (q *quick) Delay() int { return 0 }

// Step implements Stream.
func (q *quick) Step(dense []float32, ids []int32, probs []float32) bool {
	kn, u := q.n.kn, q.n.Spec.Units
	q.first(dense, ids)
	for i := range q.weights {
		from := q.out[:u]
		if i > 0 {
			copy(q.g, q.bias[i])
			from = q.out[(i-1)*u : (i+1)*u]
		}
		kn.MulWhole(q.g, from, &q.weights[i])
		kn.GatesWhole(q.g, q.cells[i], q.h, q.out[i*u:(i+1)*u])
	}
	copy(q.y, q.last)
	kn.MulWhole(q.y, q.out[len(q.out)-u:], &q.head)
	kn.Softmax(q.y, q.n.Spec.Classes)
	copy(probs, q.y[:q.n.Spec.Classes])
	return true
}

// first begins the first layer's sums with what a step's inputs add.
func (q *quick) first(dense []float32, ids []int32) {
	if len(q.tables) == 0 {
		copy(q.g, q.bias[0])
	}
	for k, t := range q.tables {
		id := min(max(int(ids[k]), 0), q.n.Spec.Embed[k].Vocab-1)
		row := t[id*len(q.g):][:len(q.g)]
		if k == 0 {
			copy(q.g, row)
			continue
		}
		for i, v := range row {
			q.g[i] += v
		}
	}
	for i, v := range dense[:q.n.Spec.Dense] {
		if v > denseMost {
			v = denseMost
		} else if v < -denseMost {
			v = -denseMost
		}
		q.x[i] = int16(int32(v*denseOne+32768.5) - 32768) // the next whole number
	}
	q.n.kn.MulWhole(q.g, q.x, &q.dense)
}

// Flush implements Stream: nothing is held back.
func (q *quick) Flush([]float32) bool {
	clear(q.out)
	for _, c := range q.cells {
		clear(c)
	}
	return false
}
