package prediction_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"glasshouse/testbed/dataset/prediction"
)

func readAll(path string) ([]prediction.Prediction, error) {
	var all []prediction.Prediction
	err := prediction.Read(path, func(_ int64, p prediction.Prediction) error {
		all = append(all, p)
		return nil
	})
	return all, err
}

func TestPredictionsOfCSV(t *testing.T) {
	want := []prediction.Prediction{{0, 1, "echo-dot", 0.5}, {0, 2, "noise", -1}}
	for name, text := range map[string]string{
		"plain":                   "home,frame,class,probability\n0,1,echo-dot,0.5\n0,2,noise,\n",
		"another order":           "class,probability,frame,home\r\necho-dot,0.5,1,0\r\nnoise,,2,0\r\n",
		"pandas":                  ",home,frame,class,probability\n0,0.0,1,echo-dot,0.5\n1,0.0,2,noise,nan\n\n",
		"written twice":           "\ufeffUnnamed: 0,home,frame,class,probability\r\n0,0,1.0,echo-dot,5e-1\r\n1,0,2.0,noise,<NA>\r\n\r\n",
		"quoted line ends":        "\"class\",home,frame,probability,\"Unnamed: 0\"\n\"echo-dot\",0,1,0.5,\"a\nb, \"\"c\"\"\"\nnoise,0,2,None,\n",
		"quotes, byte order mark": "\ufeff\"home\",\"frame\",\"class\",\"probability\"\n\"0\",1,\"echo-dot\",0.5\n0,2,noise,\"\"",
	} {
		path := filepath.Join(t.TempDir(), "p.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestPredictionErrorsNameTheirLine(t *testing.T) {
	const head = "home,frame,class,probability\n0,1,a,0.5\n"
	for text, want := range map[string]string{
		"":                              "empty",
		"home,frame\n":                  ":1: column \"class\" is missing",
		"home,frame,class,class\n":      ":1: column \"class\" is there twice",
		"home,frame,class,colour\n":     ":1: column \"colour\" is not known",
		head + "0,2,a\n":                ":3: 3 fields, not 4",
		head + "0,1.5,a,0.5\n":          ":3: frame \"1.5\" is not a whole number",
		head + "nan,2,a,0.5\n":          ":3: home \"nan\" is not a whole number",
		head + "\n0,2,\"a,0.5\n":        ":4: extraneous or missing",
		head + "0,two,a,0.5\n":          ":3: frame \"two\" is not a whole number",
		head + "x,2,a,0.5\n":            ":3: home \"x\" is not a whole number",
		head + "0,2,,0.5\n":             ":3: no class",
		head + "0,2,a,much\n":           ":3: probability \"much\" is not a number",
		head + "0,2,a,-0.1\n":           ":3: probability",
		head + "0,2,a,inf\n":            ":3: probability",
		head + strings.Repeat("x", 1e5): ":3: a line of more than",
	} {
		path := filepath.Join(t.TempDir(), "p.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readAll(path)
		var bad *prediction.Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

func TestPredictionsOfParquet(t *testing.T) {
	type narrow struct {
		Class string `parquet:"class,dict"`
		Home  int32  `parquet:"home"`
		Frame int64  `parquet:"frame"`
	}
	type wide struct {
		Home        int64    `parquet:"home"`
		Frame       int32    `parquet:"frame"`
		Class       string   `parquet:"class"`
		Probability *float64 `parquet:"probability,optional"`
		Index       *int64   `parquet:"__index_level_0__,optional"`
	}
	dir := t.TempDir()
	half := 0.5
	if err := parquet.WriteFile(filepath.Join(dir, "narrow"), []narrow{{"a", 1, 2}, {"b", 3, 4}}); err != nil {
		t.Fatal(err)
	}
	if err := parquet.WriteFile(filepath.Join(dir, "wide"), []wide{{1, 2, "a", &half, nil}, {3, 4, "b", nil, nil}}); err != nil {
		t.Fatal(err)
	}
	if err := parquet.WriteFile(filepath.Join(dir, "bad"), []wide{{1, 2, "a", &half, nil}, {3, 4, "", nil, nil}}); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]float32{"narrow": -1, "wide": 0.5} {
		got, err := readAll(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]prediction.Prediction{{1, 2, "a", p}, {3, 4, "b", -1}}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := readAll(filepath.Join(dir, "bad")); err == nil || !strings.Contains(err.Error(), "bad:2: no class") {
		t.Error(err)
	}
}

// FuzzPredictions: whatever a file holds, reading it ends, without a panic, and gives no probability that is none.
func FuzzPredictions(f *testing.F) {
	f.Add([]byte("home,frame,class,probability\n0,1,a,0.5\n"))
	f.Add([]byte("PAR1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, _ := readAll(path)
		for _, p := range got {
			if p.Class == "" || p.Probability > 1 {
				t.Errorf("%+v", p)
			}
		}
	})
}
