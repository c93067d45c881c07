package neural

import (
	"context"
	"errors"
	"math/rand/v2"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/nn"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Corpus is the homes that a neural model learns from, about 60 bytes a packet, with rich inputs 100.
type Corpus struct {
	Meta    model.Meta
	Numbers int // inputs a packet
	Homes   []CorpusHome
}

// CorpusHome is one home's packets, all of them: those that do not count are still seen.
type CorpusHome struct {
	X     []float32
	Port  []uint16
	Size  []int32
	Class []int16 // −1 = does not count
}

// collectHomes reads data sets for a neural model.
func collectHomes(ctx context.Context, sets []*dataset.Dataset, o *Options, inputs string) (*Corpus, error) {
	h := NewHistory(inputs)
	c := &Corpus{Meta: model.Meta{Kind: o.Kind, ClassMode: o.Classes, Seed: o.Seed, Window: o.Window, Path: model.PathOf(sets)}, Numbers: h.Numbers()}
	c.Meta.Features = feature.Names()
	if inputs == InputsRich {
		c.Meta.Features = append(c.Meta.Features, RichNames()...)
	}
	counts, byLength := make(map[string]int), make(map[string]map[string]int)
	first := make(map[string]int16) // classes in the order of their coming; put in order below
	var names []string
	for _, d := range sets {
		at := -1
		for _, home := range d.Manifest.Homes {
			c.Meta.TrainedOn = append(c.Meta.TrainedOn, model.HomeID{ScenarioDigest: d.Manifest.ScenarioDigest, Seed: d.Manifest.Seed, Home: home.Home})
		}
		err := d.Rows(func(home int, r *dataset.Row) error {
			if home != at {
				at = home
				h.Reset()
				c.Homes = append(c.Homes, CorpusHome{})
			}
			k := &c.Homes[len(c.Homes)-1]
			n := len(k.X)
			k.X = append(k.X, make([]float32, c.Numbers)...)
			h.Step(&r.Observation, k.X[n:])
			k.Port, k.Size = append(k.Port, r.RemotePort), append(k.Size, feature.SizeOf(&r.Observation))
			if !model.IsScored(&d.Manifest, r) {
				k.Class = append(k.Class, -1)
				return ctx.Err()
			}
			name := model.ClassOf(&r.Label, o.Classes)
			i, ok := first[name]
			if !ok {
				i = int16(len(names))
				first[name], names = i, append(names, name)
				if len(names) > tree.MaxClasses {
					return errors.New("too many classes")
				}
			}
			k.Class = append(k.Class, i)
			c.Meta.Packets++
			counts[name]++
			key := model.LengthKey(&r.Observation)
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
	if c.Meta.Packets == 0 {
		return nil, errors.New("the data sets hold no packet of a device after the start-up: nothing to learn from")
	}
	if err := c.Meta.SetClasses(counts, byLength); err != nil {
		return nil, err
	}
	place := make([]int16, len(names))
	for i, name := range c.Meta.Classes {
		place[first[name]] = int16(i)
	}
	for k := range c.Homes {
		for i, class := range c.Homes[k].Class {
			if class >= 0 {
				c.Homes[k].Class[i] = place[class]
			}
		}
	}
	return c, nil
}

// Span is a stretch of a home's packets.
type Span struct{ Home, From, to int }

// split sets homes aside for validation.
func (c *Corpus) split(seed uint64) (train, valid []Span) {
	sizes := make([]int, len(c.Homes))
	for i := range sizes {
		sizes[i] = len(c.Homes[i].Class)
	}
	return SplitHomes(sizes, seed)
}

// SplitHomes sets homes of so many packets aside for validation: every sixth, at least one, drawn by the seed. Of a single home it is the
// last fifth of the packets.
func SplitHomes(sizes []int, seed uint64) (train, valid []Span) {
	all := make([]Span, len(sizes))
	for i := range all {
		all[i] = Span{i, 0, sizes[i]}
	}
	if len(all) == 1 {
		cut := all[0].to * 4 / 5
		return []Span{{0, 0, cut}}, []Span{{0, cut, all[0].to}}
	}
	rand.New(rand.NewPCG(seed, 0x76616c)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	n := max(len(all)/6, 1)
	return all[n:], all[:n]
}

// cutWindows cuts spans into windows of t packets, the first offset(span) packets left out; the last of a span may be shorter.
func cutWindows(spans []Span, t int, offset func() int) []Span {
	var out []Span
	for _, s := range spans {
		for at := s.From + offset(); at < s.to; at += t {
			out = append(out, Span{s.Home, at, min(at+t, s.to)})
		}
	}
	return out
}

// fill brings a window into a batch as sequence i; what is beyond its end does not count.
func (c *Corpus) fill(b *nn.Batch, i int, w Span, e *Encoder, weights []float32) {
	n, ids := c.Numbers, e.numIDs()
	for t := range b.T {
		r := t*b.B + i
		x, id := b.Dense[r*n:(r+1)*n], b.IDs[r*ids:(r+1)*ids]
		b.Weight[r], b.Class[r] = 0, 0
		if w.From+t >= w.to {
			clear(x)
			clear(id)
			continue
		}
		h, k := &c.Homes[w.Home], w.From+t
		copy(x, h.X[k*n:])
		e.normalise(x)
		e.ids(h.Port[k], h.Size[k], id)
		if class := h.Class[k]; class >= 0 {
			b.Class[r], b.Weight[r] = int32(class), weights[class]
		}
	}
}
