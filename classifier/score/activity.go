package score

import (
	"slices"

	"glasshouse/classifier/activity"
	"glasshouse/classifier/model"
	"glasshouse/classifier/stat"
)

// Activity is the score of one activity: per window and class one activity is inferred and compared with the one that most of the class's
// packets in the window belong to. A predicted class that is absent is a false positive, a present class that is not predicted a false
// negative.
type Activity struct {
	Activity  string  `json:"activity"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"`     // pairs of window and class with this activity
	Constant  float64 `json:"f1_constant"` // F1 of each predicted class's most common activity, idle included
}

// activityTally counts pairs of window and class.
type activityTally struct{ Both, constant, Truth, Predicted, constants map[string]int }

// NewActivityTally returns an empty tally.
func NewActivityTally() activityTally {
	m := func() map[string]int { return make(map[string]int) }
	return activityTally{m(), m(), m(), m(), m()}
}

// Close counts a window: the truth is w.Counts, the prediction is inferred from w.Roll.
func (t *activityTally) Close(m *model.Meta, w *activity.TruthWindow) {
	for class := range w.Counts {
		t.Truth[w.Does(class)]++
	}
	for class := range w.Roll.Of {
		inferred, _, _ := w.Roll.Infer(m.Activities, m.Classes, class)
		if inferred == "" {
			continue
		}
		is, usual := w.Does(class), m.Activities.Names[m.Activities.Common[slices.Index(m.Classes, class)]]
		t.Predicted[inferred]++
		t.constants[usual]++
		t.Both[inferred] += stat.Indicator(inferred == is)
		t.constant[usual] += stat.Indicator(usual == is)
	}
	w.Reset()
}

func (t *activityTally) Result() []Activity {
	var out []Activity
	for _, a := range activity.Names() {
		if n := t.Truth[a]; n > 0 {
			out = append(out, Activity{
				Activity: a, Precision: stat.Ratio(t.Both[a], t.Predicted[a]), Recall: stat.Ratio(t.Both[a], n), F1: stat.Ratio(2*t.Both[a], n+t.Predicted[a]), Support: n,
				Constant: stat.Ratio(2*t.constant[a], n+t.constants[a]),
			})
		}
	}
	return out
}
