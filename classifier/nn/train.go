package nn

import (
	"errors"
	"math"
	"math/rand/v2"

	"glasshouse/classifier/nn/kernel"
)

// TrainOptions say how a net learns; zero values mean the defaults.
type TrainOptions struct {
	Rate    float64 // of learning: 1e-3, HomeMole's
	Clip    float64 // norm that gradients are cut to: 1
	Workers int     // 1
	Seed    uint64  // of dropout
	Shard   int     // sequences a shard: 16, of convolutions, whose sequences are longer, 4. Results depend on it, and not on Workers
}

// Adam's constants, its paper's.
const (
	beta1, beta2, epsilon = 0.9, 0.999, 1e-8
	block                 = 1 << 14 // parameters that one worker updates at a time
)

// Trainer teaches a net by Adam. Used by one goroutine.
type Trainer struct {
	pool
	o    TrainOptions
	m, v []float32
	step int
	back []kernel.Packed
	loss []float64 // by shard
	sums []float64 // by block
}

// NewTrainer returns a trainer of a net. Nobody else may use the net meanwhile.
func NewTrainer(n *Net, o TrainOptions) *Trainer {
	if o.Rate == 0 {
		o.Rate = 1e-3
	}
	if o.Clip == 0 {
		o.Clip = 1
	}
	if o.Shard == 0 {
		o.Shard = n.Spec.shard()
	}
	t := &Trainer{pool: pool{n: n, size: o.Shard, workers: o.Workers}, o: o}
	t.m, t.v = make([]float32, n.lay.size), make([]float32, n.lay.size)
	t.back = make([]kernel.Packed, len(n.packed))
	t.sums = make([]float64, (n.lay.size+block-1)/block)
	t.repack()
	return t
}

// SetRate changes the rate of learning.
func (t *Trainer) SetRate(rate float64) { t.o.Rate = rate }

// repack makes the weights ready, as they are and transposed.
func (t *Trainer) repack() {
	each(t.workers, 2*len(t.back), func(i int) {
		if i < len(t.back) {
			t.n.packOne(i)
			return
		}
		i -= len(t.back)
		a, skip := t.n.affine(i), 0
		if t.n.Spec.Kind != Conv && i < t.n.Spec.ways() {
			skip = t.n.Spec.Dense
		}
		t.back[i].PackT(t.n.theta[a.at+skip*a.out:], a.out, a.in-skip, a.out)
	})
}

// Step learns from a batch and returns its loss before: the weighted mean cross-entropy, nats a step.
func (t *Trainer) Step(b *Batch) float64 {
	loss, any := t.gradients(b)
	if any {
		t.update()
	}
	return loss
}

// gradients leaves the sum of all shards' gradients in the first one's. It is false if no row counts.
func (t *Trainer) gradients(b *Batch) (float64, bool) {
	t.fit(b, true, t)
	total := 0.0
	for _, w := range b.Weight {
		total += float64(w)
	}
	if total == 0 {
		return 0, false
	}
	t.loss = append(t.loss[:0], make([]float64, len(t.shards))...)
	each(t.workers, len(t.shards), func(k int) {
		s := t.shards[k]
		clear(s.grad)
		t.load(b, k)
		s.forward(rand.New(rand.NewPCG(t.o.Seed, uint64(t.step)<<16|uint64(k))))
		t.loss[k] = s.errors(b, k*t.size, 1/total)
		s.backward(s.probs, t.ids[k])
	})
	each(t.workers, len(t.sums), func(i int) {
		lo, hi := i*block, min((i+1)*block, t.n.lay.size)
		g := t.shards[0].grad[lo:hi]
		for _, s := range t.shards[1:] {
			for j, v := range s.grad[lo:hi] {
				g[j] += v
			}
		}
		sum := 0.0
		for _, v := range g {
			sum += float64(v) * float64(v)
		}
		t.sums[i] = sum
	})
	sum := 0.0
	for _, l := range t.loss {
		sum += l
	}
	return sum / total, true
}

// errors turns a shard's sums into the gradients of the loss with respect to them, and returns its loss, not yet divided.
func (s *shard) errors(b *Batch, first int, scale float64) float64 {
	classes, loss := s.n.Spec.Classes, 0.0
	for t := range s.t {
		for i := range s.b {
			p := s.probs[(t*s.b+i)*classes:][:classes]
			r := t*b.B + first + i
			w := b.Weight[r]
			if w == 0 {
				clear(p)
				continue
			}
			s.softmax(p)
			loss -= float64(w) * math.Log(math.Max(float64(p[b.Class[r]]), 1e-30))
			p[b.Class[r]]--
			k := float32(float64(w) * scale)
			for c := range p {
				p[c] *= k
			}
		}
	}
	return loss
}

// update is a step of Adam.
func (t *Trainer) update() {
	norm := 0.0
	for _, v := range t.sums {
		norm += v
	}
	norm = math.Sqrt(norm)
	if math.IsNaN(norm) || math.IsInf(norm, 0) { // such a step would spoil every parameter
		return
	}
	t.step++
	scale := float32(1)
	if norm > t.o.Clip {
		scale = float32(t.o.Clip / norm)
	}
	rate := float32(t.o.Rate / (1 - math.Pow(beta1, float64(t.step))))
	second := float32(1 / (1 - math.Pow(beta2, float64(t.step))))
	each(t.workers, len(t.sums), func(i int) {
		lo, hi := i*block, min((i+1)*block, t.n.lay.size)
		g, m, v, w := t.shards[0].grad[lo:hi], t.m[lo:hi], t.v[lo:hi], t.n.theta[lo:hi]
		for j, d := range g {
			d *= scale
			m[j] += (1 - beta1) * (d - m[j])
			v[j] += (1 - beta2) * (d*d - v[j])
			w[j] -= rate * m[j] / (sqrt(v[j]*second) + epsilon)
		}
	})
	t.repack()
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// State is what a trainer needs to go on where it stopped: three numbers a parameter, and how many steps were made.
type State struct {
	Step         int
	Params, M, V []float32
}

// State returns the trainer's state; its slices are the trainer's own.
func (t *Trainer) State() State { return State{t.step, t.n.theta, t.m, t.v} }

// Restore goes on from a state.
func (t *Trainer) Restore(s State) error {
	n := t.n.lay.size
	if len(s.Params) != n || len(s.M) != n || len(s.V) != n || s.Step < 0 {
		return errors.New("a state of another net")
	}
	t.step = s.Step
	copy(t.n.theta, s.Params)
	copy(t.m, s.M)
	copy(t.v, s.V)
	t.repack()
	return nil
}
