package classifier

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/score"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

func TestFeatures(t *testing.T) {
	var e feature.Extractor
	out := make([]float32, feature.NumFeatures)
	e.Step(&dataset.Observation{TsNs: 5e9, Dir: 1, Length: 95, IPProto: 6, LocalPort: 40000, RemotePort: 443, AppProto: dataset.AppTLS}, out)
	if diff := cmp.Diff([]float32{443, 1, 1, 0, 1, 0, 0, 0, 1, 95, 0}, out); diff != "" {
		t.Error(diff)
	}
	e.Step(&dataset.Observation{TsNs: 5.25e9, Dir: -1, Length: 120, IPProto: 17, RemotePort: 53, AppProto: dataset.AppDNS}, out)
	if diff := cmp.Diff([]float32{53, 1, 0, 1, 0, 0, 1, 0, -1, 120, 0.25}, out); diff != "" {
		t.Error(diff)
	}
	e.Step(&dataset.Observation{TsNs: 6e9, Dir: -1, Length: 98, IPProto: 1, AppProto: dataset.AppNone}, out)
	if diff := cmp.Diff([]float32{0, 1, 0, 0, 0, 0, 0, 1, -1, 98, 0.75}, out); diff != "" {
		t.Error(diff)
	}
	if len(feature.Names()) != feature.NumFeatures {
		t.Errorf("%d feature names, want %d", len(feature.Names()), feature.NumFeatures)
	}
}

func forestOf(tb testing.TB, x []float32, y []uint8, classes, workers int) *tree.Forest {
	tb.Helper()
	f, err := tree.GrowForest(tb.Context(), tree.NewTable(x, y, classes, workers), tree.ForestOptions{Trees: 20, Workers: workers, Seed: 9})
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func boostedOf(tb testing.TB, x []float32, y []uint8, classes, workers int) *tree.Boost {
	tb.Helper()
	m, err := tree.GrowBoost(tb.Context(), tree.NewTable(x, y, classes, workers), tree.BoostOptions{Rounds: 25, Leaves: 8, Rate: 0.3, Workers: workers, Seed: 9})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func trees(tb testing.TB) *model.Trees {
	tb.Helper()
	x, y := classifiertest.Clusters(500, 3, 0.1, 1)
	return newTrees(tb, model.KindForest, feature.Names(), forestOf(tb, x, y, 3, 1))
}

// boosted returns a model of boosted trees with sequence features.
func boosted(tb testing.TB) *model.Trees {
	tb.Helper()
	names := feature.ColumnNames(feature.Sequence, nil)
	cols, err := feature.NewColumns(names)
	if err != nil {
		tb.Fatal(err)
	}
	var x []float32
	var y []uint8
	r, row := feature.Reader{C: cols}, make([]float32, len(names))
	for i := range 600 {
		r.Step(&dataset.Observation{TsNs: int64(i*i) * 1e6, Dir: int8(1 - 2*(i%2)), Length: int32(60 + i*37%400), IPProto: 6, RemotePort: 443}, row)
		x, y = append(x, row...), append(y, uint8(i*37%400/140))
	}
	return newTrees(tb, model.KindBoost, names, boostedOf(tb, x, y, 3, 1))
}

func newTrees(tb testing.TB, kind string, features []string, p model.Predictor) *model.Trees {
	tb.Helper()
	m, err := model.NewTrees(model.Meta{
		Kind: kind, ClassMode: model.ClassPaper, Classes: []string{"a", "b", "noise"}, Features: features, Window: 4,
		Majority: "noise", Lengths: map[string]int{"1 95": 0, "-1 60": 1}, TrainedOn: []model.HomeID{{ScenarioDigest: "d", Seed: 1}},
	}, p)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Labels do not reach a model: predictions are the same whatever the labels.
func TestTruthDoesNotReachTheModel(t *testing.T) {
	m := trees(t)
	rapid.Check(t, func(t *rapid.T) {
		s1, s2 := m.Stream(), m.Stream()
		p1, p2 := make([]float32, 3), make([]float32, 3)
		for i := range 20 {
			r := dataset.Row{Observation: dataset.Observation{TsNs: int64(i) * 1e8, Dir: 1, Length: rapid.Int32Range(54, 1514).Draw(t, "length"), IPProto: 6}}
			s1.Step(&r.Observation, p1)
			r.Device, r.Class, r.Event, r.Role = rapid.String().Draw(t, "device"), rapid.String().Draw(t, "class"), rapid.Int64().Draw(t, "event"), "x"
			s2.Step(&r.Observation, p2)
			if !cmp.Equal(p1, p2) {
				t.Fatal("a label changed a prediction")
			}
		}
	})
}

// A small example with figures computed by hand.
func TestScore(t *testing.T) {
	m := &dataset.Manifest{Path: "napt", StartNs: 0, WarmUpNs: 100}
	s := score.NewScorer(&model.Meta{Kind: "forest", ClassMode: model.ClassPaper, Classes: []string{"a", "b", "c"}, Window: 4, Majority: "a", Lengths: map[string]int{"1 95": 1}})
	add := func(ts int64, device, truth, guess, role string, length int32) {
		s.Add(m, 0, &dataset.Row{
			Observation: dataset.Observation{TsNs: ts, Dir: 1, Length: length},
			Label:       dataset.Label{Device: device, Class: truth, Role: role},
		}, guess, score.NoProbability)
	}
	add(50, "x", "a", "a", "data", 95)             // start-up
	add(150, "gateway", "gateway", "a", "data", 1) // not from a device
	for range 3 {
		add(200, "x", "a", "a", "data", 95)
	}
	add(200, "x", "a", "b", "ack", 60)
	add(200, "y", "b", "b", "data", 95)
	add(200, "y", "b", "a", "ack", 60)
	r := s.Result()
	if r.N != 6 || r.Excluded != 2 || r.Path != "napt" {
		t.Errorf("%+v", r)
	}
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	near("accuracy", r.Accuracy, 4./6)
	near("balanced accuracy", r.BalancedAccuracy, (3./4+1./2)/2)
	near("F1 of a", r.PerClass[0].F1, 2*.75*.75/1.5)
	near("macro-F1", r.MacroF1, (.75+.5)/2)
	near("majority", r.Baseline.Majority.Accuracy, 4./6)
	near("majority macro-F1", r.Baseline.Majority.MacroF1, (2*4./6/(1+4./6)+0)/2)
	near("packet-length baseline", r.Baseline.LengthLookup.Accuracy, 2./6) // 95 maps to b, correct for one b; 60 is not in the table: a
	near("acks", r.ByRole["ack"].Accuracy, 0)
	near("data", r.ByRole["data"].Accuracy, 1)
	// Windows of four packets: {start-up, gateway, a a} and {a b b b}: truth {a} and {a b}; predictions {a} and {a b}.
	p := r.Presence
	if p.Windows != 2 {
		t.Fatalf("%+v", p)
	}
	near("Hamming loss", p.HammingLoss, 0)
	near("all-absent baseline", p.BaselineAbsent, 3./6)
	near("best constant set", p.BaselineConstant, 1./6)
	near("classes per window", p.ClassesPerWindow, 1.5)
	if r.Confusion.Counts[0][1] != 1 || r.Confusion.Counts[1][0] != 1 || !r.PerClass[0].TooFew {
		t.Errorf("%+v", r)
	}
}

// Scores agree with their definitions computed the slow way.
func TestScoreProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d"}
		n := rapid.IntRange(1, 60).Draw(t, "n")
		truth, guess := make([]string, n), make([]string, n)
		s := score.NewScorer(&model.Meta{ClassMode: model.ClassPaper, Classes: names, Window: 7, Majority: "a"})
		for i := range n {
			truth[i], guess[i] = rapid.SampledFrom(names).Draw(t, "truth"), rapid.SampledFrom(names).Draw(t, "guess")
			s.Add(&dataset.Manifest{}, 0, &dataset.Row{Label: dataset.Label{Device: "x", Class: truth[i]}}, guess[i], score.NoProbability)
		}
		r := s.Result()
		f1, recall, k, right := 0., 0., 0., 0.
		for _, c := range names {
			tp, fp, fn := 0., 0., 0.
			for i := range n {
				switch {
				case truth[i] == c && guess[i] == c:
					tp++
				case truth[i] == c:
					fn++
				case guess[i] == c:
					fp++
				}
			}
			right += tp
			if tp+fn == 0 {
				continue
			}
			k++
			recall += tp / (tp + fn)
			f1 += 2 * tp / (2*tp + fp + fn)
		}
		for _, v := range [][2]float64{{r.Accuracy, right / float64(n)}, {r.MacroF1, f1 / k}, {r.BalancedAccuracy, recall / k}} {
			if math.Abs(v[0]-v[1]) > 1e-9 {
				t.Fatalf("%v, want %v", v[0], v[1])
			}
		}
		p := r.Presence
		if p.Windows > 0 && (p.BaselineConstant > p.BaselineAbsent || p.HammingLoss < 0 || p.HammingLoss > 1) {
			t.Fatalf("%+v", p)
		}
	})
}

func TestTrainingHomesAreRejected(t *testing.T) {
	m := trees(t)
	d := &dataset.Dataset{Manifest: dataset.Manifest{ScenarioDigest: "d", Seed: 1, Homes: []dataset.HomeInfo{{Home: 0}}}}
	if err := score.CheckUnseen(m.Meta(), d); !errors.Is(err, score.ErrSeen) {
		t.Error(err)
	}
	d.Manifest.Seed = 2
	if err := score.CheckUnseen(m.Meta(), d); err != nil {
		t.Error(err)
	}
}

func TestLabellingAllocatesNothing(t *testing.T) {
	for _, m := range []model.Model{trees(t), boosted(t)} {
		s, probs := m.Stream(), make([]float32, 3)
		o := dataset.Observation{Dir: 1, Length: 95, IPProto: 6, AppProto: dataset.AppTLS}
		if n := testing.AllocsPerRun(1000, func() {
			o.TsNs += 1e6
			s.Step(&o, probs)
		}); n > 0 {
			t.Errorf("%s: %.1f allocations per packet", m.Meta().Kind, n)
		}
	}
}

func BenchmarkLabel(b *testing.B) {
	m := trees(b)
	s, probs := m.Stream(), make([]float32, 3)
	o := dataset.Observation{Dir: 1, Length: 95, IPProto: 6, AppProto: dataset.AppTLS}
	b.ReportAllocs()
	for b.Loop() {
		o.TsNs += 1e6
		o.Length = 60 + (o.Length*7)%500
		s.Step(&o, probs)
	}
}
