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
	for range draws { // on average, a further value exceeds it with the given probability
		v := make([]float32, 99)
		for i := range v {
			v[i] = r.Float32()
		}
		above += 1 - float64(conformal(v, 0.1))
	}
	if above /= float64(draws); math.Abs(above-0.1) > 0.01 {
		t.Errorf("share %.3f above the threshold, want 0.1", above)
	}
	if conformal([]float32{0.1, 0.2}, 0.05) != 1 || conformal(nil, 0.05) != 1 {
		t.Error("two values give a threshold for a rate of 0.05")
	}
}

func TestWindowNovelty(t *testing.T) {
	v := make([]float32, 20)
	v[7], v[19] = 0.5, 0.25
	if got := novelty.WindowNovelty(v); got != 0.375 {
		t.Errorf("%v, want the mean of the two highest", got)
	}
}

// Samples of unknown devices come from held-out homes and from models that were not trained on them.
func TestSamplesOfUnknownDevices(t *testing.T) {
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
		m, err := s.rehearse(t.Context(), v, &o, noClass, 2)
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
	book, err := leaveClassesOut(t.Context(), all, learn, packets, 1000, func(class int, v *validation) (model.Model, error) {
		asked[class]++
		m, err := s.rehearse(t.Context(), v, &o, class, 4)
		if err != nil {
			return nil, err
		}
		probs := make([]float32, len(s.meta.Classes))
		for i := range s.y { // the class is never predicted
			m.Predictor().Predict(s.x[i*len(s.meta.Features):(i+1)*len(s.meta.Features)], probs)
			if stat.Argmax(probs) == class {
				t.Fatalf("packet %d is labelled %d, a class that was left out", i, class)
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
			t.Errorf("%d samples of class %d", got, class)
		}
	}
	homes := make(map[int32]bool)
	for _, h := range book.home {
		homes[h] = true
	}
	for h := range homes {
		less := book.but([]watched{{home: h}})
		if less == nil || len(less.y) >= len(book.y) || slices.Contains(less.home, h) || len(less.x) != novelty.NumNovelties*len(less.y) {
			t.Errorf("without home %d: %d samples of %d", h, len(less.y), len(book.y))
		}
	}
	var none *noveltySamples
	if none.but(nil) != nil {
		t.Error("no samples became some")
	}
}
