package train

import (
	"context"
	"slices"

	"glasshouse/classifier/activity"
	"glasshouse/classifier/model"
	"glasshouse/classifier/score"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// findActivities trains the activity classifier on windows of true labels; nil if there are fewer than score.TooFew samples.
func findActivities(ctx context.Context, meta *model.Meta, sets []*dataset.Dataset, workers int) (*activity.Activities, error) {
	m := &activity.Activities{Names: activity.Names(), Common: make([]int, len(meta.Classes))}
	counts := make([][]int, len(meta.Classes))
	for i := range counts {
		counts[i] = make([]int, len(m.Names))
	}
	var x []float32
	var y []uint8
	var w activity.TruthWindow
	closed := func() {
		for _, class := range score.Sorted(w.Roll.Of) {
			i := slices.Index(meta.Classes, class)
			if i < 0 {
				continue
			}
			var row [activity.NumFeatures]float32
			w.Roll.Of[class].Features(i, w.Roll.Total, row[:])
			does := slices.Index(m.Names, w.Does(class))
			x, y = append(x, row[:]...), append(y, uint8(does))
			counts[i][does]++
		}
		w.Reset()
	}
	for _, d := range sets {
		at, n := -1, 0
		err := d.Rows(func(h int, r *dataset.Row) error {
			if h != at {
				at, n = h, 0
				w.Reset()
			}
			if model.IsScored(&d.Manifest, r) {
				class := model.ClassOf(&r.Label, meta.ClassMode)
				w.Roll.Add(class, &r.Observation)
				w.Truth(class, &r.Label)
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
	if len(y) < score.TooFew {
		return nil, nil
	}
	idle := slices.Index(m.Names, activity.Idle)
	for i, c := range counts {
		m.Common[i] = idle
		for k, n := range c {
			if n > c[m.Common[i]] {
				m.Common[i] = k
			}
		}
	}
	trees, err := tree.GrowBoost(ctx, tree.NewTable(x, y, len(m.Names), workers), tree.BoostOptions{Rounds: 40, Leaves: 15, Workers: workers})
	if err != nil {
		return nil, err
	}
	m.SetTrees(trees)
	return m, nil
}
