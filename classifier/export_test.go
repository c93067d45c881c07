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
	"strings"
	"testing"

	"glasshouse/testbed/dataset"
)

// onnxRuntime returns the environment in which node finds onnxruntime-node, which npm has installed globally.
func onnxRuntime(t *testing.T) []string {
	t.Helper()
	need := func(what string, err error) {
		t.Helper()
		switch {
		case err == nil:
		case os.Getenv("GLASSHOUSE_CI") != "":
			t.Fatalf("%s is missing: %v", what, err)
		default:
			t.Skipf("%s is missing: %v", what, err)
		}
	}
	_, err := exec.LookPath("node")
	need("node", err)
	root, err := exec.Command("npm", "root", "-g").Output()
	need("npm", err)
	modules := strings.TrimSpace(string(root))
	_, err = os.Stat(filepath.Join(modules, "onnxruntime-node"))
	need("npm's onnxruntime-node", err)
	return append(os.Environ(), "NODE_PATH="+modules)
}

// runONNX exports a model, and gives what ONNX Runtime says of rows of its inputs.
func runONNX(t *testing.T, env []string, m Model, x []float32) (labels []string, probs []float32) {
	t.Helper()
	dir := t.TempDir()
	var b, raw bytes.Buffer
	if err := ExportONNX(&b, m); err != nil {
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
	columns := len(InputNames(m.Meta()))
	n := len(x) / columns
	cmd := exec.Command("node", "testdata/onnx.js", model, rows, strconv.Itoa(columns), out)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(said, &labels); err != nil || len(labels) != n {
		t.Fatalf("%v: %d labels", err, len(labels))
	}
	got, err := os.ReadFile(out)
	if err != nil || len(got) != 4*n*len(m.Classes()) {
		t.Fatalf("%v: %d bytes", err, len(got))
	}
	return labels, readFloats(got)
}

// agree fails unless ONNX Runtime says what we say: probabilities to 1e-5, the same label where it is not a tie.
func agree(t *testing.T, m Model, labels []string, got, want []float32) {
	t.Helper()
	seen := make(map[string]bool)
	classes := m.Classes()
	far := 0.0
	for i, label := range labels {
		seen[label] = true
		probs := want[i*len(classes) : (i+1)*len(classes)]
		best := argmax(probs)
		for c, p := range probs {
			far = max(far, math.Abs(float64(got[i*len(classes)+c]-p)))
			if classes[c] == label && p < probs[best]-1e-5 {
				t.Fatalf("row %d is called %s; %v", i, label, probs)
			}
		}
	}
	t.Logf("probabilities differ by %.1e at most", far)
	if !(far <= 1e-5) {
		t.Errorf("probabilities differ by %v", far)
	}
	if len(seen) < 2 {
		t.Errorf("all rows are called %v: the test shows nothing", labels[0])
	}
}

func TestExportedTreesAgreeWithONNXRuntime(t *testing.T) {
	env := onnxRuntime(t)
	for _, m := range []*TreeModel{model(t), boosted(t)} {
		t.Run(m.meta.Kind, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 5))
			const n = 500
			x := make([]float32, 0, n*len(m.meta.Features))
			for range n {
				for range m.meta.Features {
					x = append(x, float32([]float64{r.Float64()*2 - 1, r.Float64() * 600, float64(r.IntN(3) - 1), float64(r.IntN(500))}[r.IntN(4)]))
				}
			}
			want := make([]float32, n*len(m.meta.Classes))
			for i := range n {
				m.p.predict(x[i*len(m.meta.Features):(i+1)*len(m.meta.Features)], want[i*len(m.meta.Classes):(i+1)*len(m.meta.Classes)])
			}
			labels, got := runONNX(t, env, m, x)
			agree(t, m, labels, got, want)
		})
	}
}

// plain gives a packet's row of a neural model's InputNames, from what history gives.
func plain(h *history, o *dataset.Observation, x []float32) []float32 {
	h.step(o, x)
	row := append([]float32{float32(o.RemotePort)}, x[:paperNumbers]...)
	undo := func(v float32) float32 { return float32(math.Exp(float64(v)) - 1e-5) }
	row[featInterval] = undo(row[featInterval])
	if !h.rich {
		return row
	}
	rich := x[paperNumbers+1:]
	for _, v := range rich[:5] {
		row = append(row, undo(v))
	}
	return append(row, float32(math.Round(math.Exp(float64(rich[5])))), rich[6], rich[7])
}

func TestExportedNetsAgreeWithONNXRuntime(t *testing.T) {
	env := onnxRuntime(t)
	for _, c := range []struct {
		kind, inputs string
		packets      int
	}{
		{KindLSTM, inputsPaper, 600}, {KindLSTM, inputsRich, 600}, {KindBiLSTM, inputsPaper, 63}, {KindBiLSTM, inputsRich, 63}, {KindTCN, inputsRich, 600},
	} {
		t.Run(c.kind+" "+c.inputs, func(t *testing.T) {
			o := neuralOptions(c.kind, 6)
			o.Units, o.Layers = 32, 2
			if err := o.defaults(); err != nil {
				t.Fatal(err)
			}
			learn := talks(8, 1500, c.inputs, false)
			learn.meta.Kind = c.kind
			if c.inputs == inputsRich {
				learn.meta.Features = append(FeatureNames(), richNames()...)
			}
			m, err := teach(t.Context(), learn, o, c.inputs)
			if err != nil {
				t.Fatal(err)
			}
			h := newHistory(c.inputs)
			var x, want []float32
			s, probs := m.Stream(), make([]float32, len(m.Classes()))
			r := rand.New(rand.NewPCG(8, 8))
			fed := 0
			talk(99, c.packets, func(o *dataset.Observation, _ int16) {
				if fed++; fed > c.packets {
					return
				}
				if r.IntN(4) == 0 { // what it has not learned, too
					o.RemotePort, o.Length, o.IPProto = uint16(r.IntN(65536)), int32(r.IntN(3000)), uint8(r.IntN(2)*6)
				}
				x = append(x, plain(h, o, make([]float32, h.numbers()))...)
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

func TestExportRefusesWhatItCannot(t *testing.T) {
	m := model(t)
	m.meta.Classes = m.meta.Classes[:1]
	if err := ExportONNX(&bytes.Buffer{}, m); !errors.Is(err, ErrNoONNX) {
		t.Error(err)
	}
	if err := ExportONNX(&bytes.Buffer{}, struct{ Model }{}); !errors.Is(err, ErrNoONNX) {
		t.Error(err)
	}
}
