package tree

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"glasshouse/classifier/exact"
)

// BoostOptions shape gradient-boosted trees; zero values mean the defaults.
type BoostOptions struct {
	Rounds int     // 60; a tree a class each
	Leaves int     // 31 a tree
	Rate   float64 // learning rate; 0.15
	// MinHessian is the least sum of p(1-p) of a leaf; 0 = a quarter of ForestOptions.MinLeaf's default, which is what as many
	// packets have that could as well be of the class as not.
	MinHessian float64
	Workers    int // 1
	Seed       uint64
	Progress   func(done, of int)
}

// DefaultRounds is how many rounds there are by default.
const DefaultRounds = 60

// lambda is the weight of the L2 penalty on leaves, in units of hessian.
const lambda = 1

// Boost is gradient-boosted trees for the softmax of the classes (Friedman 2001, with the second-order leaves of Chen and
// Guestrin 2016): tree r*classes+c adds to the score of class c.
type Boost struct {
	Base  []float32 // of each class: logarithm of its share
	Trees []Tree
}

// GrowBoost trains on a table. Sums of gradients are integers, so that their order does not matter, and the logarithms and
// exponentials are our own: the same trees for any number of workers, on any processor.
func GrowBoost(ctx context.Context, t *table, o BoostOptions) (*Boost, error) {
	OrDefault(&o.Rounds, DefaultRounds)
	OrDefault(&o.Leaves, 31)
	if o.Rate <= 0 {
		o.Rate = 0.15
	}
	if o.MinHessian <= 0 {
		o.MinHessian = float64(smallestLeaf(t.n)) / 4
	}
	m := &Boost{Base: make([]float32, t.classes), Trees: make([]Tree, o.Rounds*t.classes)}
	counts := make([]int, t.classes)
	for _, c := range t.y {
		counts[c]++
	}
	for c, n := range counts {
		m.Base[c] = float32(exact.Log(max(float64(n), 0.5) / float64(t.n)))
	}
	score := make([]float32, t.n*t.classes) // a row's together
	for i := range t.n {
		copy(score[i*t.classes:], m.Base)
	}
	probs := make([]float32, len(score))
	free := make(chan *booster, max(o.Workers, 1)) // what the workers of one round leave to the next
	for round := range o.Rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		const block = 4096
		Parallel((t.n+block-1)/block, o.Workers, func() func(int) {
			return func(k int) {
				for i := k * block; i < min((k+1)*block, t.n); i++ {
					softmax(score[i*t.classes:][:t.classes], probs[i*t.classes:][:t.classes])
				}
			}
		})
		Parallel(t.classes, o.Workers, func() func(int) {
			return func(c int) {
				var g *booster
				select {
				case g = <-free:
				default:
					g = newBooster(t, &o)
				}
				m.Trees[round*t.classes+c] = g.grow(c, round, probs, score)
				free <- g
			}
		})
		if o.Progress != nil {
			o.Progress(round+1, o.Rounds)
		}
	}
	return m, nil
}

// Predict writes the probabilities of the classes to probs. It allocates nothing.
func (m *Boost) Predict(x, probs []float32) {
	copy(probs, m.Base)
	classes := len(m.Base)
	for i := 0; i < len(m.Trees); i += classes {
		for c := range classes {
			t := &m.Trees[i+c]
			probs[c] += t.Values[t.leaf(x)]
		}
	}
	softmax(probs, probs)
}

// Marshal writes what UnmarshalBoost reads.
func (m *Boost) Marshal() []byte { return MarshalTrees(AppendFloats(nil, m.Base), m.Trees) }

// UnmarshalBoost reads boosted trees over so many features and classes; an error is an ErrNotModel.
func UnmarshalBoost(b []byte, features, classes int) (*Boost, error) {
	m := &Boost{Base: make([]float32, classes)}
	if len(b) < 4*classes {
		return nil, fmt.Errorf("%w: boosted trees cut short", ErrNotModel)
	}
	for c := range m.Base {
		m.Base[c] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*c:]))
		if !sensible(m.Base[c]) {
			return nil, fmt.Errorf("%w: boosted trees that begin at %v", ErrNotModel, m.Base[c])
		}
	}
	trees, rest, err := UnmarshalTrees(b[4*classes:], features, 1)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 || len(trees)%classes != 0 {
		return nil, fmt.Errorf("%w: %d boosted trees for %d classes, and %d bytes", ErrNotModel, len(trees), classes, len(rest))
	}
	m.Trees = trees
	return m, nil
}

// softmax writes the softmax of scores to probs, which may be the same.
func softmax(scores, probs []float32) {
	top := scores[0]
	for _, s := range scores {
		top = max(top, s)
	}
	sum := float32(0)
	for c, s := range scores {
		e := float32(exact.Exp(float64(s - top)))
		probs[c] = e
		sum += e
	}
	for c := range probs {
		probs[c] /= sum
	}
}

// CalibrateBoost makes the scores of boosted trees smaller by a temperature.
func CalibrateBoost(m *Boost, temperature float64) {
	scale := func(v []float32) {
		for i := range v {
			v[i] = float32(float64(v[i]) / temperature)
		}
	}
	scale(m.Base)
	for i := range m.Trees {
		scale(m.Trees[i].Values)
	}
}
