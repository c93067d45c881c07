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

// truthWindow is a window's packets with what they belong to.
type truthWindow struct {
	roll ActivityRoll
	acts map[string]map[string]int // by class: packets of each activity
}

func (w *truthWindow) truth(class string, l *dataset.Label) {
	if w.acts == nil {
		w.acts = make(map[string]map[string]int)
	}
	a := w.acts[class]
	if a == nil {
		a = make(map[string]int)
		w.acts[class] = a
	}
	a[activityOf(l)]++
}

// does is what a class does: what most of its packets belong to.
func (w *truthWindow) does(class string) string {
	best := ""
	for _, name := range activityNames() {
		if n := w.acts[class][name]; n > 0 && (best == "" || n > w.acts[class][best]) {
			best = name
		}
	}
	return best
}

func (w *truthWindow) reset() {
	w.roll.Reset()
	clear(w.acts)
}

// ActivityScore says how well it is told what devices do: of each window and class one activity, judged against what most of the class's
// packets in the window belong to. A class that is told and not there is wrong, and so is one that is there and not told.
type ActivityScore struct {
	Activity  string  `json:"activity"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"`     // windows of a class in which it does so
	Constant  float64 `json:"f1_constant"` // F1 of "what it does in most windows", idling too, for each class that is told
}

// actingTally counts pairs of window and class.
type actingTally struct{ both, constant, truth, guess, constants map[string]int }

func newActingTally() actingTally {
	m := func() map[string]int { return make(map[string]int) }
	return actingTally{m(), m(), m(), m(), m()}
}

// close counts a window: what is there by w.acts, what is told by w.roll, which holds the guesses.
func (t *actingTally) close(m *Meta, w *truthWindow) {
	for class := range w.acts {
		t.truth[w.does(class)]++
	}
	for class := range w.roll.of {
		told, _, _ := w.roll.Tell(m, class)
		if told == "" {
			continue
		}
		is, usual := w.does(class), m.Activities.Names[m.Activities.Common[slices.Index(m.Classes, class)]]
		t.guess[told]++
		t.constants[usual]++
		t.both[told] += b2i(told == is)
		t.constant[usual] += b2i(usual == is)
	}
	w.reset()
}

func (t *actingTally) result() []ActivityScore {
	var out []ActivityScore
	for _, a := range activityNames() {
		if n := t.truth[a]; n > 0 {
			out = append(out, ActivityScore{
				Activity: a, Precision: ratio(t.both[a], t.guess[a]), Recall: ratio(t.both[a], n), F1: ratio(2*t.both[a], n+t.guess[a]), Support: n,
				Constant: ratio(2*t.constant[a], n+t.constants[a]),
			})
		}
	}
	return out
}
