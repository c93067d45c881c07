package nn

import (
	"sync"
	"sync/atomic"
)

// Batch is B sequences of T steps each, in time's order: row t*B+i is step t of sequence i.
type Batch struct {
	T, B   int
	Dense  []float32 // rows of Spec.Dense
	IDs    []int32   // rows of len(Spec.Embed)
	Class  []int32   // one a row
	Weight []float32 // one a row; 0 = the answer does not count
	Fresh  []bool    // one a sequence: it does not go on where the sequence of the last batch ended. Only what looks back carries over
}

// NewBatch returns an empty batch for a net of the shape.
func NewBatch(spec *Spec, t, b int) *Batch {
	return &Batch{
		T: t, B: b, Dense: make([]float32, t*b*spec.Dense), IDs: make([]int32, t*b*len(spec.Embed)),
		Class: make([]int32, t*b), Weight: make([]float32, t*b), Fresh: make([]bool, b),
	}
}

// pool runs a batch's sequences in shards.
type pool struct {
	n       *Net
	shards  []*shard
	ids     [][]int32
	size    int // sequences a shard
	workers int
	t, b    int
}

// fit makes shards for the size of a batch. States are lost when the size changes.
func (p *pool) fit(b *Batch, train bool, t *Trainer) {
	if p.t == b.T && p.b == b.B {
		return
	}
	p.t, p.b, p.shards, p.ids = b.T, b.B, nil, nil
	for at := 0; at < b.B; at += p.size {
		n := min(p.size, b.B-at)
		s := newShard(p.n, b.T, n, nil)
		if train {
			s = newShard(p.n, b.T, n, t.back)
		}
		p.shards = append(p.shards, s)
		p.ids = append(p.ids, make([]int32, b.T*n*len(p.n.Spec.Embed)))
	}
}

// load brings shard k's sequences in.
func (p *pool) load(b *Batch, k int) {
	s, first, in, e := p.shards[k], k*p.size, p.n.Spec.inputs(), len(p.n.Spec.Embed)
	for t := range b.T {
		for i := range s.b {
			from, to := t*b.B+first+i, t*s.b+i
			ids := b.IDs[from*e : (from+1)*e]
			copy(p.ids[k][to*e:], ids)
			p.n.embed(s.x[to*in:(to+1)*in], b.Dense[from*p.n.Spec.Dense:], ids)
		}
	}
	for _, l := range s.layers {
		r, ok := l.(*recurrent)
		if !ok {
			continue
		}
		for _, c := range r.cells {
			c.keep()
			for i := range s.b {
				if b.Fresh[first+i] || c.reverse {
					c.forget(i)
				}
			}
		}
	}
}

// each calls f for 0 to n−1, spread over the workers, and returns when all are done.
func each(workers, n int, f func(i int)) {
	if workers <= 1 || n <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// Runner runs a net over batches, to answer and not to learn. Used by one goroutine.
type Runner struct{ pool }

// NewRunner returns a runner that keeps so many processors busy.
func NewRunner(n *Net, workers int) *Runner {
	return &Runner{pool{n: n, size: n.Spec.shard(), workers: workers}}
}

// Run writes a row of probabilities of the classes for each row of the batch to probs.
func (r *Runner) Run(b *Batch, probs []float32) {
	r.fit(b, false, nil)
	classes := r.n.Spec.Classes
	each(r.workers, len(r.shards), func(k int) {
		r.load(b, k)
		s := r.shards[k]
		s.forward(nil)
		for t := range b.T {
			for i := range s.b {
				p := s.probs[(t*s.b+i)*classes:][:classes]
				s.softmax(p)
				copy(probs[(t*b.B+k*r.size+i)*classes:], p)
			}
		}
	})
}
