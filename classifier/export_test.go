package classifier

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/onnx"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/need"
)

// runONNX exports a model and returns the labels and probabilities that ONNX Runtime computes for rows of its inputs.
func runONNX(t *testing.T, env []string, m model.Model, x []float32) (labels []string, probs []float32) {
	t.Helper()
	dir := t.TempDir()
	var b, raw bytes.Buffer
	if err := onnx.Export(&b, m); err != nil {
		t.Fatal(err)
	}
	if err := binary.Write(&raw, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	model, rows, out := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "rows"), filepath.Join(dir, "out")
	for p, b := range map[string][]byte{model: b.Bytes(), rows: raw.Bytes()} {
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	columns := len(onnx.InputNames(m.Meta()))
	n := len(x) / columns
	cmd := exec.Command("node", "testdata/onnx.js", model, rows, strconv.Itoa(columns), out)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(stdout, &labels); err != nil || len(labels) != n {
		t.Fatalf("%v: %d labels", err, len(labels))
	}
	got, err := os.ReadFile(out)
	if err != nil || len(got) != 4*n*len(m.Classes()) {
		t.Fatalf("%v: %d bytes", err, len(got))
	}
	return labels, neural.ReadFloats(got)
}

// agree fails unless ONNX Runtime's results are ours: probabilities within 1e-5, the same label except in a tie.
func agree(t *testing.T, m model.Model, labels []string, got, want []float32) {
	t.Helper()
	seen := make(map[string]bool)
	classes := m.Classes()
	worst := 0.0
	for i, label := range labels {
		seen[label] = true
		probs := want[i*len(classes) : (i+1)*len(classes)]
		best := stat.Argmax(probs)
		for c, p := range probs {
			worst = max(worst, math.Abs(float64(got[i*len(classes)+c]-p)))
			if classes[c] == label && p < probs[best]-1e-5 {
				t.Fatalf("row %d is labelled %s; probabilities %v", i, label, probs)
			}
		}
	}
	t.Logf("probabilities differ by %.1e at most", worst)
	if !(worst <= 1e-5) {
		t.Errorf("probabilities differ by %v", worst)
	}
	if len(seen) < 2 {
		t.Errorf("all rows are labelled %v: the test proves nothing", labels[0])
	}
}

func TestExportedTreesAgreeWithONNXRuntime(t *testing.T) {
	env := need.NPM(t, "onnxruntime-node")
	for _, m := range []*model.Trees{trees(t), boosted(t)} {
		t.Run(m.Meta().Kind, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 5))
			const n = 500
			x := make([]float32, 0, n*len(m.Meta().Features))
			for range n {
				for range m.Meta().Features {
					x = append(x, float32([]float64{r.Float64()*2 - 1, r.Float64() * 600, float64(r.IntN(3) - 1), float64(r.IntN(500))}[r.IntN(4)]))
				}
			}
			want := make([]float32, n*len(m.Meta().Classes))
			for i := range n {
				m.Predictor().Predict(x[i*len(m.Meta().Features):(i+1)*len(m.Meta().Features)], want[i*len(m.Meta().Classes):(i+1)*len(m.Meta().Classes)])
			}
			labels, got := runONNX(t, env, m, x)
			agree(t, m, labels, got, want)
		})
	}
}

// plain returns a packet's row of a neural model's InputNames, computed back from the history's values.
func plain(h *neural.History, o *dataset.Observation, x []float32) []float32 {
	h.Step(o, x)
	row := append([]float32{float32(o.RemotePort)}, x[:neural.PaperNumbers]...)
	undo := func(v float32) float32 { return float32(math.Exp(float64(v)) - 1e-5) }
	row[feature.FeatInterval] = undo(row[feature.FeatInterval])
	if !h.Rich {
		return row
	}
	rich := x[neural.PaperNumbers+1:]
	for _, v := range rich[:5] {
		row = append(row, undo(v))
	}
	return append(row, float32(math.Round(math.Exp(float64(rich[5])))), rich[6], rich[7])
}

func TestExportedNetsAgreeWithONNXRuntime(t *testing.T) {
	env := need.NPM(t, "onnxruntime-node")
	for _, c := range []struct {
		kind, inputs string
		packets      int
	}{
		{model.KindLSTM, neural.InputsPaper, 600}, {model.KindLSTM, neural.InputsRich, 600}, {model.KindBiLSTM, neural.InputsPaper, 63}, {model.KindBiLSTM, neural.InputsRich, 63}, {model.KindTCN, neural.InputsRich, 600},
	} {
		t.Run(c.kind+" "+c.inputs, func(t *testing.T) {
			o := neuralOptions(c.kind, 6)
			o.Units, o.Layers = 32, 2
			if err := o.Defaults(); err != nil {
				t.Fatal(err)
			}
			train := exchangeCorpus(8, 1500, c.inputs, false)
			train.Meta.Kind = c.kind
			if c.inputs == neural.InputsRich {
				train.Meta.Features = append(feature.Names(), neural.RichNames()...)
			}
			m, err := neural.Fit(t.Context(), train, o, c.inputs)
			if err != nil {
				t.Fatal(err)
			}
			h := neural.NewHistory(c.inputs)
			var x, want []float32
			s, probs := m.Stream(), make([]float32, len(m.Classes()))
			r := rand.New(rand.NewPCG(8, 8))
			fed := 0
			exchanges(99, c.packets, func(o *dataset.Observation, _ int16) {
				if fed++; fed > c.packets {
					return
				}
				if r.IntN(4) == 0 { // values that were not in training
					o.RemotePort, o.Length, o.IPProto = uint16(r.IntN(65536)), int32(r.IntN(3000)), uint8(r.IntN(2)*6)
				}
				x = append(x, plain(h, o, make([]float32, h.Numbers()))...)
				if _, ready := s.Step(o, probs); ready {
					want = append(want, probs...)
				}
			})
			for _, ready := s.Flush(probs); ready; _, ready = s.Flush(probs) {
				want = append(want, probs...)
			}
			labels, got := runONNX(t, env, m, x)
			agree(t, m, labels, got, want)
		})
	}
}

func TestExportRejectsUnsupportedModels(t *testing.T) {
	m := trees(t)
	m.Meta().Classes = m.Meta().Classes[:1]
	if err := onnx.Export(&bytes.Buffer{}, m); !errors.Is(err, onnx.ErrNoONNX) {
		t.Error(err)
	}
	if err := onnx.Export(&bytes.Buffer{}, struct{ model.Model }{trees(t)}); !errors.Is(err, onnx.ErrNoONNX) {
		t.Error(err)
	}
}
