package classifier

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"glasshouse/testbed/dataset"
)

func TestConformalThreshold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	above, draws := 0.0, 400
	for range draws { // over many draws, a further value lies above it as often as asked for
		v := make([]float32, 99)
		for i := range v {
			v[i] = r.Float32()
		}
		above += 1 - float64(conformal(v, 0.1))
	}
	if above /= float64(draws); math.Abs(above-0.1) > 0.01 {
		t.Errorf("%.3f lie above, not 0.1", above)
	}
	if conformal([]float32{0.1, 0.2}, 0.05) != 1 || conformal(nil, 0.05) != 1 {
		t.Error("two values tell what one in twenty exceeds")
	}
}

func TestWindowNovelty(t *testing.T) {
	v := make([]float32, 20)
	v[7], v[19] = 0.5, 0.25
	if got := WindowNovelty(v); got != 0.375 {
		t.Errorf("%v is not the mean of the newest two", got)
	}
}

// wary is a model of a village, without its hubs, that may call known packets unknown 1 time in 20; and what judges it.
func wary(t *testing.T, kind string, workers int) (Model, Fold) {
	t.Helper()
	folds, err := SplitSets([]*dataset.Dataset{village(t, "napt", "virtual", 9)}, SplitDevice, ClassPaper, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folds {
		if f.LeftOut != "hub" {
			continue
		}
		m, err := Train(t.Context(), f.Learn, TrainOptions{
			Kind: kind, Seed: 1, Window: 50, Unknown: 0.05, Forest: ForestOptions{Trees: 10, Workers: workers},
			Neural: NeuralOptions{Units: 16, Layers: 1, Epochs: 4, Rate: 1e-2, Dropout: -1, Workers: workers},
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
	return nil, Fold{}
}

// A device that was never learned is called unknown, and those that were are not, in homes that were never seen; a model from a file
// says the same.
func TestUnknownDeviceIsCalledSo(t *testing.T) {
	for _, kind := range []string{KindForest, KindLSTM} {
		m, f := wary(t, kind, 2)
		l, err := leftOut(m, f)
		if err != nil {
			t.Fatal(err)
		}
		if u := l.Unknown; u.Share < 0.9 || u.AUC < 0.95 || u.FalseUnknown > 0.15 || u.ShareInterval == nil || u.AUCInterval == nil || len(u.Known) != 2 || l.Called[UnknownLabel] < 500 {
			t.Errorf("%s: %+v, %v", kind, u, l.Called)
		}
		if g := l.Unknown.Flows; g.New != 3 || g.AUC < 0.95 { // a far end for each device and home
			t.Errorf("%s: %+v", kind, g)
		}
		loaded, err := Load(bytesOf(t, m))
		if err != nil {
			t.Fatal(err)
		}
		again, err := leftOut(loaded, f)
		if err != nil {
			t.Fatal(err)
		}
		if again.Called[UnknownLabel] != l.Called[UnknownLabel] || again.Unknown.AUC != l.Unknown.AUC {
			t.Errorf("%s: the loaded model says something else: %+v", kind, again.Unknown)
		}
		var told bytes.Buffer
		s, err := Evaluate(m, f.Judge, &told)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "told.csv")
		if err := os.WriteFile(path, told.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := EvaluatePredictions(path, f.Judge[0], ForeignOptions{Window: 50})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := s.Trust, file.Trust; a.N != s.N-s.Unknown.N || a.N != b.N || math.Abs(a.Brier-b.Brier) > 1e-9 || math.Abs(a.CalibrationError-b.CalibrationError) > 1e-9 {
			t.Errorf("%s: of %d packets, %d unknown, the probabilities are worth %+v, those of its file %+v", kind, s.N, s.Unknown.N, a, b)
		}
		if !slices.Contains(s.Confusion.Labels, UnknownLabel) || slices.Contains(s.Classes, UnknownLabel) {
			t.Errorf("%s: classes %v, labels %v", kind, s.Classes, s.Confusion.Labels)
		}
	}
}

func TestUnknownDoesNotDependOnWorkers(t *testing.T) {
	a, _ := wary(t, KindForest, 1)
	b, _ := wary(t, KindForest, 3)
	if !bytes.Equal(bytesOf(t, a), saved(t, b)) {
		t.Error("three workers find something else than one")
	}
}

func TestUnknownThatIsDamagedIsRefused(t *testing.T) {
	m, _ := wary(t, KindForest, 2)
	u := m.Meta().Unknown
	for name, spoil := range map[string]func(u *Unknown){
		"no thresholds": func(u *Unknown) { u.Thresholds = nil },
		"levels":        func(u *Unknown) { u.Levels = u.Levels[:2] },
		"keys":          func(u *Unknown) { u.Levels = []signature{{Keys: []byte{1}}, {}, {}, {}, {}} },
		"trees":         func(u *Unknown) { u.Trees = u.Trees[:len(u.Trees)/2] },
		"rate":          func(u *Unknown) { u.Rate = 2 },
	} {
		bad := *u
		spoil(&bad)
		m.Meta().Unknown = &bad
		if _, err := Load(bytesOf(t, m)); !errors.Is(err, ErrNotModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is called unknown is no class that could be there: losses are over the classes that can be.
func TestUnknownIsNoClassThatCouldBePresent(t *testing.T) {
	s := NewScorer(&Meta{Classes: []string{"a", "b"}, Majority: "a", Window: 2})
	for home := range 2 {
		for i, guess := range []string{"a", "b", UnknownLabel, "b"} {
			r := dataset.Row{Label: dataset.Label{Device: "d", Class: string(rune('a' + i%2)), Role: "device"}}
			r.Frame = int64(i + 1)
			s.Add(&dataset.Manifest{}, home, &r, guess, 0.9)
		}
	}
	got := s.Result()
	if got.N != 8 || !slices.Equal(got.Confusion.Labels, []string{"a", "b", UnknownLabel}) {
		t.Fatalf("%d packets, %v", got.N, got.Confusion.Labels)
	}
	if p := got.Presence; p.Windows != 4 || p.HammingLoss != 0.25 || p.BaselineAbsent != 1 || p.ClassesPerWindow != 2 { // 2 of 8 pairs
		t.Errorf("%+v", p)
	}
	if got.PerHome[0].HammingLoss != 0.25 || got.Intervals.HammingLoss != (Interval{0.25, 0.25}) || got.Trust.N != 6 {
		t.Errorf("%+v, %v, of %d guesses", got.PerHome[0], got.Intervals.HammingLoss, got.Trust.N)
	}
}

// What strangers look like is learned from homes that the thresholds are not set by, and from models that do not know them.
func TestLessonsOfStrangers(t *testing.T) {
	folds, err := SplitSets([]*dataset.Dataset{village(t, "napt", "virtual", 9)}, SplitHome, ClassPaper, 1)
	if err != nil {
		t.Fatal(err)
	}
	o := TrainOptions{Kind: KindForest, Seed: 1, Unknown: 0.05, Forest: ForestOptions{Trees: 8, Workers: 2}}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	s, err := collect(t.Context(), folds[0].Learn, &o)
	if err != nil {
		t.Fatal(err)
	}
	var all []rehearsal
	var packets []watched
	for _, v := range s.holdBack(&o) {
		m, err := s.rehearse(t.Context(), v, &o, nobody, 2)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rehearsal{m, v})
		tables, total, err := countSignatures(t.Context(), &s.meta, folds[0].Learn, v)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := watchHeldBack(t.Context(), all[len(all)-1], folds[0].Learn, tables, total, 1000)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, seen...)
	}
	asked := make(map[int]int)
	book, err := learnStrangers(t.Context(), all, folds[0].Learn, packets, 1000, func(class int, v *validation) (Model, error) {
		asked[class]++
		m, err := s.rehearse(t.Context(), v, &o, class, 4)
		if err != nil {
			return nil, err
		}
		probs := make([]float32, len(s.meta.Classes))
		for i := range s.y { // nothing is ever taken for the class
			m.p.predict(s.x[i*len(s.meta.Features):(i+1)*len(s.meta.Features)], probs)
			if argmax(probs) == class {
				t.Fatalf("packet %d is taken for class %d, which was not learned", i, class)
			}
		}
		return m, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 || book == nil || len(book.x) != numNovelties*len(book.y) || len(book.home) != len(book.y) {
		t.Fatalf("%v models, %+v", asked, book)
	}
	for class, n := range map[uint8]int{0: 300, 1: 300} {
		got := 0
		for _, y := range book.y {
			got += b2i(y == class)
		}
		if got < n {
			t.Errorf("%d lessons of %d", got, class)
		}
	}
	homes := make(map[int32]bool)
	for _, h := range book.home {
		homes[h] = true
	}
	for h := range homes {
		less := book.but([]watched{{home: h}})
		if less == nil || len(less.y) >= len(book.y) || slices.Contains(less.home, h) || len(less.x) != numNovelties*len(less.y) {
			t.Errorf("without home %d: %d lessons of %d", h, len(less.y), len(book.y))
		}
	}
	var none *lessonBook
	if none.but(nil) != nil {
		t.Error("a book of none")
	}
}

func bytesOf(tb testing.TB, m Model) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := m.Save(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
