package classifier

import "slices"

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
		told, _, _ := w.roll.Tell(m.Activities, m.Classes, class)
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
