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

// lessonBook is what a detector learns from: novelties of packets, of devices that the model which spoke of them knew (0) or had not learned (1).
type lessonBook struct {
	x    []float32 // rows of numNovelties
	y    []uint8
	home []int32
}

// but is the book without the homes of some packets; nil where there is none, or too little is left.
func (b *lessonBook) but(packets []watched) *lessonBook {
	if b == nil {
		return nil
	}
	out := make(map[int32]bool)
	for i := range packets {
		out[packets[i].home] = true
	}
	less := &lessonBook{}
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

// learnStrangers trains a model without each class in turn, and lets it speak of homes that it has not learned from either, in which the class is:
// there it is a stranger, as a device is that nobody ever learned. packets tell in which of the homes held back the class is.
func learnStrangers(ctx context.Context, all []rehearsal, sets []*dataset.Dataset, packets []watched, limit int, without func(class int, v *validation) (model.Model, error)) (*lessonBook, error) {
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
	book := &lessonBook{}
	tables, totals := make([]*[novelty.NumLevels]census, len(all)), make([][]float64, len(all)) // of the homes that a fold does not hold back
	for c, n := range counts {
		k := c % len(all) // folds in turn, so that each is without the lessons of some
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

// add takes packets of which a model speaks that has not learned a class.
func (b *lessonBook) add(packets []watched, stranger, classes int) {
	counts, n := make([]int, classes), make([]int, classes)
	for i := range packets {
		if c := packets[i].class; c >= 0 {
			counts[c]++
		}
	}
	replay(packets, stranger, func(w *watched, x []float32) {
		if w.class < 0 || counts[w.class] < score.TooFew {
			return
		}
		most := unknownOther
		if int(w.class) == stranger {
			most = unknownClass
		}
		every := (counts[w.class] + most - 1) / most
		if n[w.class]++; n[w.class]%every != 0 {
			return
		}
		b.x, b.y, b.home = append(b.x, x...), append(b.y, uint8(stat.Indicator(int(w.class) == stranger))), append(b.home, w.home)
	})
}
