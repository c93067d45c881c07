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

// ONNX Runtime says of exported models what we say: probabilities to 1e-5, the same label where it is not a tie.
func TestExportedTreesAgreeWithONNXRuntime(t *testing.T) {
	env := onnxRuntime(t)
	for _, m := range []*TreeModel{model(t), boosted(t)} {
		t.Run(m.meta.Kind, func(t *testing.T) {
			dir := t.TempDir()
			var b bytes.Buffer
			if err := ExportONNX(&b, m); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(5, 5))
			const n = 500
			x := make([]float32, 0, n*len(m.meta.Features))
			for range n {
				for range m.meta.Features {
					x = append(x, float32([]float64{r.Float64()*2 - 1, r.Float64() * 600, float64(r.IntN(3) - 1), float64(r.IntN(500))}[r.IntN(4)]))
				}
			}
			var raw bytes.Buffer
			if err := binary.Write(&raw, binary.LittleEndian, x); err != nil {
				t.Fatal(err)
			}
			file := func(name string, b []byte) string {
				p := filepath.Join(dir, name)
				if b != nil {
					if err := os.WriteFile(p, b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				return p
			}
			cmd := exec.Command("node", "testdata/onnx.js", file("m.onnx", b.Bytes()), file("rows", raw.Bytes()), strconv.Itoa(len(m.meta.Features)), file("out", nil))
			cmd.Env = env
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			said, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			var labels []string
			if err := json.Unmarshal(said, &labels); err != nil || len(labels) != n {
				t.Fatalf("%v: %d labels", err, len(labels))
			}
			got, err := os.ReadFile(filepath.Join(dir, "out"))
			if err != nil || len(got) != 4*n*len(m.meta.Classes) {
				t.Fatalf("%v: %d bytes", err, len(got))
			}
			probs := make([]float32, len(m.meta.Classes))
			seen := make(map[string]bool)
			for i := range n {
				m.p.predict(x[i*len(m.meta.Features):(i+1)*len(m.meta.Features)], probs)
				seen[labels[i]] = true
				for c, want := range probs {
					p := math.Float32frombits(binary.LittleEndian.Uint32(got[4*(i*len(probs)+c):]))
					if math.Abs(float64(p-want)) > 1e-5 {
						t.Fatalf("row %d, class %d: %v, not %v", i, c, p, want)
					}
				}
				best := argmax(probs)
				for c, p := range probs {
					if m.meta.Classes[c] == labels[i] && p < probs[best]-1e-5 {
						t.Fatalf("row %d is called %s; %v", i, labels[i], probs)
					}
				}
			}
			if len(seen) < 2 {
				t.Errorf("all rows are called %v: the test shows nothing", labels[0])
			}
		})
	}
}

func TestExportRefusesWhatItCannot(t *testing.T) {
	m := model(t)
	m.meta.Classes = m.meta.Classes[:1]
	if err := ExportONNX(&bytes.Buffer{}, m); !errors.Is(err, ErrNoONNX) {
		t.Error(err)
	}
	if err := ExportONNX(&bytes.Buffer{}, late{}); !errors.Is(err, ErrNoONNX) {
		t.Error(err)
	}
}
