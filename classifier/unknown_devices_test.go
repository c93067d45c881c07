package classifier

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/evaluate"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// wary is a model of a village, without its hubs, that may call known packets unknown 1 time in 20; and what judges it.
func wary(t *testing.T, kind string, workers int) (model.Model, evaluate.Fold) {
	t.Helper()
	folds, err := evaluate.SplitSets([]*dataset.Dataset{classifiertest.Village(t, "napt", "virtual", 9)}, evaluate.SplitDevice, model.ClassPaper, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folds {
		if f.LeftOut != "hub" {
			continue
		}
		m, err := train.Train(t.Context(), f.Learn, train.Options{
			Kind: kind, Seed: 1, Window: 50, Unknown: 0.05, Forest: tree.ForestOptions{Trees: 10, Workers: workers},
			Neural: neural.Options{Units: 16, Layers: 1, Epochs: 4, Rate: 1e-2, Dropout: -1, Workers: workers},
		})
		if err != nil {
			t.Fatal(err)
		}
		if m.Meta().Unknown == nil {
			t.Fatal("it does not tell what is unknown")
		}
		return m, f
	}
	t.Fatal("no such class")
	return nil, evaluate.Fold{}
}

// A device that was never learned is called unknown, and those that were are not, in homes that were never seen; a model from a file
// says the same.
func TestUnknownDeviceIsCalledSo(t *testing.T) {
	for _, kind := range []string{model.KindForest, model.KindLSTM} {
		m, f := wary(t, kind, 2)
		l, err := evaluate.Unlearned(m, f)
		if err != nil {
			t.Fatal(err)
		}
		if u := l.Unknown; u.Share < 0.9 || u.AUC < 0.95 || u.FalseUnknown > 0.15 || u.ShareInterval == nil || u.AUCInterval == nil || len(u.Known) != 2 || l.Called[novelty.Label] < 500 {
			t.Errorf("%s: %+v, %v", kind, u, l.Called)
		}
		if g := l.Unknown.Flows; g.New != 3 || g.AUC < 0.95 { // a far end for each device and home
			t.Errorf("%s: %+v", kind, g)
		}
		loaded, err := Load(saved(t, m))
		if err != nil {
			t.Fatal(err)
		}
		again, err := evaluate.Unlearned(loaded, f)
		if err != nil {
			t.Fatal(err)
		}
		if again.Called[novelty.Label] != l.Called[novelty.Label] || again.Unknown.AUC != l.Unknown.AUC {
			t.Errorf("%s: the loaded model says something else: %+v", kind, again.Unknown)
		}
		var told bytes.Buffer
		s, err := score.Evaluate(m, f.Judge, &told)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "told.csv")
		if err := os.WriteFile(path, told.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := score.EvaluatePredictions(path, f.Judge[0], score.PredictionOptions{Window: 50})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := s.Trust, file.Trust; a.N != s.N-s.Unknown.N || a.N != b.N || math.Abs(a.Brier-b.Brier) > 1e-9 || math.Abs(a.CalibrationError-b.CalibrationError) > 1e-9 {
			t.Errorf("%s: of %d packets, %d unknown, the probabilities are worth %+v, those of its file %+v", kind, s.N, s.Unknown.N, a, b)
		}
		if !slices.Contains(s.Confusion.Labels, novelty.Label) || slices.Contains(s.Classes, novelty.Label) {
			t.Errorf("%s: classes %v, labels %v", kind, s.Classes, s.Confusion.Labels)
		}
	}
}

func TestUnknownDoesNotDependOnWorkers(t *testing.T) {
	a, _ := wary(t, model.KindForest, 1)
	b, _ := wary(t, model.KindForest, 3)
	if !bytes.Equal(saved(t, a), saved(t, b)) {
		t.Error("three workers find something else than one")
	}
}

func TestUnknownThatIsDamagedIsRefused(t *testing.T) {
	m, _ := wary(t, model.KindForest, 2)
	u := m.Meta().Unknown
	for name, spoil := range map[string]func(u *novelty.Unknown){
		"no thresholds": func(u *novelty.Unknown) { u.Thresholds = nil },
		"levels":        func(u *novelty.Unknown) { u.Levels = u.Levels[:2] },
		"keys":          func(u *novelty.Unknown) { u.Levels = []novelty.Signature{{Keys: []byte{1}}, {}, {}, {}, {}} },
		"trees":         func(u *novelty.Unknown) { u.Trees = u.Trees[:len(u.Trees)/2] },
		"rate":          func(u *novelty.Unknown) { u.Rate = 2 },
	} {
		bad := *u
		spoil(&bad)
		m.Meta().Unknown = &bad
		if _, err := Load(saved(t, m)); !errors.Is(err, tree.ErrNotModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is called unknown is no class that could be there: losses are over the classes that can be.
func TestUnknownIsNoClassThatCouldBePresent(t *testing.T) {
	s := score.NewScorer(&model.Meta{Classes: []string{"a", "b"}, Majority: "a", Window: 2})
	for home := range 2 {
		for i, guess := range []string{"a", "b", novelty.Label, "b"} {
			r := dataset.Row{Label: dataset.Label{Device: "d", Class: string(rune('a' + i%2)), Role: "device"}}
			r.Frame = int64(i + 1)
			s.Add(&dataset.Manifest{}, home, &r, guess, 0.9)
		}
	}
	got := s.Result()
	if got.N != 8 || !slices.Equal(got.Confusion.Labels, []string{"a", "b", novelty.Label}) {
		t.Fatalf("%d packets, %v", got.N, got.Confusion.Labels)
	}
	if p := got.Presence; p.Windows != 4 || p.HammingLoss != 0.25 || p.BaselineAbsent != 1 || p.ClassesPerWindow != 2 { // 2 of 8 pairs
		t.Errorf("%+v", p)
	}
	if got.PerHome[0].HammingLoss != 0.25 || got.Intervals.HammingLoss != (stat.Interval{0.25, 0.25}) || got.Trust.N != 6 {
		t.Errorf("%+v, %v, of %d guesses", got.PerHome[0], got.Intervals.HammingLoss, got.Trust.N)
	}
}
