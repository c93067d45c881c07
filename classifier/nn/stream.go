package nn

import "glasshouse/classifier/nn/kernel"

// Stream runs a net step by step. Used by one goroutine. After the first steps it allocates nothing.
type Stream interface {
	// Step takes a step's inputs and writes the probabilities of the classes for the step Delay before it; it is false as long
	// as there is none.
	Step(dense []float32, ids []int32, probs []float32) bool
	// Flush writes, call by call, the probabilities of the steps that are still held back. When it is false the stream is as new.
	Flush(probs []float32) bool
	// Delay is how many steps an answer comes late.
	Delay() int
}

// NewStream returns a stream that begins a sequence.
func (n *Net) NewStream() Stream {
	switch n.Spec.Kind {
	case LSTM:
		return newPast(n)
	case Conv:
		return newTaps(n)
	}
	return newAhead(n)
}

// past is the stream of an LSTM: it carries the state.
type past struct {
	n      *Net
	layers []carried
	head   []float32 // with a 1 behind
}

// carried is a layer's state: x holds [inputs, output before, 1].
type carried struct{ x, g, cell, tc []float32 }

func newPast(n *Net) *past {
	p := &past{n: n}
	u := n.Spec.Units
	for i := range n.Spec.Layers {
		a := n.affine(i)
		c := carried{kernel.Floats(a.in + 1), kernel.Floats(4 * u), kernel.Floats(u), kernel.Floats(u)}
		c.x[a.in] = 1
		p.layers = append(p.layers, c)
	}
	p.head = kernel.Floats(u + 1)
	p.head[u] = 1
	return p
}

// Delay implements Stream.
func (p *past) Delay() int { return 0 }

// Step implements Stream.
func (p *past) Step(dense []float32, ids []int32, probs []float32) bool {
	u := p.n.Spec.Units
	p.n.embed(p.layers[0].x, dense, ids)
	for i := range p.layers {
		l := &p.layers[i]
		in := len(l.x) - 1 - u
		if i > 0 {
			copy(l.x[:in], p.layers[i-1].x[len(p.layers[i-1].x)-1-u:])
		}
		clear(l.g)
		p.n.kn.MulVec(l.g, l.x, &p.n.packed[i])
		p.n.kn.Gates(l.g, l.cell, l.cell, l.tc, l.x[in:in+u])
	}
	last := p.layers[len(p.layers)-1].x
	copy(p.head, last[len(last)-1-u:len(last)-1])
	p.n.answer(p.head, probs)
	return true
}

// Flush implements Stream: nothing is held back.
func (p *past) Flush([]float32) bool {
	for _, l := range p.layers {
		clear(l.x[:len(l.x)-1])
		clear(l.cell)
	}
	return false
}

// answer writes the probabilities for the last layer's outputs, with a 1 behind them.
func (n *Net) answer(x, probs []float32) {
	probs = probs[:n.Spec.Classes]
	clear(probs)
	n.kn.MulVec(probs, x, &n.packed[len(n.packed)-1])
	softmax(probs)
}
