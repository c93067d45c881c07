package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/model"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/tree"
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
	if got := novelty.WindowNovelty(v); got != 0.375 {
		t.Errorf("%v is not the mean of the newest two", got)
	}
}

// What strangers look like is learned from homes that the thresholds are not set by, and from models that do not know them.
func TestLessonsOfStrangers(t *testing.T) {
	learn := []*dataset.Dataset{classifiertest.Village(t, "napt", "virtual", 6)}
	o := Options{Kind: model.KindForest, Seed: 1, Unknown: 0.05, Forest: tree.ForestOptions{Trees: 8, Workers: 2}}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	s, err := collect(t.Context(), learn, &o)
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
		tables, total, err := countSignatures(t.Context(), &s.meta, learn, v)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := watchHeldBack(t.Context(), all[len(all)-1], learn, tables, total, 1000)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, seen...)
	}
	asked := make(map[int]int)
	book, err := learnStrangers(t.Context(), all, learn, packets, 1000, func(class int, v *validation) (model.Model, error) {
		asked[class]++
		m, err := s.rehearse(t.Context(), v, &o, class, 4)
		if err != nil {
			return nil, err
		}
		probs := make([]float32, len(s.meta.Classes))
		for i := range s.y { // nothing is ever taken for the class
			m.Predictor().Predict(s.x[i*len(s.meta.Features):(i+1)*len(s.meta.Features)], probs)
			if stat.Argmax(probs) == class {
				t.Fatalf("packet %d is taken for class %d, which was not learned", i, class)
			}
		}
		return m, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 || book == nil || len(book.x) != novelty.NumNovelties*len(book.y) || len(book.home) != len(book.y) {
		t.Fatalf("%v models, %+v", asked, book)
	}
	for class, n := range map[uint8]int{0: 300, 1: 300} {
		got := 0
		for _, y := range book.y {
			got += stat.Indicator(y == class)
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
		if less == nil || len(less.y) >= len(book.y) || slices.Contains(less.home, h) || len(less.x) != novelty.NumNovelties*len(less.y) {
			t.Errorf("without home %d: %d lessons of %d", h, len(less.y), len(book.y))
		}
	}
	var none *lessonBook
	if none.but(nil) != nil {
		t.Error("a book of none")
	}
}
