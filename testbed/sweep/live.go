package sweep

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"glasshouse/classifier/feature"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/virtual"
)

// order is a home that is to be lived.
type order struct {
	scenario *scenarios.Scenario
	family   int // number of scenarios.Draw
	member   int // which of the family's homes
	number   int // among the point's homes, those that teach first
}

// sample is what is kept of a home: how many packets each class had, and the features of some, drawn at random.
type sample struct {
	family  int
	classes []classSample
	packets int64
	names   []string       // of far ends, by number
	ids     map[string]int // their numbers

	number int
	file   string  // what passed, for programs; "" = nobody wants it
	truth  []uint8 // class + 1 of each packet of it that counts, else 0, where programs learn from all
}

// name returns the number of a far end.
func (s *sample) name(name string) int {
	id, ok := s.ids[name]
	if !ok {
		id = len(s.names)
		s.ids[name] = id
		s.names = append(s.names, name)
	}
	return id
}

// classSample is the packets of one class.
type classSample struct {
	n    int       // that there were
	x    []float32 // rows of features of those that are kept
	far  []int     // and the numbers of their far ends
	at   []int64   // and their frames
	kept int
}

// row returns the features of a packet that is kept.
func (c *classSample) row(i int) []float32 { return c.x[i*width : (i+1)*width] }

// lives lives homes and samples their packets.
type lives struct {
	seed     uint64
	duration time.Duration
	classes  map[string]int // of a device; others are of the last class
	other    int
	keep     int    // packets kept of each class, at most
	wide     bool   // look at all that passes, not at the paper's numbers alone
	record   string // directory for what passes; "" = nobody wants it
	truth    bool   // keep the class of each packet
}

// all lives homes on some workers; samples come in the order of the homes. done is called after each, one at a time.
func (l *lives) all(ctx context.Context, orders []order, workers int, done func()) ([]*sample, error) {
	out := make([]*sample, len(orders))
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(max(workers, 1))
	var mu sync.Mutex
	for i := range orders {
		if running.Err() != nil {
			break
		}
		g.Go(func() error {
			s, err := l.one(running, orders[i])
			if err != nil {
				return fmt.Errorf("home %d: %w", orders[i].family, err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[i] = s
			done()
			return nil
		})
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return out, err
	}
	return out, context.Cause(ctx)
}

// one lives a home.
func (l *lives) one(ctx context.Context, o order) (*sample, error) {
	s := &sample{family: o.family, number: o.number, classes: make([]classSample, l.other+1), ids: make(map[string]int)}
	rec, err := newRecorder(l.record, s)
	if err != nil {
		return nil, err
	}
	var paper feature.Extractor
	var wan feature.WANReader
	var waiting queue
	r := rand.New(rand.NewPCG(l.seed, uint64(o.family)<<16|uint64(o.member)))
	start := o.scenario.Start.UnixNano() + int64(o.scenario.WarmUp)
	look := 0
	if l.wide && o.scenario.Path == scenarios.PathNAPT {
		look = namesWithin
	}
	s.packets, err = virtual.Witness(ctx, virtual.WitnessOptions{
		Scenario: o.scenario, Seed: l.seed, Home: o.family, Duration: l.duration, Look: look,
		OnTap: func(o *dataset.Observation, ip []byte) {
			p := waiting.push()
			if p.far = 0; l.wide {
				p.far = s.name(wan.Step(o, ip, p.x[:]))
			} else {
				paper.Step(o, p.x[:])
			}
		},
		OnRow: func(row *dataset.Row) {
			p := waiting.pop()
			rec.add(&row.Observation, p.far)
			counts := row.Owned() && row.TsNs >= start
			c, ok := l.classes[row.Device]
			if !ok {
				c = l.other
			}
			switch {
			case l.truth && counts:
				s.truth = append(s.truth, uint8(c)+1)
			case l.truth:
				s.truth = append(s.truth, 0)
			}
			if counts {
				s.classes[c].add(p, row.Frame, l.keep, r)
			}
		},
	})
	if e := rec.close(); err == nil {
		err = e
	}
	return s, err
}

// namesWithin is how many bytes of a frame hold the names in it: DNS messages and ClientHellos here are shorter.
const namesWithin = 600

// add takes a packet, of which it keeps each with the same chance (reservoir sampling, Vitter's algorithm R).
func (c *classSample) add(p *seen, frame int64, keep int, r *rand.Rand) {
	c.n++
	if c.kept < keep {
		c.kept++
		c.x, c.far, c.at = append(c.x, p.x[:]...), append(c.far, p.far), append(c.at, frame)
		return
	}
	if i := r.IntN(c.n); i < keep {
		copy(c.row(i), p.x[:])
		c.far[i], c.at[i] = p.far, frame
	}
}

// seen is what an observer has of a packet: features, and the number of its far end.
type seen struct {
	x   [width]float32
	far int
}

const width = feature.NumWANFeatures

// queue holds packets that have passed the tap and have no row yet. First in, first out.
type queue struct {
	ring        []seen
	first, last int // numbers of packets
}

// push returns room for the next packet, until it is popped.
func (q *queue) push() *seen {
	if q.last-q.first == len(q.ring) {
		wider := make([]seen, max(2*len(q.ring), 64))
		for i := q.first; i < q.last; i++ {
			wider[i%len(wider)] = q.ring[i%len(q.ring)]
		}
		q.ring = wider
	}
	q.last++
	return &q.ring[(q.last-1)%len(q.ring)]
}

// pop returns the first packet, until the next push.
func (q *queue) pop() *seen {
	q.first++
	return &q.ring[(q.first-1)%len(q.ring)]
}
