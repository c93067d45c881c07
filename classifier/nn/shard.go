package nn

import (
	"math/rand/v2"
	"slices"

	"glasshouse/classifier/nn/kernel"
)

// shard runs some of a batch's sequences forward and back, in memory of its own. Rows are in time's order, all sequences of a
// step together: row t*b+i is step t of sequence i.
type shard struct {
	n      *Net
	t, b   int
	x      []float32 // inputs of the first layer
	layers []layer
	outs   [][]float32 // of each layer, after dropout
	masks  [][]float32 // of each layer; nil without dropout
	probs  []float32
	head   op
	grad   []float32 // like the net's parameters; nil where only answers are wanted
	dy, dx []float32
	soft   []float32       // a row of probs, filled up for Softmax
	back   []kernel.Packed // transposed weights, by affine; shared by the shards
}

// layer is one layer of a shard.
type layer interface {
	// forward writes y for x.
	forward(x, y []float32)
	// backward adds the parameters' gradients, and writes the inputs' unless dx is nil. dy may be overwritten.
	backward(dy, dx []float32)
}

// op is an affine map over the rows of a shard: y = [x 1]·W.
type op struct {
	s     *shard
	index int // among the net's affines
	rows  int
	x     []float32 // rows of in+1, the last 1
	dy    kernel.Packed
}

func newOp(s *shard, index int) op {
	a := s.n.affine(index)
	o := op{s: s, index: index, rows: s.t * s.b, x: kernel.Floats(s.t * s.b * (a.in + 1))}
	for r := range o.rows {
		o.x[r*(a.in+1)+a.in] = 1
	}
	return o
}

// row is where the inputs of a row go.
func (o *op) row(r int) []float32 {
	in := o.s.n.affine(o.index).in
	return o.x[r*(in+1) : r*(in+1)+in]
}

func (o *op) forward(y []float32) {
	a := o.s.n.affine(o.index)
	o.s.n.kn.MulSet(y, a.out, o.x, a.in+1, 1, o.rows, &o.s.n.packed[o.index])
}

// backward adds the weights' gradients, and writes dx, rows of in, unless it is nil.
func (o *op) backward(dy, dx []float32) {
	a := o.s.n.affine(o.index)
	o.dy.Pack(dy, o.rows, a.out, a.out)
	o.s.n.kn.Mul(o.s.grad[a.at:], a.out, o.x, 1, a.in+1, a.in+1, &o.dy)
	if dx != nil {
		o.s.n.kn.MulSet(dx, a.in, dy, a.out, 1, o.rows, &o.s.back[o.index])
	}
}

// newShard returns a shard for b sequences of t steps; back is nil where only answers are wanted.
func newShard(n *Net, t, b int, back []kernel.Packed) *shard {
	s := &shard{n: n, t: t, b: b, back: back}
	rows := t * b
	s.x = kernel.Floats(rows * n.Spec.inputs())
	width := 0
	if n.Spec.Kind == Conv {
		s.layers = append(s.layers, newProjection(s))
		for i, d := range n.Spec.Dilations {
			s.layers = append(s.layers, newConv(s, i+1, d))
		}
		width = n.Spec.Units
	} else {
		for i := range n.Spec.Layers {
			s.layers = append(s.layers, newRecurrent(s, i))
		}
		width = n.Spec.Units * n.Spec.ways()
	}
	for range s.layers {
		s.outs = append(s.outs, kernel.Floats(rows*width))
	}
	s.probs = kernel.Floats(rows * n.Spec.Classes)
	s.soft = kernel.Floats((n.Spec.Classes + 15) / 16 * 16)
	s.head = newOp(s, len(n.lay.layers))
	if back != nil {
		s.grad = kernel.Floats(n.lay.size)
		s.dy, s.dx = kernel.Floats(rows*max(width, n.Spec.inputs())), kernel.Floats(rows*max(width, n.Spec.inputs()))
		if n.Spec.Dropout > 0 {
			for i := range s.layers {
				var mask []float32
				if n.Spec.Kind != Conv || i == len(s.layers)-1 { // what convolutions add to must stay
					mask = kernel.Floats(rows * width)
				}
				s.masks = append(s.masks, mask)
			}
		}
	}
	return s
}

// forward gives s.probs the sums before the softmax. r draws what dropout leaves out; nil = nothing.
func (s *shard) forward(r *rand.Rand) {
	x := s.x
	for i, l := range s.layers {
		l.forward(x, s.outs[i])
		x = s.outs[i]
		if r != nil && s.masks != nil && s.masks[i] != nil {
			drop(r, x, s.masks[i], s.n.Spec.Dropout)
		}
	}
	a := s.n.lay.head
	for row := range s.t * s.b {
		copy(s.head.row(row), x[row*a.in:])
	}
	s.head.forward(s.probs)
}

// softmax makes a row of probs probabilities.
func (s *shard) softmax(p []float32) {
	copy(s.soft, p)
	s.n.kn.Softmax(s.soft, len(p))
	copy(p, s.soft)
}

// backward adds the gradients of all parameters; d holds those of the sums before the softmax.
func (s *shard) backward(d []float32, ids []int32) {
	dy, dx := s.dy, s.dx
	s.head.backward(d, dy)
	for i, l := range slices.Backward(s.layers) {
		if s.masks != nil {
			for j, m := range s.masks[i] {
				dy[j] *= m
			}
		}
		if i == 0 && len(s.n.Spec.Embed) == 0 {
			dx = nil
		}
		l.backward(dy, dx)
		dy, dx = dx, dy
	}
	if dy == nil {
		return
	}
	in, at := s.n.Spec.inputs(), s.n.Spec.Dense
	for k, e := range s.n.Spec.Embed {
		for row := range s.t * s.b {
			id := min(max(int(ids[row*len(s.n.Spec.Embed)+k]), 0), e.Vocab-1)
			g := s.grad[s.n.lay.embeds[k]+id*e.Dim:][:e.Dim]
			for j, v := range dy[row*in+at:][:e.Dim] {
				g[j] += v
			}
		}
		at += e.Dim
	}
}

// drop leaves out a share of x, and scales the rest so that sums keep their mean. Sixteen bits decide on each number.
func drop(r *rand.Rand, x, mask []float32, share float32) {
	limit := uint64(share * 65536)
	scale := 1 / (1 - float32(limit)/65536)
	var bits uint64
	for i := range x {
		if i%4 == 0 {
			bits = r.Uint64()
		}
		mask[i] = 0
		if bits&0xffff >= limit {
			mask[i] = scale
		}
		bits >>= 16
		x[i] *= mask[i]
	}
}
