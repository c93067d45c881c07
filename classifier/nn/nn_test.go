package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func specs() []Spec {
	embed := []Embedding{{5, 3}, {4, 2}}
	return []Spec{
		{Kind: LSTM, Dense: 3, Embed: embed, Units: 16, Layers: 2, Classes: 5},
		{Kind: BiLSTM, Dense: 3, Embed: embed, Units: 16, Layers: 2, Classes: 5},
		{Kind: Conv, Dense: 3, Embed: embed, Units: 16, Dilations: []int{1, 2, 1}, Classes: 5},
		{Kind: LSTM, Dense: 4, Units: 16, Layers: 1, Classes: 3},
	}
}

// problem is a batch in which a step's class is whether its first number is larger than the one before: what happened before matters.
func problem(s *Spec, t, b int, seed uint64) *Batch {
	r := rand.New(rand.NewPCG(seed, 3))
	batch := NewBatch(s, t, b)
	for i := range batch.Dense {
		batch.Dense[i] = r.Float32()*2 - 1
	}
	for i := range batch.IDs {
		batch.IDs[i] = int32(r.IntN(4))
	}
	for i := range batch.Class {
		batch.Weight[i] = 0.5 + r.Float32()
		if i >= b && batch.Dense[i*s.Dense] > batch.Dense[(i-b)*s.Dense] {
			batch.Class[i] = 1
		}
	}
	for i := range batch.Fresh {
		batch.Fresh[i] = true
	}
	return batch
}

func made(tb testing.TB, s Spec) *Net {
	tb.Helper()
	n, err := New(s, 7)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// The gradient of every 7th parameter is the loss's slope, measured.
func TestGradients(t *testing.T) {
	for _, s := range specs() {
		t.Run(fmt.Sprintf("%s%d", s.Kind, s.Layers), func(t *testing.T) {
			n := made(t, s)
			b := problem(&s, 6, 5, 1)
			b.Weight[7] = 0
			tr := NewTrainer(n, TrainOptions{Shard: 2})
			tr.gradients(b)
			grad := slices.Clone(tr.shards[0].grad)
			far, off, nonzero := 0.0, 0, 0
			for i := 0; i < len(n.theta); i += 7 {
				const h = 4e-3
				slope := func(h float32) float64 {
					was := n.theta[i]
					n.theta[i] = was + h
					n.pack()
					l, _ := tr.gradients(b)
					n.theta[i] = was
					return l
				}
				// the fourth-order formula: with float32 sums a small h drowns in rounding
				want := (8*(slope(h)-slope(-h)) - (slope(2*h) - slope(-2*h))) / (12 * h)
				if math.Abs(want) > 1e-4 {
					nonzero++
				}
				d := math.Abs(float64(grad[i])-want) / (math.Abs(want) + 0.02)
				far = max(far, d)
				if d > 0.01 {
					off++
				}
			}
			// a relu has no slope at 0: where a step of h crosses it, the measured slope is between two
			kinks := 0
			if s.Kind == Conv {
				kinks = len(n.theta) / 7 / 30
			}
			if off > kinks || far > 0.1 {
				t.Errorf("%d gradients are off, by up to %.1f %%", off, 100*far)
			}
			if nonzero < len(n.theta)/40 {
				t.Errorf("only %d parameters matter", nonzero)
			}
		})
	}
}

// Training lowers the loss, and gives the same bits for any number of workers.
func TestTrainingLearnsAndIsDeterministic(t *testing.T) {
	for _, s := range specs() {
		s.Dropout = 0.1
		var want []float32
		for _, workers := range []int{1, 3} {
			n := made(t, s)
			tr := NewTrainer(n, TrainOptions{Rate: 1e-2, Workers: workers, Seed: 4})
			first, last := 0.0, 0.0
			for step := range 60 {
				l := tr.Step(problem(&s, 12, 40, uint64(step)))
				if step == 0 {
					first = l
				}
				last = l
			}
			if last > 0.6*first {
				t.Errorf("%s: the loss went from %.3f to %.3f", s.Kind, first, last)
			}
			if want == nil {
				want = slices.Clone(n.theta)
			} else if !slices.Equal(want, n.theta) {
				t.Errorf("%s: %d workers learn something else than one", s.Kind, workers)
			}
		}
	}
}

func TestRestoredTrainerGoesOn(t *testing.T) {
	s := specs()[1]
	s.Dropout = 0.3
	straight := made(t, s)
	tr := NewTrainer(straight, TrainOptions{Seed: 4})
	for step := range 8 {
		if step == 4 {
			st := tr.State()
			n := made(t, s)
			n.theta[0] = 9
			again := NewTrainer(n, TrainOptions{Seed: 4})
			if err := again.Restore(State{st.Step, slices.Clone(st.Params), slices.Clone(st.M), slices.Clone(st.V)}); err != nil {
				t.Fatal(err)
			}
			defer func() {
				for k := 4; k < 8; k++ {
					again.Step(problem(&s, 9, 20, uint64(k)))
				}
				if !slices.Equal(n.theta, straight.theta) {
					t.Error("a restored trainer learns something else")
				}
			}()
		}
		tr.Step(problem(&s, 9, 20, uint64(step)))
	}
	if err := tr.Restore(State{Step: 1}); err == nil {
		t.Error("a state of another net is taken")
	}
}

// stream runs a batch's sequence i through a stream.
func stream(n *Net, st Stream, b *Batch, i int) []float32 {
	var out []float32
	s, p := &n.Spec, make([]float32, n.Spec.Classes)
	for t := range b.T {
		r := t*b.B + i
		if st.Step(b.Dense[r*s.Dense:(r+1)*s.Dense], b.IDs[r*len(s.Embed):(r+1)*len(s.Embed)], p) {
			out = append(out, p...)
			if at := len(out)/s.Classes - 1 + st.Delay(); at != t {
				panic(fmt.Sprintf("the answer of step %d comes at step %d", len(out)/s.Classes-1, t))
			}
		}
	}
	for st.Flush(p) {
		out = append(out, p...)
	}
	return out
}

// A stream answers as the whole sequence at once does: LSTM and convolution everywhere; a BiLSTM near the end, where its
// look-ahead reaches the end, and nearly so before.
func TestStreamIsTheBatch(t *testing.T) {
	for _, s := range specs() {
		n := made(t, s)
		for _, length := range []int{1, 2, 5, 40, 64, 100, 203} {
			b := problem(&s, length, 3, 5)
			want := make([]float32, length*3*s.Classes)
			NewRunner(n, 1).Run(b, want)
			st := n.NewStream()
			for i := range 3 {
				got := stream(n, st, b, i)
				if len(got) != length*s.Classes {
					t.Fatalf("%s: %d answers for %d steps", s.Kind, len(got)/s.Classes, length)
				}
				for k := range length {
					limit := 1e-5
					if s.Kind == BiLSTM && length > lookAhead {
						limit = 1e-3 // what a random net still knows of 32 steps ahead
					}
					for c := range s.Classes {
						if d := math.Abs(float64(got[k*s.Classes+c] - want[(k*3+i)*s.Classes+c])); d > limit {
							t.Fatalf("%s, %d steps: step %d, class %d: %v off", s.Kind, length, k, c, d)
						}
					}
				}
			}
		}
	}
}

// A batch whose sequences are not fresh goes on from the state of the last.
func TestStateIsCarried(t *testing.T) {
	s := specs()[0]
	n := made(t, s)
	whole := problem(&s, 10, 3, 8)
	want := make([]float32, 10*3*s.Classes)
	NewRunner(n, 1).Run(whole, want)
	r := NewRunner(n, 1)
	for half := range 2 {
		part := NewBatch(&s, 5, 3)
		copy(part.Dense, whole.Dense[half*15*s.Dense:])
		copy(part.IDs, whole.IDs[half*15*len(s.Embed):])
		for i := range part.Fresh {
			part.Fresh[i] = half == 0
		}
		got := make([]float32, 15*s.Classes)
		r.Run(part, got)
		if !slices.Equal(got, want[half*15*s.Classes:][:len(got)]) {
			t.Errorf("half %d differs from the whole", half)
		}
	}
}

func TestStreamsAllocateNothing(t *testing.T) {
	all := specs()
	for i := range 2 * len(all) {
		s := all[i%len(all)]
		n := made(t, s)
		st := n.NewStream()
		if i >= len(all) {
			st = n.NewQuickStream()
		}
		dense, ids, p := make([]float32, s.Dense), make([]int32, len(s.Embed)), make([]float32, s.Classes)
		for range 200 {
			st.Step(dense, ids, p)
		}
		if a := testing.AllocsPerRun(200, func() { st.Step(dense, ids, p) }); a != 0 {
			t.Errorf("%s allocates %v times a step", s.Kind, a)
		}
	}
}

// A quick stream is nearly the exact one: outputs are rounded to a 4096th, weights to a 127th of a gate's largest.
func TestQuickStreamIsNearlyExact(t *testing.T) {
	const most = 1e-2 // of a probability
	for _, s := range []Spec{
		{Kind: LSTM, Dense: 7, Embed: []Embedding{{5, 3}, {4, 2}}, Units: 64, Layers: 3, Classes: 70},
		{Kind: LSTM, Dense: 4, Units: 16, Layers: 1, Classes: 3},
		{Kind: LSTM, Dense: 1, Embed: []Embedding{{5, 3}}, Units: 48, Layers: 2, Classes: 16},
	} {
		n := made(t, s)
		for i := range n.theta { // as sure of itself as a trained one
			n.theta[i] *= 2
		}
		n.pack()
		b := problem(&s, 300, 2, 5)
		for i := range b.Dense {
			b.Dense[i] *= 3
		}
		st := n.NewQuickStream()
		for i := range 2 {
			want, got := stream(n, n.NewStream(), b, i), stream(n, st, b, i)
			far := 0.0
			for k := range want {
				far = max(far, math.Abs(float64(got[k]-want[k])))
			}
			if far > most || far == 0 || len(got) != len(want) {
				t.Errorf("%d units, %d layers: probabilities are up to %v off", s.Units, s.Layers, far)
			}
			if again := stream(n, st, b, i); !slices.Equal(again, got) {
				t.Error("after Flush the stream is not as new")
			}
		}
	}
	for _, s := range specs()[1:3] {
		if _, ok := made(t, s).NewQuickStream().(*quick); ok {
			t.Errorf("%s has no quick stream", s.Kind)
		}
	}
}

// Weights as only a damaged file has them answer with numbers, too.
func TestWildWeightsAnswerWithNumbers(t *testing.T) {
	for _, s := range specs() {
		n := made(t, s)
		for i := range n.theta {
			n.theta[i] *= 1e37
		}
		n.pack()
		b := problem(&s, 40, 1, 5)
		for _, st := range []Stream{n.NewStream(), n.NewQuickStream()} {
			for _, p := range stream(n, st, b, 0) {
				if !(p >= 0 && p <= 1) {
					t.Fatalf("%s: a probability of %v", s.Kind, p)
				}
			}
		}
	}
}

func FuzzSpec(f *testing.F) {
	f.Add("lstm", 3, 16, 2, 5, 5, 3, 1)
	f.Add("conv", 1<<40, 1<<30, 2, 5, 5, 3, 1)
	f.Fuzz(func(t *testing.T, kind string, dense, units, layers, classes, vocab, dim, dilation int) {
		s := Spec{Kind: kind, Dense: dense, Units: units, Layers: layers, Classes: classes, Embed: []Embedding{{vocab, dim}}, Dilations: []int{dilation}}
		if s.Check() == nil && s.NumParams() > maxParams {
			t.Error("a shape without bounds is taken")
		}
	})
}
