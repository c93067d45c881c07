package classifier

import (
	"context"
	"errors"
	"math/rand/v2"

	"glasshouse/classifier/nn"
	"glasshouse/testbed/dataset"
)

// corpus is the homes that a neural model learns from, about 60 bytes a packet, with rich inputs 100.
type corpus struct {
	meta    Meta
	numbers int // inputs a packet
	homes   []corpusHome
}

// corpusHome is one home's packets, all of them: those that do not count are still seen.
type corpusHome struct {
	x     []float32
	port  []uint16
	size  []int32
	class []int16 // −1 = does not count
}

// collectHomes reads data sets for a neural model.
func collectHomes(ctx context.Context, sets []*dataset.Dataset, o *NeuralOptions, inputs string) (*corpus, error) {
	h := newHistory(inputs)
	c := &corpus{meta: Meta{Kind: o.Kind, ClassMode: o.Classes, Seed: o.Seed, Window: o.Window, Path: pathOf(sets)}, numbers: h.numbers()}
	c.meta.Features = FeatureNames()
	if inputs == inputsRich {
		c.meta.Features = append(c.meta.Features, richNames()...)
	}
	counts, byLength := make(map[string]int), make(map[string]map[string]int)
	first := make(map[string]int16) // classes in the order of their coming; put in order below
	var names []string
	for _, d := range sets {
		at := -1
		for _, home := range d.Manifest.Homes {
			c.meta.TrainedOn = append(c.meta.TrainedOn, HomeID{d.Manifest.ScenarioDigest, d.Manifest.Seed, home.Home})
		}
		err := d.Rows(func(home int, r *dataset.Row) error {
			if home != at {
				at = home
				h.reset()
				c.homes = append(c.homes, corpusHome{})
			}
			k := &c.homes[len(c.homes)-1]
			n := len(k.x)
			k.x = append(k.x, make([]float32, c.numbers)...)
			h.step(&r.Observation, k.x[n:])
			k.port, k.size = append(k.port, r.RemotePort), append(k.size, sizeOf(&r.Observation))
			if !scored(&d.Manifest, r) {
				k.class = append(k.class, -1)
				return ctx.Err()
			}
			name := classOf(&r.Label, o.Classes)
			i, ok := first[name]
			if !ok {
				i = int16(len(names))
				first[name], names = i, append(names, name)
				if len(names) > maxClasses {
					return errors.New("too many classes")
				}
			}
			k.class = append(k.class, i)
			c.meta.Packets++
			counts[name]++
			key := lengthKey(&r.Observation)
			if byLength[key] == nil {
				byLength[key] = make(map[string]int)
			}
			byLength[key][name]++
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	if c.meta.Packets == 0 {
		return nil, errors.New("the data sets hold no packet of a device after the start-up: nothing to learn from")
	}
	if err := c.meta.know(counts, byLength); err != nil {
		return nil, err
	}
	place := make([]int16, len(names))
	for i, name := range c.meta.Classes {
		place[first[name]] = int16(i)
	}
	for k := range c.homes {
		for i, class := range c.homes[k].class {
			if class >= 0 {
				c.homes[k].class[i] = place[class]
			}
		}
	}
	return c, nil
}

// span is a stretch of a home's packets.
type span struct{ home, from, to int }

// split sets homes aside for validation.
func (c *corpus) split(seed uint64) (train, valid []span) {
	sizes := make([]int, len(c.homes))
	for i := range sizes {
		sizes[i] = len(c.homes[i].class)
	}
	return splitHomes(sizes, seed)
}

// splitHomes sets homes of so many packets aside for validation: every sixth, at least one, drawn by the seed. Of a single home it is the
// last fifth of the packets.
func splitHomes(sizes []int, seed uint64) (train, valid []span) {
	all := make([]span, len(sizes))
	for i := range all {
		all[i] = span{i, 0, sizes[i]}
	}
	if len(all) == 1 {
		cut := all[0].to * 4 / 5
		return []span{{0, 0, cut}}, []span{{0, cut, all[0].to}}
	}
	rand.New(rand.NewPCG(seed, 0x76616c)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	n := max(len(all)/6, 1)
	return all[n:], all[:n]
}

// cutWindows cuts spans into windows of t packets, the first offset(span) packets left out; the last of a span may be shorter.
func cutWindows(spans []span, t int, offset func() int) []span {
	var out []span
	for _, s := range spans {
		for at := s.from + offset(); at < s.to; at += t {
			out = append(out, span{s.home, at, min(at+t, s.to)})
		}
	}
	return out
}

// fill brings a window into a batch as sequence i; what is beyond its end does not count.
func (c *corpus) fill(b *nn.Batch, i int, w span, e *encoder, weights []float32) {
	n, ids := c.numbers, e.numIDs()
	for t := range b.T {
		r := t*b.B + i
		x, id := b.Dense[r*n:(r+1)*n], b.IDs[r*ids:(r+1)*ids]
		b.Weight[r], b.Class[r] = 0, 0
		if w.from+t >= w.to {
			clear(x)
			clear(id)
			continue
		}
		h, k := &c.homes[w.home], w.from+t
		copy(x, h.x[k*n:])
		e.normalise(x)
		e.ids(h.port[k], h.size[k], id)
		if class := h.class[k]; class >= 0 {
			b.Class[r], b.Weight[r] = int32(class), weights[class]
		}
	}
}
