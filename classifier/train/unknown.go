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

// DefaultFalseUnknown is the default share of known packets that are labelled unknown.
const DefaultFalseUnknown = 0.05

const (
	unknownMost  = 200_000 // most packets of held-out homes that a detector is fitted on
	unknownClass = 2000    // of these, from each class, both as known and as left out
	unknownOther = 300     // of these, from each other class, labelled by a model without a class
	unknownLeast = 500
	leastForOwn  = 200 // packets predicted as a class for it to have its own threshold
)

// census counts the signatures of one level by class.
type census struct {
	row    map[uint64]int
	counts []uint32
}

// watched is a packet of a held-out home, for fitting a detector.
type watched struct {
	novelty.Glance
	class  int32 // -1: not scored
	best   [novelty.NumLevels]int16
	second [novelty.NumLevels]float32 // the share in the second most common class
	home   int32
	fresh  bool // the first of its home
	probs  []float32
}

// findUnknown fits a detector for a model on smaller models like it, each applied to its held-out homes. without trains another one without a
// class: packets of unknown devices are then taken from such models, too, and not only from models with the class, whose probabilities and
// signatures of the class are removed.
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
	if len(all) > 1 { // the model was trained on all homes
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
	var strange *noveltySamples
	if without != nil && homes > 1 {
		var err error
		if strange, err = leaveClassesOut(ctx, all, sets, packets, unknownMost/homes, without); err != nil {
			return nil, err
		}
	}
	parts, from := apart(packets)
	scores := make([]float32, len(packets))
	for i, part := range parts { // each part is scored by a detector fitted on the others
		var others []watched
		for k, p := range parts {
			if k != i || len(parts) == 1 {
				others = append(others, p...)
			}
		}
		judge, err := growDetector(ctx, strange.but(part), others, classes, workers)
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
	judge, err := growDetector(ctx, strange, packets, classes, workers)
	if err != nil || judge == nil {
		return nil, err
	}
	u.SetTrees(judge)
	return u, nil
}

// growDetector trains the trees that combine the novelties: on packets with classes removed, and on samples of models without a class, if
// any; nil if there are too few.
func growDetector(ctx context.Context, book *noveltySamples, packets []watched, classes, workers int) (*tree.Boost, error) {
	x, y := lessons(packets, classes, workers)
	if book != nil {
		x, y = append(x, book.x...), append(y, book.y...)
	}
	if len(y) < unknownLeast {
		return nil, ctx.Err()
	}
	return tree.GrowBoost(ctx, tree.NewTable(x, y, 2, workers), tree.BoostOptions{Rounds: 40, Leaves: 12, Rate: 0.15, MinHessian: float64(len(y)) / 1000, Workers: workers})
}

// apart splits packets by home into up to three parts; those of a single home into halves.
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

// countSignatures counts the signatures in the training homes.
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

// keepSignatures stores the tables in a detector.
func keepSignatures(u *novelty.Unknown, tables *[novelty.NumLevels]census, total []float64) {
	for i := range tables {
		u.Levels[i] = tables[i].keep(total)
	}
}

// best returns the class in which a signature is most common, and the logarithms of its shares in that class and in the second.
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
		v := float32(max(exact.LogFast(float64(n)/(total[c]+100)), novelty.RareLog)) // 100 pseudo-packets lower the shares of small classes
		switch {
		case v > first || class < 0:
			class, first, second = int16(c), v, first
		case v > second:
			second = v
		}
	}
	return class, first, second
}

// keep returns the table for a model, with sorted keys.
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

// watchHeldBack returns the first limit packets of each held-out home with the model's probabilities.
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

// replay yields the packets' novelties; unless without is negative, that class is removed from what is known.
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

// lessons returns novelties of packets of each class, with the class known (0) and with the class removed (1).
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

// setThresholds sets the thresholds from the novelties of packets.
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

// conformal returns the value that a further draw exceeds with probability rate at most; 1, the maximum, if there are too few values.
func conformal(v []float32, rate float64) float32 {
	slices.Sort(v)
	i := int(math.Ceil(float64(float64(len(v)+1)*(1-rate)))) - 1
	if i >= len(v) {
		return 1
	}
	return v[max(i, 0)]
}
