package train

import (
	"context"
	"math"
	"slices"

	"glasshouse/classifier/exact"
	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// DefaultFalseUnknown is the share of known packets that may be called unknown, unless told otherwise.
const DefaultFalseUnknown = 0.05

const (
	unknownMost  = 200_000 // packets of the homes held back that a detector is made from at most
	unknownClass = 2000    // of these, from each class, known and taken away
	unknownOther = 300     // of these, from each other class, by a model that has not learned one
	unknownLeast = 500
	leastForOwn  = 200 // packets taken for a class that has a threshold of its own
)

// census counts the signatures of one level by class.
type census struct {
	row    map[uint64]int
	counts []uint32
}

// watched is a packet of the homes held back, as a detector is made from it.
type watched struct {
	novelty.Glance
	class  int32 // -1: does not count
	best   [novelty.NumLevels]int16
	second [novelty.NumLevels]float32 // the share in the class that comes second
	home   int32
	fresh  bool // the first of its home
	probs  []float32
}

// findUnknown makes a detector for a model, from models like it, each of which has not learned from the homes that it judges. without trains one
// more that has not learned a class either: what packets of strangers look like is then learned from such models, too, and not only from those that
// have, by taking the class away from what they say.
func findUnknown(ctx context.Context, all []rehearsal, sets []*dataset.Dataset, rate float64, workers int, without func(class int, v *validation) (model.Model, error)) (*novelty.Unknown, error) {
	meta := all[0].m.Meta()
	classes := len(meta.Classes)
	u := &novelty.Unknown{Rate: rate, Levels: make([]novelty.Signature, novelty.NumLevels), Thresholds: make([]float32, classes)}
	homes := 0
	for _, r := range all {
		homes += len(r.held.homes)
	}
	var packets []watched
	for _, r := range all {
		tables, total, err := countSignatures(ctx, meta, sets, r.held)
		if err != nil {
			return nil, err
		}
		some, err := watchHeldBack(ctx, r, sets, tables, total, unknownMost/homes)
		if err != nil {
			return nil, err
		}
		packets = append(packets, some...)
		if len(all) == 1 {
			keepSignatures(u, tables, total)
		}
	}
	if len(all) > 1 { // the homes all taught the model
		tables, total, err := countSignatures(ctx, meta, sets, &validation{})
		if err != nil {
			return nil, err
		}
		keepSignatures(u, tables, total)
	}
	u.Homes = homes
	if len(packets) < 2 {
		return nil, nil
	}
	var strange *lessonBook
	if without != nil && homes > 1 {
		var err error
		if strange, err = learnStrangers(ctx, all, sets, packets, unknownMost/homes, without); err != nil {
			return nil, err
		}
	}
	parts, from := apart(packets)
	scores := make([]float32, len(packets))
	for i, part := range parts { // each part judged by what the others teach
		var others []watched
		for k, p := range parts {
			if k != i || len(parts) == 1 {
				others = append(others, p...)
			}
		}
		judge, err := growJudge(ctx, strange.but(part), others, classes, workers)
		if err != nil || judge == nil {
			return nil, err
		}
		at := from[i]
		var p [2]float32
		replay(part, -1, func(_ *watched, x []float32) {
			judge.Predict(x, p[:])
			scores[at] = p[1]
			at++
		})
	}
	setThresholds(u, packets, scores, meta.WindowPackets())
	judge, err := growJudge(ctx, strange, packets, classes, workers)
	if err != nil || judge == nil {
		return nil, err
	}
	u.SetTrees(judge)
	return u, nil
}

// growJudge learns how signs of the new count together: from packets by taking classes away, and from the lessons of models that have not learned
// a class, if there are any; nil where there are too few.
func growJudge(ctx context.Context, book *lessonBook, packets []watched, classes, workers int) (*tree.Boost, error) {
	x, y := lessons(packets, classes, workers)
	if book != nil {
		x, y = append(x, book.x...), append(y, book.y...)
	}
	if len(y) < unknownLeast {
		return nil, ctx.Err()
	}
	return tree.GrowBoost(ctx, tree.NewTable(x, y, 2, workers), tree.BoostOptions{Rounds: 40, Leaves: 12, Rate: 0.15, MinHessian: float64(len(y)) / 1000, Workers: workers})
}

// apart parts packets into up to three parts, by home; those of one home into halves.
func apart(packets []watched) (parts [][]watched, from []int) {
	var starts []int
	for i := range packets {
		if packets[i].fresh {
			starts = append(starts, i)
		}
	}
	if len(starts) < 2 {
		packets[len(packets)/2].fresh = true
		starts = []int{0, len(packets) / 2}
	}
	n := min(3, len(starts))
	for i := range n {
		to := len(packets)
		if i+1 < n {
			to = starts[(i+1)*len(starts)/n]
		}
		from = append(from, starts[i*len(starts)/n])
		parts = append(parts, packets[from[i]:to])
	}
	return parts, from
}

// countSignatures counts what is common in the homes that teach.
func countSignatures(ctx context.Context, meta *model.Meta, sets []*dataset.Dataset, v *validation) (*[novelty.NumLevels]census, []float64, error) {
	classes := len(meta.Classes)
	tables, total := &[novelty.NumLevels]census{}, make([]float64, classes)
	for i := range tables {
		tables[i].row = make(map[uint64]int)
	}
	home := -1
	for _, d := range sets {
		at := -1
		var s novelty.Signatures
		err := d.Rows(func(h int, r *dataset.Row) error {
			if h != at {
				at, s = h, novelty.Signatures{}
				home++
			}
			var keys [novelty.NumLevels]uint64
			s.Step(&r.Observation, &keys)
			class := slices.Index(meta.Classes, model.ClassOf(&r.Label, meta.ClassMode))
			if class < 0 || v.holds(home, r.Frame) || !model.IsScored(&d.Manifest, r) {
				return ctx.Err()
			}
			total[class]++
			for i, k := range keys {
				t := &tables[i]
				row, ok := t.row[k]
				if !ok {
					row = len(t.counts)
					t.row[k] = row
					t.counts = append(t.counts, make([]uint32, classes)...)
				}
				t.counts[row+class]++
			}
			return ctx.Err()
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return tables, total, nil
}

// keepSignatures keeps the tables for a model.
func keepSignatures(u *novelty.Unknown, tables *[novelty.NumLevels]census, total []float64) {
	for i := range tables {
		u.Levels[i] = tables[i].keep(total)
	}
}

// best gives the class in which a signature is commonest, its share there as a logarithm, and that in the class that comes second.
func (t *census) best(key uint64, total []float64) (class int16, first, second float32) {
	class, first, second = -1, novelty.RareLog, novelty.RareLog
	row, ok := t.row[key]
	if !ok {
		return class, first, second
	}
	for c, n := range t.counts[row : row+len(total)] {
		if n == 0 {
			continue
		}
		v := float32(max(exact.LogFast(float64(n)/(total[c]+100)), novelty.RareLog)) // a hundred packets more: small classes say little
		switch {
		case v > first || class < 0:
			class, first, second = int16(c), v, first
		case v > second:
			second = v
		}
	}
	return class, first, second
}

// keep gives the table that goes into a model: keys in order.
func (t *census) keep(total []float64) novelty.Signature {
	keys := make([]uint64, 0, len(t.row))
	for k := range t.row {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var s novelty.Signature
	for _, k := range keys {
		_, v, _ := t.best(k, total)
		s.Add(k, v)
	}
	return s
}

// watchHeldBack gives the packets of the homes held back with what the judge says of them; of each home the first ones, limit of them.
func watchHeldBack(ctx context.Context, judge rehearsal, sets []*dataset.Dataset, tables *[novelty.NumLevels]census, total []float64, limit int) ([]watched, error) {
	meta, v := judge.m.Meta(), judge.held
	var out []watched
	var s novelty.Signatures
	at, taken := -1, 0
	var l *model.Labeller[watched]
	l = model.NewLabeller(judge.m, func(w watched, _ string, _ float32) error {
		w.probs = slices.Clone(l.Probs())
		out = append(out, w)
		return nil
	})
	err := v.each(ctx, sets, func(home int, r *dataset.Row, counts bool) error {
		w := watched{class: -1, home: int32(home)}
		if home != at {
			at, taken, s, w.fresh = home, 0, novelty.Signatures{}, true
		}
		if v.after == 0 || r.Frame > v.after {
			taken++
		}
		if taken > limit {
			return nil
		}
		var keys [novelty.NumLevels]uint64
		s.Step(&r.Observation, &keys)
		w.Flow, w.Size = feature.HashRemote(&r.Observation), feature.SizeOf(&r.Observation)
		for i, k := range keys {
			w.best[i], w.Level[i], w.second[i] = tables[i].best(k, total)
		}
		if counts {
			w.class = int32(slices.Index(meta.Classes, model.ClassOf(&r.Label, meta.ClassMode)))
		}
		return l.Step(&r.Observation, w)
	}, l.Flush)
	return out, err
}

// replay gives the packets' novelties; a class, unless it is below 0, is taken away from what is known.
func replay(packets []watched, without int, yield func(w *watched, x []float32)) {
	n := novelty.NewNovelties()
	var x [novelty.NumNovelties]float32
	var probs []float32
	for i := range packets {
		w := &packets[i]
		if w.fresh {
			n = novelty.NewNovelties()
		}
		g, p := w.Glance, w.probs
		if without >= 0 {
			for k, c := range w.best {
				if int(c) == without {
					g.Level[k] = w.second[k]
				}
			}
			probs = append(probs[:0], p...)
			rest := max(1-probs[without], 1e-6)
			probs[without] = 0
			for c := range probs {
				probs[c] = min(probs[c]/rest, 1)
			}
			p = probs
		}
		n.Step(&g, p, x[:])
		yield(w, x[:])
	}
}

// lessons are packets of each class as they look where it is known, and as they look where it is not.
func lessons(packets []watched, classes, workers int) (x []float32, y []uint8) {
	counts := make([]int, classes)
	for i := range packets {
		if c := packets[i].class; c >= 0 {
			counts[c]++
		}
	}
	every := func(c int32) int { return (counts[c] + unknownClass - 1) / unknownClass }
	parts := make([][]float32, classes+1)
	tree.Parallel(classes+1, workers, func() func(int) {
		return func(k int) {
			seen := make([]int, classes)
			if k < classes && counts[k] < score.TooFew {
				return
			}
			replay(packets, k-stat.Indicator(k == classes)*(classes+1), func(w *watched, in []float32) {
				if w.class < 0 || k < classes && int(w.class) != k || counts[w.class] < score.TooFew {
					return
				}
				if seen[w.class]++; seen[w.class]%every(w.class) == 0 {
					parts[k] = append(parts[k], in...)
				}
			})
		}
	})
	for k, part := range parts {
		x = append(x, part...)
		for range len(part) / novelty.NumNovelties {
			y = append(y, uint8(stat.Indicator(k < classes)))
		}
	}
	return x, y
}

// setThresholds sets the thresholds by the novelties of packets.
func setThresholds(u *novelty.Unknown, packets []watched, scores []float32, window int) {
	var all, windows []float32
	byGuess := make([][]float32, len(u.Thresholds))
	open := make([]float32, 0, window)
	for i := range packets {
		w, v := &packets[i], scores[i]
		if w.fresh {
			open = open[:0]
		}
		if open = append(open, v); len(open) == window {
			windows = append(windows, novelty.WindowNovelty(open))
			open = open[:0]
		}
		if w.class < 0 {
			continue
		}
		u.Packets++
		all = append(all, v)
		g := stat.Argmax(w.probs)
		byGuess[g] = append(byGuess[g], v)
	}
	general := conformal(all, u.Rate)
	for c, v := range byGuess {
		if u.Thresholds[c] = general; len(v) >= leastForOwn {
			u.Thresholds[c] = conformal(v, u.Rate)
		}
	}
	u.Window = conformal(windows, u.Rate)
}

// conformal is the value that a further draw exceeds with a probability of at most rate; 1, which nothing exceeds, of too few.
func conformal(v []float32, rate float64) float32 {
	slices.Sort(v)
	i := int(math.Ceil(float64(float64(len(v)+1)*(1-rate)))) - 1
	if i >= len(v) {
		return 1
	}
	return v[max(i, 0)]
}
