package classifier

import (
	"context"
	"slices"

	"glasshouse/testbed/dataset"
)

// findActivities learns what devices do in windows, from the packets that are theirs; nil where there is next to nothing to learn.
func findActivities(ctx context.Context, meta *Meta, sets []*dataset.Dataset, workers int) (*Activities, error) {
	m := &Activities{Names: activityNames(), Common: make([]int, len(meta.Classes))}
	counts := make([][]int, len(meta.Classes))
	for i := range counts {
		counts[i] = make([]int, len(m.Names))
	}
	var x []float32
	var y []uint8
	var w truthWindow
	closed := func() {
		for _, class := range sorted(w.roll.of) {
			i := slices.Index(meta.Classes, class)
			if i < 0 {
				continue
			}
			var row [numActing]float32
			w.roll.of[class].features(i, w.roll.total, row[:])
			does := slices.Index(m.Names, w.does(class))
			x, y = append(x, row[:]...), append(y, uint8(does))
			counts[i][does]++
		}
		w.reset()
	}
	for _, d := range sets {
		at, n := -1, 0
		err := d.Rows(func(h int, r *dataset.Row) error {
			if h != at {
				at, n = h, 0
				w.reset()
			}
			if scored(&d.Manifest, r) {
				class := classOf(&r.Label, meta.ClassMode)
				w.roll.Add(class, &r.Observation)
				w.truth(class, &r.Label)
			}
			if n++; n == meta.WindowPackets() {
				n = 0
				closed()
			}
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	if len(y) < tooFew {
		return nil, nil
	}
	idle := slices.Index(m.Names, ActivityIdle)
	for i, c := range counts {
		m.Common[i] = idle
		for k, n := range c {
			if n > c[m.Common[i]] {
				m.Common[i] = k
			}
		}
	}
	var err error
	m.judge, err = growBoost(ctx, newTable(x, y, len(m.Names), workers), BoostOptions{Rounds: 40, Leaves: 15, Workers: workers})
	if err == nil {
		m.Trees = m.judge.marshal()
	}
	return m, err
}
