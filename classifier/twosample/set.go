package twosample

import (
	"cmp"
	"context"
	"slices"

	"glasshouse/classifier/tree"
)

// windows are the samples of a two-sample test: a row of features for each window of consecutive packets.
type windows struct {
	size  int
	width int // features per window, ranks included
	names []string
	known map[[2]int32]int // index of a (direction, length) that is common over both sides
	x     []float32        // row-major
	side  []uint8
	fold  []int
	buf   windowBuffers
}

// windowBuffers are reused from window to window.
type windowBuffers struct {
	gaps    []float32 // log10 s before each packet
	sorted  []float32
	lengths [2][]float32
	rounded []int64
}

// commonLengths is the number of (direction, length) pairs with a count of their own.
const commonLengths = 64

// newWindows returns an empty set. The common lengths are counted over both sides.
func newWindows(size int, sides ...[]Run) *windows {
	count := make(map[[2]int32]int)
	for _, runs := range sides {
		for _, r := range runs {
			for _, p := range r.Packets {
				count[[2]int32{int32(p.Dir), p.Length}]++
			}
		}
	}
	pairs := make([][2]int32, 0, len(count))
	for k := range count {
		pairs = append(pairs, k)
	}
	slices.SortFunc(pairs, func(a, b [2]int32) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	w := &windows{size: size, known: make(map[[2]int32]int)}
	for i, p := range pairs[:min(len(pairs), commonLengths)] {
		w.known[p] = i
	}
	w.names = w.nameFeatures(pairs)
	w.width = 2*len(w.names) - 2*size
	return w
}

func (w *windows) n() int { return len(w.side) }

// addFold adds the runs of a fold.
func (w *windows) addFold(fold int, runs [2][]Run, stride int) {
	h, t := collectHabits(runs), collectTwins(runs)
	n := 0
	for side := range runs {
		for _, r := range runs[side] {
			h.follow(r.Packets)
			t.follow(r.Packets, n)
			w.add(r, h, t, side, fold, stride)
			n++
		}
	}
	w.rank(fold)
}

// add cuts a run into windows. The first packet of a run has no interval; it is only used for the second's.
func (w *windows) add(r Run, h *habits, t *twins, side, fold, stride int) {
	for at := 1; at+w.size <= len(r.Packets); at += stride {
		w.x = w.describe(w.x, r.Packets[at-1:at+w.size])
		w.x = means(w.x, h.measures, at, w.size)
		w.x = means(w.x, t.measures, at, w.size)
		w.x = append(w.x, make([]float32, len(w.names)-2*w.size)...)
		w.side, w.fold = append(w.side, uint8(side)), append(w.fold, fold)
	}
}

// rank sets, for each feature that is not raw, its rank among the fold's windows of both sides, from 0 to 1; equal values have their mean
// rank. Homes differ by far more than sides do; ranks remove that difference without the sides' labels, so that the forest generalises
// from other homes.
func (w *windows) rank(fold int) {
	var rows []int
	for i, f := range w.fold {
		if f == fold {
			rows = append(rows, i*w.width)
		}
	}
	ranked := len(w.names) - 2*w.size
	for k := range ranked {
		from, to := 2*w.size+k, len(w.names)+k
		slices.SortFunc(rows, func(a, b int) int { return cmp.Compare(w.x[a+from], w.x[b+from]) })
		for i := 0; i < len(rows); {
			j := i + 1
			for j < len(rows) && w.x[rows[j]+from] == w.x[rows[i]+from] {
				j++
			}
			for _, r := range rows[i:j] {
				w.x[r+to] = float32(i+j-1) / 2 / float32(max(len(rows)-1, 1))
			}
			i = j
		}
	}
}

// of returns a value of each window of a fold, by side.
func (w *windows) of(fold int, value func(i int) float64) (a, b []float64) {
	for i, f := range w.fold {
		switch {
		case f != fold:
		case w.side[i] == 0:
			a = append(a, value(i))
		default:
			b = append(b, value(i))
		}
	}
	return a, b
}

// judge scores the windows of a fold with a forest grown on all others: the score is the probability of side B.
func (w *windows) judge(ctx context.Context, fold int, scores []float64, o Options) error {
	var x []float32
	var y []uint8
	for i, f := range w.fold {
		if f != fold {
			x, y = append(x, w.x[i*w.width:(i+1)*w.width]...), append(y, w.side[i])
		}
	}
	f, err := tree.GrowForest(ctx, tree.NewTable(x, y, 2, o.Workers), tree.ForestOptions{
		Trees: o.Trees, MaxDepth: 12, MinLeaf: 4, Try: w.width / 6, Workers: o.Workers, Seed: o.Seed + uint64(fold),
	})
	if err != nil {
		return err
	}
	probs := make([]float32, 2)
	for i, f2 := range w.fold {
		if f2 == fold {
			f.Predict(w.x[i*w.width:(i+1)*w.width], probs)
			scores[i] = float64(probs[1])
		}
	}
	return nil
}
