package classifier

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glasshouse/classifier/activity"
	"glasshouse/classifier/model"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

func saved(tb testing.TB, m model.Model) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := m.Save(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// eachModel returns a small model of each kind.
func eachModel(tb testing.TB, packets int) []model.Model {
	tb.Helper()
	out := []model.Model{trees(tb), boosted(tb)}
	for _, kind := range model.NeuralKinds() {
		out = append(out, mustTrain(tb, exchangeCorpus(3, packets, inputsOf(kind), false), neuralOptions(kind, 1)))
	}
	return out
}

// A saved model loads unchanged; truncated or modified files are rejected. A change behind the checksum gives an error or a working model.
func TestModelRoundTrip(t *testing.T) {
	for _, m := range eachModel(t, 700) {
		kind, b := m.Meta().Kind, saved(t, m)
		got, err := Load(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*m.Meta(), *got.Meta()); diff != "" {
			t.Error(diff)
		}
		s1, s2 := m.Stream(), got.Stream()
		p1, p2 := make([]float32, 3), make([]float32, 3)
		exchanges(7, 500, func(o *dataset.Observation, _ int16) {
			f1, r1 := s1.Step(o, p1)
			if f2, r2 := s2.Step(o, p2); f1 != f2 || r1 != r2 || !slices.Equal(p1, p2) {
				t.Fatalf("%s, frame %d: the loaded model gives other probabilities", kind, o.Frame)
			}
		})
		for _, cut := range []int{0, 5, 30, len(b) / 2, len(b) - 1} {
			if _, err := Load(b[:cut]); !errors.Is(err, tree.ErrNotModel) {
				t.Errorf("%s cut at %d: %v", kind, cut, err)
			}
		}
		for at := len(model.ModelMagic); at < len(b); at += 97 {
			bad := bytes.Clone(b)
			bad[at] ^= 4
			if _, err := Load(bad); !errors.Is(err, tree.ErrNotModel) {
				t.Fatalf("%s, a flipped bit at %d: %v", kind, at, err)
			}
		}
		inner := b[len(model.ModelMagic) : len(b)-32] // without the checksum
		for at := 0; at < len(inner); at += 61 {
			bad := bytes.Clone(inner)
			bad[at] ^= 0x44
			if m, err := parseModel(bad); err == nil {
				m.Stream().Step(&dataset.Observation{Length: 100}, make([]float32, len(m.Classes())))
			} else if !errors.Is(err, tree.ErrNotModel) {
				t.Fatalf("%s, a byte changed at %d: %v", kind, at, err)
			}
		}
	}
}

// FuzzParseModel parses without the checksum: any input gives a working model or an error.
func FuzzParseModel(f *testing.F) {
	f.Add([]byte{})
	for _, m := range eachModel(f, 200) {
		b := saved(f, m)
		f.Add(b[len(model.ModelMagic) : len(b)-32])
		m.Meta().Unknown, m.Meta().Activities = anyUnknown(f, len(m.Classes())), anyActivities(f, len(m.Classes()))
		b = saved(f, m)
		f.Add(b[len(model.ModelMagic) : len(b)-32])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseModel(b)
		if err != nil {
			return
		}
		var r activity.Roll
		answers := 0
		var l *model.Labeller[dataset.Observation]
		l = model.NewLabeller(m, func(o dataset.Observation, class string, p float32) error {
			answers++
			if n := l.Novelty(); p != p || n != n || slices.ContainsFunc(l.Probs(), func(p float32) bool { return p != p }) {
				t.Fatalf("%v of %v, novelty %v: not numbers", p, l.Probs(), n)
			}
			r.Add(class, &o)
			r.Infer(m.Meta().Activities, m.Meta().Classes, class)
			return nil
		})
		for i := range int64(3) {
			o := dataset.Observation{TsNs: i * 1e9, Length: 100, Frame: i}
			if err := l.Step(&o, o); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Flush(); err != nil || answers != 3 {
			t.Fatalf("%d answers of 3, %v", answers, err)
		}
	})
}

// anyUnknown returns a valid detector of unknown devices.
func anyUnknown(tb testing.TB, classes int) *novelty.Unknown {
	tb.Helper()
	r := rand.New(rand.NewPCG(6, 6))
	x, y := make([]float32, 100*novelty.NumNovelties), make([]uint8, 100)
	for i := range x {
		x[i] = r.Float32()
	}
	for i := range y {
		y[i] = uint8(i % 2)
	}
	u := &novelty.Unknown{Rate: 0.05, Thresholds: make([]float32, classes), Levels: make([]novelty.Signature, novelty.NumLevels)}
	u.Trees = boostedOf(tb, x, y, 2, 1).Marshal()
	for i := range u.Levels {
		u.Levels[i] = novelty.Signature{Keys: make([]byte, 16), Best: make([]byte, 8)}
	}
	if err := u.Load(classes); err != nil {
		tb.Fatal(err)
	}
	return u
}

// anyActivities returns a valid activity classifier.
func anyActivities(tb testing.TB, classes int) *activity.Activities {
	tb.Helper()
	x, y := make([]float32, 100*activity.NumFeatures), make([]uint8, 100)
	for i := range y {
		y[i] = uint8(i % 2)
		x[i*activity.NumFeatures+1] = float32(i % 2)
	}
	a := &activity.Activities{Names: []string{activity.Idle, "motion"}, Common: make([]int, classes), Trees: boostedOf(tb, x, y, 2, 1).Marshal()}
	if err := a.Load(classes); err != nil {
		tb.Fatal(err)
	}
	return a
}

// Trees with NaN, infinite or overflowing values are rejected.
func TestNonFiniteTreesAreRejected(t *testing.T) {
	leaf := func(v, cut float32) []tree.Tree {
		return []tree.Tree{{Nodes: []tree.Node{{Feature: 0, Cut: cut, Left: 1}, {Feature: -1}, {Feature: -1, Left: 1}}, Values: []float32{0.5, v}}}
	}
	if _, err := tree.UnmarshalBoost((&tree.Boost{Base: []float32{0}, Trees: leaf(0.5, 1)}).Marshal(), 1, 1); err != nil {
		t.Fatal(err)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, m := range map[string]*tree.Boost{
		"base NaN": {Base: []float32{nan}, Trees: leaf(0, 1)}, "base infinite": {Base: []float32{-inf}, Trees: leaf(0, 1)},
		"leaf NaN": {Base: []float32{0}, Trees: leaf(nan, 1)}, "leaf infinite": {Base: []float32{0}, Trees: leaf(inf, 1)},
		"leaf beyond sums": {Base: []float32{0}, Trees: leaf(3e38, 1)}, "cut NaN": {Base: []float32{0}, Trees: leaf(0, nan)},
	} {
		if _, err := tree.UnmarshalBoost(m.Marshal(), 1, 1); !errors.Is(err, tree.ErrNotModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := tree.UnmarshalTrees(tree.MarshalTrees(nil, leaf(nan, 1)), 1, 1); !errors.Is(err, tree.ErrNotModel) {
		t.Errorf("a forest: %v", err)
	}
}
