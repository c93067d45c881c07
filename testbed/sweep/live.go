package sweep

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"glasshouse/classifier"
	"glasshouse/scenarios"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
)

// order is a home that is to be lived.
type order struct {
	scenario *scenarios.Scenario
	family   int // number of scenarios.Draw
	member   int // which of the family's homes
}

// sample is what is kept of a home: how many packets each class had, and the features of some, drawn at random.
type sample struct {
	family  int
	classes []classSample
	packets int64
}

// classSample is the packets of one class.
type classSample struct {
	n    int       // that there were
	x    []float32 // rows of features of those that are kept
	kept int
}

// row returns the features of a packet that is kept.
func (c *classSample) row(i, features int) []float32 { return c.x[i*features : (i+1)*features] }

// lives lives homes and samples their packets.
type lives struct {
	seed     uint64
	duration time.Duration
	classes  map[string]int // of a device; others are of the last class
	other    int
	keep     int // packets kept of each class, at most
}

// all lives homes on some workers; samples come in the order of the homes. done is called after each, one at a time.
func (l *lives) all(ctx context.Context, orders []order, workers int, done func()) ([]*sample, error) {
	out := make([]*sample, len(orders))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range min(max(workers, 1), len(orders)) {
		wg.Go(func() {
			for i := range next {
				s, err := l.one(ctx, orders[i])
				if err != nil {
					cancel(fmt.Errorf("home %d: %w", orders[i].family, err))
					continue
				}
				mu.Lock()
				out[i] = s
				done()
				mu.Unlock()
			}
		})
	}
	for i := range orders {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return out, context.Cause(ctx)
}

// one lives a home.
func (l *lives) one(ctx context.Context, o order) (*sample, error) {
	s := &sample{family: o.family, classes: make([]classSample, l.other+1)}
	var e classifier.Extractor
	var waiting features
	r := rand.New(rand.NewPCG(l.seed, uint64(o.family)<<16|uint64(o.member)))
	start := o.scenario.Start.UnixNano() + int64(o.scenario.WarmUp)
	var err error
	s.packets, err = testbed.Witness(ctx, testbed.WitnessOptions{
		Scenario: o.scenario, Seed: l.seed, Home: o.family, Duration: l.duration,
		OnTap: func(o *dataset.Observation, _ []byte) { e.Step(o, waiting.push()) },
		OnRow: func(row *dataset.Row) {
			x := waiting.pop()
			if !row.Owned() || row.TsNs < start {
				return
			}
			c, ok := l.classes[row.Device]
			if !ok {
				c = l.other
			}
			s.classes[c].add(x, l.keep, r)
		},
	})
	return s, err
}

// add takes a packet, of which it keeps each with the same chance (reservoir sampling, Vitter's algorithm R).
func (c *classSample) add(x []float32, keep int, r *rand.Rand) {
	c.n++
	if c.kept < keep {
		c.kept++
		c.x = append(c.x, x...)
		return
	}
	if i := r.IntN(c.n); i < keep {
		copy(c.row(i, len(x)), x)
	}
}

// features are those of packets that have passed the tap and have no row yet. First in, first out.
type features struct {
	ring        [][width]float32
	first, last int // numbers of packets
}

const width = classifier.NumFeatures

// push returns room for the features of the next packet, until it is popped.
func (f *features) push() []float32 {
	if f.last-f.first == len(f.ring) {
		wider := make([][width]float32, max(2*len(f.ring), 64))
		for i := f.first; i < f.last; i++ {
			wider[i%len(wider)] = f.ring[i%len(f.ring)]
		}
		f.ring = wider
	}
	f.last++
	return f.ring[(f.last-1)%len(f.ring)][:]
}

// pop returns the features of the first packet, until the next push.
func (f *features) pop() []float32 {
	f.first++
	return f.ring[(f.first-1)%len(f.ring)][:]
}
