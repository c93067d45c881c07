package classifier

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// exchanges generates a home of three devices whose packets have the same lengths: "a" gets a response of the same length at once, "b" after
// 0.5 s, "c" none. A single packet carries no information; the preceding packets and their times do.
func exchanges(home uint64, n int, yield func(o *dataset.Observation, class int16)) {
	r := rand.New(rand.NewPCG(home, 5))
	at, frame := int64(1e9), int64(0)
	send := func(dir int8, length int32, class int16) {
		frame++
		yield(&dataset.Observation{TsNs: at, Frame: frame, Dir: dir, Length: length, IPProto: 17, RemotePort: 51820, RemoteAddr: "198.18.0.1", AppProto: dataset.AppWireGuard}, class)
	}
	for frame < int64(n) {
		at += int64(2e9 + r.Float64()*1e9)
		length := int32(100 + 16*r.IntN(4))
		switch class := int16(r.IntN(3)); class {
		case 0:
			send(1, length, class)
			at += 1e6
			send(-1, length, class)
		case 1:
			send(1, length, class)
			at += 5e8
			send(-1, length, class)
		default:
			send(1, length, class)
		}
	}
}

// exchangeCorpus returns a corpus of such homes, with permuted labels if permute is set.
func exchangeCorpus(homes, n int, inputs string, permute bool) *neural.Corpus {
	h := neural.NewHistory(inputs)
	c := &neural.Corpus{Numbers: h.Numbers(), Meta: model.Meta{Kind: model.KindTCN, ClassMode: model.ClassPaper, Features: feature.Names(), Classes: []string{"a", "b", "c"}, Majority: "a", Lengths: map[string]int{}}}
	for k := range homes {
		h.Reset()
		var home neural.CorpusHome
		exchanges(uint64(k), n, func(o *dataset.Observation, class int16) {
			at := len(home.X)
			home.X = append(home.X, make([]float32, c.Numbers)...)
			h.Step(o, home.X[at:])
			home.Port, home.Size, home.Class = append(home.Port, o.RemotePort), append(home.Size, feature.SizeOf(o)), append(home.Class, class)
		})
		if permute {
			rand.New(rand.NewPCG(uint64(k), 6)).Shuffle(len(home.Class), func(i, j int) { home.Class[i], home.Class[j] = home.Class[j], home.Class[i] })
		}
		c.Homes = append(c.Homes, home)
	}
	return c
}

func neuralOptions(kind string, epochs int) *neural.Options {
	return &neural.Options{
		Kind: kind, Classes: model.ClassPaper, Window: 50, Seed: 3,
		Units: 16, Layers: 1, Epochs: epochs, Dropout: -1, Rate: 1e-2, Workers: 2,
	}
}

func trained(ctx context.Context, tb testing.TB, c *neural.Corpus, o *neural.Options) (*neural.Model, error) {
	tb.Helper()
	if err := o.Defaults(); err != nil {
		tb.Fatal(err)
	}
	c.Meta.Kind = o.Kind
	inputs := neural.InputsPaper
	if o.Kind == model.KindTCN {
		inputs = neural.InputsRich
	}
	return neural.Fit(ctx, c, o, inputs)
}

func mustTrain(tb testing.TB, c *neural.Corpus, o *neural.Options) *neural.Model {
	tb.Helper()
	m, err := trained(tb.Context(), tb, c, o)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func inputsOf(kind string) string {
	if kind == model.KindTCN {
		return neural.InputsRich
	}
	return neural.InputsPaper
}

// accuracyOn streams a test home through a model and returns its accuracy.
func accuracyOn(tb testing.TB, m model.Model, home uint64, n int) float64 {
	tb.Helper()
	right, count, last := 0, 0, int64(0)
	l := model.NewLabeller(m, func(truth int16, class string, _ float32) error {
		count++
		last++
		if class == m.Classes()[truth] {
			right++
		}
		return nil
	})
	fed := 0
	exchanges(home, n, func(o *dataset.Observation, class int16) {
		fed++
		if err := l.Step(o, class); err != nil {
			tb.Fatal(err)
		}
	})
	if err := l.Flush(); err != nil {
		tb.Fatal(err)
	}
	if count != fed {
		tb.Errorf("%d answers for %d packets", count, fed)
	}
	return float64(right) / float64(count)
}

// Models that look back can classify the responses, 2 packets in 5, and a third of the requests by chance; models that look ahead can
// classify the requests, too.
func TestNeuralModelsLearnFromTheSequence(t *testing.T) {
	for kind, want := range map[string][2]float64{model.KindLSTM: {0.56, 0.64}, model.KindBiLSTM: {0.95, 1}, model.KindTCN: {0.95, 1}} {
		epochs := 6
		if kind == model.KindTCN {
			epochs = 12
		}
		m := mustTrain(t, exchangeCorpus(12, 2000, inputsOf(kind), false), neuralOptions(kind, epochs))
		if got := accuracyOn(t, m, 99, 3000); got < want[0] || got > want[1] {
			t.Errorf("%s: accuracy %.3f on a test home, want one in %v", kind, got, want)
		}
	}
}

func TestNeuralModelOfPermutedLabelsIsAtChance(t *testing.T) {
	m := mustTrain(t, exchangeCorpus(8, 1500, neural.InputsRich, true), neuralOptions(model.KindTCN, 4))
	if got := accuracyOn(t, m, 99, 3000); got > 0.48 { // the most common class has 2 in 5
		t.Errorf("accuracy %.3f after training on permuted labels", got)
	}
}

func TestNeuralTrainingIsDeterministicAndResumes(t *testing.T) {
	for _, kind := range model.NeuralKinds() {
		c := exchangeCorpus(5, 1200, inputsOf(kind), false)
		o := neuralOptions(kind, 4)
		o.Dropout = 0.2
		want := saved(t, mustTrain(t, c, o))
		o.Workers = 1
		if !bytes.Equal(want, saved(t, mustTrain(t, c, o))) {
			t.Errorf("%s: models trained with one worker and with two differ", kind)
		}
		// Stopped after two epochs, then resumed.
		file := filepath.Join(t.TempDir(), "checkpoint")
		ctx, cancel := context.WithCancel(t.Context())
		stopped := *o
		stopped.Checkpoint = file
		stopped.Progress = func(p neural.Progress) {
			if p.Epoch == 3 && p.Share < 1 || p.Epoch == 2 && p.Share == 1 {
				cancel()
			}
		}
		if _, err := trained(ctx, t, c, &stopped); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: stopped with %v", kind, err)
		}
		stopped.Progress = func(p neural.Progress) {
			if p.Epoch < 3 || !p.Resumed {
				t.Errorf("%s: epoch %d is trained again after a resume", kind, p.Epoch)
			}
		}
		if !bytes.Equal(want, saved(t, mustTrain(t, c, &stopped))) {
			t.Errorf("%s: a resumed training gives another model", kind)
		}
		other := stopped
		other.Seed++
		if _, err := trained(t.Context(), t, c, &other); !errors.Is(err, neural.ErrCheckpoint) {
			t.Errorf("%s: another training's checkpoint gives %v", kind, err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range [][]byte{{}, []byte("what is this"), b[:len(b)-5], append(slices.Clone(b[:len(b)-1]), b[len(b)-1]^1)} {
			if err := os.WriteFile(file, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := trained(t.Context(), t, c, &stopped); !errors.Is(err, neural.ErrCheckpoint) {
				t.Errorf("%s: a damaged checkpoint gives %v", kind, err)
			}
		}
	}
}

// A quick LSTM gives the exact one's labels for all but one packet in 1000 at most, and probabilities within 0.01.
func TestQuickModelAgreesWithTheExactOne(t *testing.T) {
	m := mustTrain(t, exchangeCorpus(4, 1500, neural.InputsPaper, false), neuralOptions(model.KindLSTM, 3))
	exact, quick := m.Stream(), neural.Quick(m).Stream()
	a, b := make([]float32, 3), make([]float32, 3)
	n, other, worst := 0, 0, 0.0
	exchanges(99, 4000, func(o *dataset.Observation, _ int16) {
		exact.Step(o, a)
		quick.Step(o, b)
		n++
		if stat.Argmax(a) != stat.Argmax(b) {
			other++
		}
		for i := range a {
			worst = max(worst, math.Abs(float64(a[i]-b[i])))
		}
	})
	if other*1000 > n || worst > 0.01 || worst == 0 {
		t.Errorf("%d of %d packets have other labels; probabilities differ by up to %v", other, n, worst)
	}
	for _, kind := range []string{model.KindBiLSTM, model.KindTCN} {
		if m := mustTrain(t, exchangeCorpus(2, 300, inputsOf(kind), false), neuralOptions(kind, 1)); neural.Quick(m) != model.Model(m) {
			t.Errorf("%s: Quick returned another model; it has no quick form", kind)
		}
	}
}

func TestNeuralStreamsAllocateNothing(t *testing.T) {
	kinds := model.NeuralKinds()
	for i := range len(kinds) + 1 {
		kind := kinds[i%len(kinds)]
		var m model.Model = mustTrain(t, exchangeCorpus(2, 300, inputsOf(kind), false), neuralOptions(kind, 1))
		if i == len(kinds) {
			m = neural.Quick(m) // the first is the LSTM
		}
		s := m.Stream()
		probs := make([]float32, 3)
		o := dataset.Observation{Dir: 1, Length: 120, IPProto: 17, RemotePort: 51820, RemoteAddr: "198.18.0.1"}
		step := func() {
			o.TsNs += 1e7
			o.Frame++
			s.Step(&o, probs)
		}
		for range 200 {
			step()
		}
		if n := testing.AllocsPerRun(300, step); n != 0 && !raceDetector {
			t.Errorf("%s: %v allocations per packet", kind, n)
		}
	}
}

func BenchmarkLabelNeural(b *testing.B) {
	for _, kind := range model.NeuralKinds() {
		b.Run(kind, func(b *testing.B) {
			o := neuralOptions(kind, 1)
			o.Units, o.Layers = 64, 2
			s := mustTrain(b, exchangeCorpus(2, 300, inputsOf(kind), false), o).Stream()
			probs := make([]float32, 3)
			ob := dataset.Observation{Dir: 1, Length: 120, IPProto: 17, RemotePort: 51820, RemoteAddr: "198.18.0.1"}
			b.ReportAllocs()
			for b.Loop() {
				ob.TsNs += 1e7
				ob.Frame++
				s.Step(&ob, probs)
			}
		})
	}
}
