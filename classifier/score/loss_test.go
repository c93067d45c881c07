package score

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"glasshouse/classifier/stat"
)

// drawScore returns the score of a model whose accuracy is drawn between lo and hi for each home.
func drawScore(homes int, lo, hi float64, seed uint64) *Score {
	r := rand.New(rand.NewPCG(seed, 9))
	s := newTwo()
	for h := range homes {
		addHome(s, h, 100, lo+(hi-lo)*r.Float64(), r)
	}
	return s.Result()
}

// The pool of one model is its score; that of two is their mean.
func TestPool(t *testing.T) {
	a, b := drawScore(12, 0.5, 0.9, 1), drawScore(12, 0.7, 0.9, 2)
	one, err := Pool([]*Score{a})
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s %v, want %v", what, got, want)
		}
	}
	near("accuracy", one.Accuracy.Value, a.Accuracy)
	near("macro-F1", one.MacroF1.Value, a.MacroF1)
	near("balanced accuracy", one.Balanced.Value, a.BalancedAccuracy)
	near("lower end", one.Accuracy.Interval[0], a.Intervals.Accuracy[0])
	near("upper end of macro-F1", one.MacroF1.Interval[1], a.Intervals.MacroF1[1])
	if one.Homes != 12 || one.Packets != 1200 || one.LookUp != a.Baseline.LengthLookup {
		t.Errorf("%+v", one)
	}
	two, err := Pool([]*Score{a, b})
	if err != nil {
		t.Fatal(err)
	}
	near("mean accuracy", two.Accuracy.Value, (a.Accuracy+b.Accuracy)/2)
	for i, c := range two.PerClass {
		near("recall", c.Recall, (a.PerClass[i].Recall+b.PerClass[i].Recall)/2)
		near("F1", c.F1, (a.PerClass[i].F1+b.PerClass[i].F1)/2)
		if other := map[string]string{"a": "b", "b": "a"}[c.Class]; c.Taken != other || math.Abs(c.TakenFor-(1-c.Recall)) > 1e-12 {
			t.Errorf("%s: most common wrong label %s, share %.3f", c.Class, c.Taken, c.TakenFor)
		}
	}
	if _, err := Pool([]*Score{a, drawScore(3, 0.5, 0.9, 1)}); !errors.Is(err, ErrNoScores) {
		t.Errorf("scores of different homes: %v", err)
	}
	if _, err := Pool(nil); !errors.Is(err, ErrNoScores) {
		t.Errorf("no score: %v", err)
	}
}

// The loss against the same scores is 0. A real loss is found with its sign, and its interval has about the nominal coverage.
func TestLossOf(t *testing.T) {
	a := []*Score{drawScore(12, 0.5, 0.9, 1)}
	none, err := LossOf(a, a, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := none.MacroF1; d.Mean != 0 || *d.Interval != (stat.Interval{}) {
		t.Errorf("against itself: %+v", d)
	}
	if _, err := LossOf(a, []*Score{drawScore(5, 0.5, 0.9, 1)}, true); !errors.Is(err, ErrNoScores) {
		t.Errorf("pairs of different homes: %v", err)
	}
	covered, clear := 0, 0
	const runs = 100
	for i := range runs {
		here, there := []*Score{drawScore(12, 0.7, 0.9, uint64(2*i))}, []*Score{drawScore(20, 0.5, 0.7, uint64(2*i+1))}
		l, err := LossOf(here, there, false)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(l.Accuracy.Mean-(here[0].Accuracy-there[0].Accuracy)) > 1e-12 {
			t.Fatalf("%v is not the difference", l.Accuracy.Mean)
		}
		if in := l.Accuracy.Interval; in[0] <= 0.2 && 0.2 <= in[1] {
			covered++
		}
		if l.Accuracy.Clear() {
			clear++
		}
	}
	if covered < 88 || clear < 99 {
		t.Errorf("of %d intervals %d contain the true loss and %d exclude 0", runs, covered, clear)
	}
}
