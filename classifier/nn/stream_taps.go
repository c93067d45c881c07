package nn

import "glasshouse/classifier/nn/kernel"

// taps is the stream of convolutions. Each keeps its last 2d+1 inputs in a ring: when one comes, the output for the one d
// before it is made. So answers are those of the whole sequence at once, and come the sum of the dilations late.
type taps struct {
	n        *Net
	in, head []float32 // with a 1 behind
	rings    []ring
	y        []float32
	sum      []float32
}

// ring is one convolution's memory.
type ring struct {
	d, came, made int // steps that came, and that were made
	last          int // came at the sequence's end
	rows          []float32
	x             []float32 // three taps and a 1
}

func newTaps(n *Net) *taps {
	u := n.Spec.Units
	t := &taps{n: n, in: kernel.Floats(n.Spec.inputs() + 1), head: kernel.Floats(u + 1), y: kernel.Floats(u), sum: kernel.Floats(u)}
	t.in[n.Spec.inputs()], t.head[u] = 1, 1
	for _, d := range n.Spec.Dilations {
		r := ring{d: d, rows: kernel.Floats((2*d + 1) * u), x: kernel.Floats(3*u + 1)}
		r.x[3*u] = 1
		t.rings = append(t.rings, r)
	}
	return t
}

// Delay implements Stream.
func (t *taps) Delay() int { return t.n.Spec.Ahead() }

// Step implements Stream.
func (t *taps) Step(dense []float32, ids []int32, probs []float32) bool {
	t.n.embed(t.in, dense, ids)
	clear(t.y)
	t.n.kn.MulVec(t.y, t.in, &t.n.packed[0])
	relu(t.y, t.y)
	return t.through(0, probs)
}

// through takes the row in t.y through the convolutions from the i-th on; it is false where one must wait for more.
func (t *taps) through(i int, probs []float32) bool {
	for ; i < len(t.rings); i++ {
		if !t.rings[i].push(t, i, t.y) {
			return false
		}
	}
	copy(t.head, t.y)
	t.n.answer(t.head, probs)
	return true
}

// push takes a row, or nil beyond the sequence's end, and leaves the next output in t.y.
func (r *ring) push(t *taps, i int, row []float32) bool {
	u, size := t.n.Spec.Units, 2*r.d+1
	slot := r.rows[r.came%size*u:][:u]
	if row == nil {
		clear(slot)
	} else {
		copy(slot, row)
	}
	r.came++
	if r.came <= r.d {
		return false
	}
	for k, at := range [3]int{r.made - r.d, r.made, r.made + r.d} {
		x := r.x[k*u : (k+1)*u]
		if at < 0 {
			clear(x)
			continue
		}
		copy(x, r.rows[at%size*u:])
	}
	r.made++
	clear(t.sum)
	t.n.kn.MulVec(t.sum, r.x, &t.n.packed[i+1])
	mid := r.x[u : 2*u]
	for j, v := range t.sum {
		t.y[j] = mid[j] + max(v, 0)
	}
	return true
}

// Flush implements Stream: zeros follow each convolution's own last input.
func (t *taps) Flush(probs []float32) bool {
	for i := range t.rings {
		r := &t.rings[i]
		if r.last == 0 {
			r.last = r.came // no more will come: those before it are at their ends
		}
		for r.made < r.last {
			if r.push(t, i, nil) && t.through(i+1, probs) {
				return true
			}
		}
	}
	for i := range t.rings {
		t.rings[i].came, t.rings[i].made, t.rings[i].last = 0, 0, 0
	}
	return false
}
