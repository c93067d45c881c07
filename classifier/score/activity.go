package score

import (
	"slices"

	"glasshouse/classifier/activity"
	"glasshouse/classifier/model"
	"glasshouse/classifier/stat"
)

// Activity says how well it is told what devices do: of each window and class one activity, judged against what most of the class's
// packets in the window belong to. A class that is told and not there is wrong, and so is one that is there and not told.
type Activity struct {
	Activity  string  `json:"activity"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"`     // windows of a class in which it does so
	Constant  float64 `json:"f1_constant"` // F1 of "what it does in most windows", idling too, for each class that is told
}

// actingTally counts pairs of window and class.
type actingTally struct{ Both, constant, Truth, Guess, constants map[string]int }

func NewActingTally() actingTally {
	m := func() map[string]int { return make(map[string]int) }
	return actingTally{m(), m(), m(), m(), m()}
}

// Close counts a window: what is there by w.acts, what is told by w.roll, which holds the guesses.
func (t *actingTally) Close(m *model.Meta, w *activity.TruthWindow) {
	for class := range w.Acts {
		t.Truth[w.Does(class)]++
	}
	for class := range w.Roll.Of {
		told, _, _ := w.Roll.Tell(m.Activities, m.Classes, class)
		if told == "" {
			continue
		}
		is, usual := w.Does(class), m.Activities.Names[m.Activities.Common[slices.Index(m.Classes, class)]]
		t.Guess[told]++
		t.constants[usual]++
		t.Both[told] += stat.Indicator(told == is)
		t.constant[usual] += stat.Indicator(usual == is)
	}
	w.Reset()
}

func (t *actingTally) Result() []Activity {
	var out []Activity
	for _, a := range activity.Names() {
		if n := t.Truth[a]; n > 0 {
			out = append(out, Activity{
				Activity: a, Precision: stat.Ratio(t.Both[a], t.Guess[a]), Recall: stat.Ratio(t.Both[a], n), F1: stat.Ratio(2*t.Both[a], n+t.Guess[a]), Support: n,
				Constant: stat.Ratio(2*t.constant[a], n+t.constants[a]),
			})
		}
	}
	return out
}
