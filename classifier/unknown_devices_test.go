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

// withoutHubs trains a model on a village without its hubs, with a false-unknown rate of 0.05, and returns it with the fold it is tested on.
func withoutHubs(t *testing.T, kind string, workers int) (model.Model, evaluate.Fold) {
	t.Helper()
	folds, err := evaluate.SplitSets([]*dataset.Dataset{classifiertest.Village(t, "napt", "virtual", 9)}, evaluate.SplitDevice, model.ClassPaper, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folds {
		if f.LeftOut != "hub" {
			continue
		}
		m, err := train.Train(t.Context(), f.Train, train.Options{
			Kind: kind, Seed: 1, Window: 50, Unknown: 0.05, Forest: tree.ForestOptions{Trees: 10, Workers: workers},
			Neural: neural.Options{Units: 16, Layers: 1, Epochs: 4, Rate: 1e-2, Dropout: -1, Workers: workers},
		})
		if err != nil {
			t.Fatal(err)
		}
		if m.Meta().Unknown == nil {
			t.Fatal("the model has no detector of unknown devices")
		}
		return m, f
	}
	t.Fatal("no such class")
	return nil, evaluate.Fold{}
}

// In test homes, a device of an untrained class is labelled unknown and the others are not; a model loaded from a file gives the same
// labels.
func TestUnknownDeviceIsLabelledUnknown(t *testing.T) {
	for _, kind := range []string{model.KindForest, model.KindLSTM} {
		m, f := withoutHubs(t, kind, 2)
		l, err := evaluate.ScoreLeftOut(m, f)
		if err != nil {
			t.Fatal(err)
		}
		if u := l.Unknown; u.Share < 0.9 || u.AUC < 0.95 || u.FalseUnknown > 0.15 || u.ShareInterval == nil || u.AUCInterval == nil || len(u.Known) != 2 || l.Called[novelty.Label] < 500 {
			t.Errorf("%s: %+v, %v", kind, u, l.Called)
		}
		if g := l.Unknown.Flows; g.New != 3 || g.AUC < 0.95 { // a remote endpoint per device and home
			t.Errorf("%s: %+v", kind, g)
		}
		loaded, err := Load(saved(t, m))
		if err != nil {
			t.Fatal(err)
		}
		again, err := evaluate.ScoreLeftOut(loaded, f)
		if err != nil {
			t.Fatal(err)
		}
		if again.Called[novelty.Label] != l.Called[novelty.Label] || again.Unknown.AUC != l.Unknown.AUC {
			t.Errorf("%s: the loaded model gives other labels: %+v", kind, again.Unknown)
		}
		var predictions bytes.Buffer
		s, err := score.Evaluate(m, f.Test, &predictions)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "predictions.csv")
		if err := os.WriteFile(path, predictions.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := score.EvaluatePredictions(path, f.Test[0], score.PredictionOptions{Window: 50})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := s.Trust, file.Trust; a.N != s.N-s.Unknown.N || a.N != b.N || math.Abs(a.Brier-b.Brier) > 1e-9 || math.Abs(a.CalibrationError-b.CalibrationError) > 1e-9 {
			t.Errorf("%s: %d packets, %d unknown: calibration %+v, from the predictions file %+v", kind, s.N, s.Unknown.N, a, b)
		}
		if !slices.Contains(s.Confusion.Labels, novelty.Label) || slices.Contains(s.Classes, novelty.Label) {
			t.Errorf("%s: classes %v, labels %v", kind, s.Classes, s.Confusion.Labels)
		}
	}
}

func TestUnknownDoesNotDependOnWorkers(t *testing.T) {
	a, _ := withoutHubs(t, model.KindForest, 1)
	b, _ := withoutHubs(t, model.KindForest, 3)
	if !bytes.Equal(saved(t, a), saved(t, b)) {
		t.Error("models trained with one worker and with three differ")
	}
}

func TestInvalidUnknownDetectorIsRejected(t *testing.T) {
	m, _ := withoutHubs(t, model.KindForest, 2)
	u := m.Meta().Unknown
	for name, corrupt := range map[string]func(u *novelty.Unknown){
		"no thresholds": func(u *novelty.Unknown) { u.Thresholds = nil },
		"levels":        func(u *novelty.Unknown) { u.Levels = u.Levels[:2] },
		"keys":          func(u *novelty.Unknown) { u.Levels = []novelty.Signature{{Keys: []byte{1}}, {}, {}, {}, {}} },
		"trees":         func(u *novelty.Unknown) { u.Trees = u.Trees[:len(u.Trees)/2] },
		"rate":          func(u *novelty.Unknown) { u.Rate = 2 },
	} {
		bad := *u
		corrupt(&bad)
		m.Meta().Unknown = &bad
		if _, err := Load(saved(t, m)); !errors.Is(err, tree.ErrNotModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// "unknown" is not a class that can be present: losses are over the trained classes.
func TestUnknownIsNotAPresenceClass(t *testing.T) {
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
		t.Errorf("%+v, %v, of %d predictions", got.PerHome[0], got.Intervals.HammingLoss, got.Trust.N)
	}
}
