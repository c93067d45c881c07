package nn

// A stream of a BiLSTM answers a chunk at a time: the way forward carries its state on; the way back begins at the end of a look-ahead
// behind the chunk, so that the chunk's last step sees that many steps of the future, and its first ones more.
const (
	chunk     = 32
	lookAhead = 32
)

// ahead is the stream of a BiLSTM. Answers come one by one, always as late.
type ahead struct {
	n     *Net
	s     *shard
	have  int       // steps in s.x
	queue []float32 // answers of a chunk
	given int       // of the queue
	done  int       // answers in the queue
}

func newAhead(n *Net) *ahead {
	return &ahead{n: n, s: newShard(n, chunk+lookAhead, 1, nil)}
}

// Delay implements Stream.
func (a *ahead) Delay() int { return chunk + lookAhead - 1 }

// Step implements Stream.
func (a *ahead) Step(dense []float32, ids []int32, probs []float32) bool {
	in := a.n.Spec.inputs()
	a.n.embed(a.s.x[a.have*in:(a.have+1)*in], dense, ids)
	if a.have++; a.have == a.s.t {
		a.run(a.s, chunk)
		for _, c := range a.s.cells() { // the state after the chunk, not after the look-ahead
			wide := c.in + c.units + 1
			copy(c.h, c.x[chunk*wide+c.in:][:c.units])
			copy(c.cells[:c.units], c.cells[chunk*c.units:])
		}
		a.have = copy(a.s.x, a.s.x[chunk*in:]) / in
	}
	return a.next(probs)
}

// run fills the queue with a shard's first answers.
func (a *ahead) run(s *shard, answers int) {
	for _, c := range s.cells() {
		if c.reverse {
			c.forget(0)
		}
	}
	s.forward(nil)
	classes := a.n.Spec.Classes
	a.queue = append(a.queue[:0], s.probs[:answers*classes]...)
	for i := range answers {
		s.softmax(a.queue[i*classes : (i+1)*classes])
	}
	a.given, a.done = 0, answers
}

func (a *ahead) next(probs []float32) bool {
	if a.given == a.done {
		return false
	}
	classes := a.n.Spec.Classes
	copy(probs[:classes], a.queue[a.given*classes:])
	a.given++
	return true
}

// Flush implements Stream: the last steps see the sequence's end.
func (a *ahead) Flush(probs []float32) bool {
	if a.next(probs) {
		return true
	}
	if a.have > 0 {
		s := newShard(a.n, a.have, 1, nil)
		copy(s.x, a.s.x[:len(s.x)])
		from := a.s.cells()
		for i, c := range s.cells() {
			copy(c.h, from[i].h)
			copy(c.cells[:c.units], from[i].cells)
		}
		a.run(s, a.have)
		a.have = 0
		return a.next(probs)
	}
	for _, c := range a.s.cells() {
		c.forget(0)
	}
	return false
}

// cells lists the directions of a recurrent net's layers.
func (s *shard) cells() []*cell {
	var out []*cell
	for _, l := range s.layers {
		if r, ok := l.(*recurrent); ok {
			out = append(out, r.cells...)
		}
	}
	return out
}
