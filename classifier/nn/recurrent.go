package nn

import "glasshouse/classifier/nn/kernel"

// recurrent is an LSTM layer over a shard, one way or both ways; its outputs stand side by side.
type recurrent struct {
	cells []*cell
}

func newRecurrent(s *shard, i int) *recurrent {
	l := &recurrent{}
	ways := s.n.Spec.ways()
	for w := range ways {
		l.cells = append(l.cells, newCell(s, i*ways+w, w == 1, i == 0))
	}
	return l
}

func (l *recurrent) forward(x, y []float32) {
	for w, c := range l.cells {
		c.forward(x, y, len(l.cells), w)
	}
}

func (l *recurrent) backward(dy, dx []float32) {
	if dx != nil {
		clear(dx)
	}
	for w, c := range l.cells {
		c.backward(dy, dx, len(l.cells), w)
	}
}

// cell is one direction. Its rows are in the order in which it takes the steps: a row of x is [inputs, output before, 1].
type cell struct {
	s                *shard
	index, in, units int
	reverse          bool
	skip             int // inputs that need no gradient
	x                []float32
	g                []float32 // sums, then gates, then gradients of the sums
	cells, tc        []float32 // cells: a step more than there are, the first the state before
	h, dc, part      []float32
	dg               kernel.Packed
}

func newCell(s *shard, index int, reverse, first bool) *cell {
	a, units, rows := s.n.affine(index), s.n.Spec.Units, s.t*s.b
	c := &cell{s: s, index: index, in: a.in - units, units: units, reverse: reverse}
	if first {
		c.skip = s.n.Spec.Dense
	}
	c.x = kernel.Floats(rows * (a.in + 1))
	for r := range rows {
		c.x[r*(a.in+1)+a.in] = 1
	}
	c.g = kernel.Floats(rows * 4 * units)
	c.cells, c.tc = kernel.Floats((rows+s.b)*units), kernel.Floats(rows*units)
	c.h = kernel.Floats(s.b * units)
	if s.back != nil {
		c.dc, c.part = kernel.Floats(s.b*units), kernel.Floats(s.b*a.in)
	}
	return c
}

// forget begins a sequence anew.
func (c *cell) forget(i int) {
	clear(c.h[i*c.units : (i+1)*c.units])
	clear(c.cells[i*c.units : (i+1)*c.units])
}

// keep makes the state after the last step the state before the next first one.
func (c *cell) keep() { copy(c.cells, c.cells[c.s.t*c.s.b*c.units:]) }

func (c *cell) time(step int) int {
	if c.reverse {
		return c.s.t - 1 - step
	}
	return step
}

// forward begins with the state in h and the first of cells, and leaves the last output in h. A row of y is ways·units wide.
func (c *cell) forward(x, y []float32, ways, way int) {
	b, u, wide, w := c.s.b, c.units, c.in+c.units+1, ways*c.units
	for step := range c.s.t {
		t := c.time(step)
		for i := range b {
			row := c.x[(step*b+i)*wide:]
			copy(row[:c.in], x[(t*b+i)*c.in:])
			if step == 0 {
				copy(row[c.in:c.in+u], c.h[i*u:])
			}
		}
		g := c.g[step*b*4*u : (step+1)*b*4*u]
		if b == 1 {
			clear(g)
			c.s.n.kn.MulVec(g, c.x[step*wide:], &c.s.n.packed[c.index])
		} else {
			c.s.n.kn.MulSet(g, 4*u, c.x[step*b*wide:], wide, 1, b, &c.s.n.packed[c.index])
		}
		for i := range b {
			r := (step*b + i) * u
			h := c.h[i*u : (i+1)*u]
			if step+1 < c.s.t { // straight into the next step's row
				h = c.x[((step+1)*b+i)*wide+c.in:][:u]
			}
			c.s.n.kn.Gates(g[i*4*u:(i+1)*4*u], c.cells[r:r+u], c.cells[r+b*u:r+b*u+u], c.tc[r:r+u], h)
			copy(y[(t*b+i)*w+way*u:], h)
		}
	}
}

// backward adds to dx. No gradient comes from beyond the last step.
func (c *cell) backward(dy, dx []float32, ways, way int) {
	b, u, w := c.s.b, c.units, ways*c.units
	a := c.s.n.affine(c.index)
	n := a.in - c.skip // a row of part: gradients of inputs from skip on, and of the output before
	part := c.part[:b*n]
	clear(part)
	clear(c.dc)
	few := max(gradRows/b, 1) // steps whose gradients of the sums are still in a near cache
	for step := c.s.t - 1; step >= 0; step-- {
		t := c.time(step)
		g := c.g[step*b*4*u : (step+1)*b*4*u]
		for i := range b {
			r := (step*b + i) * u
			dh := part[(i+1)*n-u : (i+1)*n] // of the step after
			c.s.n.kn.GatesBack(g[i*4*u:(i+1)*4*u], c.cells[r:r+u], c.tc[r:r+u], dh, dy[(t*b+i)*w+way*u:], c.dc[i*u:(i+1)*u])
		}
		c.s.n.kn.MulSet(part, n, g, 4*u, 1, b, &c.s.back[c.index])
		if dx != nil {
			for i := range b {
				to := dx[(t*b+i)*c.in+c.skip:]
				for j, v := range part[i*n : (i+1)*n-u] {
					to[j] += v
				}
			}
		}
		if step%few == 0 {
			rows := min(few, c.s.t-step) * b
			c.dg.Pack(c.g[step*b*4*u:], rows, 4*u, 4*u)
			c.s.n.kn.Mul(c.s.grad[a.at:], a.out, c.x[step*b*(a.in+1):], 1, a.in+1, a.in+1, &c.dg)
		}
	}
}

// gradRows is how many rows the weights' gradients are made of at a time.
const gradRows = 160
