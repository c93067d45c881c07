package nn

import "glasshouse/classifier/nn/kernel"

// projection brings the inputs to the width of the convolutions: relu(x·W).
type projection struct {
	op op
	z  []float32
	s  *shard
}

func newProjection(s *shard) *projection {
	return &projection{op: newOp(s, 0), z: kernel.Floats(s.t * s.b * s.n.Spec.Units), s: s}
}

func (p *projection) forward(x, y []float32) {
	in := p.s.n.affine(0).in
	for r := range p.op.rows {
		copy(p.op.row(r), x[r*in:])
	}
	p.op.forward(p.z)
	relu(y, p.z)
}

func (p *projection) backward(dy, dx []float32) {
	reluBack(p.z, dy)
	p.op.backward(p.z, dx)
}

// conv is a residual convolution of three taps, d steps apart: y(t) = x(t) + relu([x(t−d) x(t) x(t+d) 1]·W). Beyond the ends
// of a sequence there are zeros.
type conv struct {
	op op
	z  []float32
	d  int
	s  *shard
	dx []float32 // of the three taps
}

func newConv(s *shard, index, d int) *conv {
	c := &conv{op: newOp(s, index), z: kernel.Floats(s.t * s.b * s.n.Spec.Units), d: d, s: s}
	if s.back != nil {
		c.dx = kernel.Floats(s.t * s.b * 3 * s.n.Spec.Units)
	}
	return c
}

func (c *conv) forward(x, y []float32) {
	u, rows, off := c.s.n.Spec.Units, c.op.rows, c.d*c.s.b
	for r := range rows {
		to := c.op.row(r) // what a tap does not reach stays zero
		if r >= off {
			copy(to[:u], x[(r-off)*u:])
		}
		copy(to[u:2*u], x[r*u:])
		if r+off < rows {
			copy(to[2*u:], x[(r+off)*u:(r+off+1)*u])
		}
	}
	c.op.forward(c.z)
	relu(y, c.z)
	for i, v := range x[:len(y)] {
		y[i] += v
	}
}

func (c *conv) backward(dy, dx []float32) {
	u, rows, off := c.s.n.Spec.Units, c.op.rows, c.d*c.s.b
	reluBack(c.z, dy)
	c.op.backward(c.z, c.dx)
	copy(dx, dy[:rows*u])
	add := func(to, from int, tap int) {
		dst := dx[to*u : (to+1)*u]
		for j, v := range c.dx[(from*3+tap)*u : (from*3+tap+1)*u] {
			dst[j] += v
		}
	}
	for r := range rows {
		if r >= off {
			add(r-off, r, 0)
		}
		add(r, r, 1)
		if r+off < rows {
			add(r+off, r, 2)
		}
	}
}

func relu(y, z []float32) {
	for i, v := range z {
		y[i] = max(v, 0)
	}
}

// reluBack makes z the gradient of the sums.
func reluBack(z, dy []float32) {
	for i, v := range z {
		if v > 0 {
			z[i] = dy[i]
		} else {
			z[i] = 0
		}
	}
}
