package train

import (
	"context"
	"slices"

	"glasshouse/classifier/model"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// noveltySamples are a detector's training data: novelties of packets of devices known (0) and unknown (1) to the model that labelled them.
type noveltySamples struct {
	x    []float32 // rows of numNovelties
	y    []uint8
	home []int32
}

// but returns the samples without the homes of some packets; nil if there are none, or too few are left.
func (b *noveltySamples) but(packets []watched) *noveltySamples {
	if b == nil {
		return nil
	}
	out := make(map[int32]bool)
	for i := range packets {
		out[packets[i].home] = true
	}
	less := &noveltySamples{}
	for i, h := range b.home {
		if !out[h] {
			less.x, less.y, less.home = append(less.x, b.x[i*novelty.NumNovelties:(i+1)*novelty.NumNovelties]...), append(less.y, b.y[i]), append(less.home, h)
		}
	}
	if len(less.y) < unknownLeast {
		return nil
	}
	return less
}

// leaveClassesOut trains a model without each class in turn and runs it on held-out homes that have the class, where its packets are those
// of an unknown device. packets show which held-out homes have the class.
func leaveClassesOut(ctx context.Context, all []rehearsal, sets []*dataset.Dataset, packets []watched, limit int, without func(class int, v *validation) (model.Model, error)) (*noveltySamples, error) {
	meta := all[0].m.Meta()
	fold := make(map[int32]int)
	for i, r := range all {
		for h := range r.held.homes {
			fold[int32(h)] = i
		}
	}
	counts := make([][]int, len(meta.Classes)) // by class and fold
	for c := range counts {
		counts[c] = make([]int, len(all))
	}
	for i := range packets {
		if c := packets[i].class; c >= 0 {
			counts[c][fold[packets[i].home]]++
		}
	}
	book := &noveltySamples{}
	tables, totals := make([]*[novelty.NumLevels]census, len(all)), make([][]float64, len(all)) // of the homes in training, by fold
	for c, n := range counts {
		k := c % len(all) // folds in turn, so that each lacks the samples of some
		for 2*n[k] < slices.Max(n) {
			k = (k + 1) % len(all)
		}
		if n[k] < score.TooFew {
			continue
		}
		v := all[k].held
		m, err := without(c, v)
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		if tables[k] == nil {
			if tables[k], totals[k], err = countSignatures(ctx, meta, sets, v); err != nil {
				return nil, err
			}
		}
		seen, err := watchHeldBack(ctx, rehearsal{m, v}, sets, tables[k], totals[k], limit)
		if err != nil {
			return nil, err
		}
		book.add(seen, c, len(meta.Classes))
	}
	return book.but(nil), nil
}

// add adds packets labelled by a model that was not trained on class unknown.
func (b *noveltySamples) add(packets []watched, unknown, classes int) {
	counts, n := make([]int, classes), make([]int, classes)
	for i := range packets {
		if c := packets[i].class; c >= 0 {
			counts[c]++
		}
	}
	replay(packets, unknown, func(w *watched, x []float32) {
		if w.class < 0 || counts[w.class] < score.TooFew {
			return
		}
		most := unknownOther
		if int(w.class) == unknown {
			most = unknownClass
		}
		every := (counts[w.class] + most - 1) / most
		if n[w.class]++; n[w.class]%every != 0 {
			return
		}
		b.x, b.y, b.home = append(b.x, x...), append(b.y, uint8(stat.Indicator(int(w.class) == unknown))), append(b.home, w.home)
	})
}
