package prediction_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"glasshouse/testbed/dataset/prediction"
)

// writeColumns writes predictions by a schema: what pandas, Polars and DuckDB write differs in types, encodings and codecs.
func writeColumns(t *testing.T, path string, g parquet.Group, rows []map[string]any, options ...parquet.WriterOption) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[map[string]any](f, append(options, parquet.NewSchema("predictions", g))...)
	for len(rows) > 0 { // several row groups
		n := min(len(rows), 3000)
		if _, err := w.Write(rows[:n]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		rows = rows[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// samplePredictions are many enough for pages that a compressor can do nothing with: probabilities that differ in all their bits.
// No value is zero, which the library's writer takes for null.
func samplePredictions(n int) (rows []map[string]any, want []prediction.Prediction) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		p := r.Float64()
		class := fmt.Sprintf("class-%d", r.IntN(5))
		home, frame := i/2500+1, int64(i%2500+1)
		rows = append(rows, map[string]any{
			"home": int64(home), "frame": frame, "class": class, "probability": p, "__index_level_0__": int64(i),
		})
		want = append(want, prediction.Prediction{Home: home, Frame: frame, Class: class, Probability: float32(p)})
	}
	return rows, want
}

func TestPredictionsInEveryCodecAndEncoding(t *testing.T) {
	rows, want := samplePredictions(4000)
	double, text, long := parquet.Leaf(parquet.DoubleType), parquet.String(), parquet.Leaf(parquet.Int64Type)
	plain := parquet.Group{"home": long, "frame": long, "class": text, "probability": double}
	encoded := func(home, frame, class, probability parquet.Node) parquet.Group {
		return parquet.Group{"home": home, "frame": frame, "class": class, "probability": probability}
	}
	dict := func(n parquet.Node) parquet.Node { return parquet.Encoded(n, &parquet.RLEDictionary) }
	delta := parquet.Encoded(long, &parquet.DeltaBinaryPacked)
	shapes := map[string]parquet.Group{
		"plain":      plain,
		"dictionary": encoded(dict(long), dict(long), dict(text), dict(double)),
		"delta":      encoded(delta, delta, parquet.Encoded(text, &parquet.DeltaLengthByteArray), double),
		"prefixes":   encoded(delta, delta, parquet.Encoded(text, &parquet.DeltaByteArray), parquet.Encoded(double, &parquet.ByteStreamSplit)),
		"optional": encoded(parquet.Optional(dict(long)), parquet.Optional(delta), parquet.Optional(dict(text)),
			parquet.Optional(parquet.Encoded(double, &parquet.RLEDictionary))),
		"with an index": {"home": long, "frame": long, "class": text, "probability": double, "__index_level_0__": parquet.Optional(long)},
	}
	codecs := map[string]parquet.WriterOption{
		"uncompressed": parquet.Compression(&parquet.Uncompressed), "snappy": parquet.Compression(&parquet.Snappy),
		"zstd": parquet.Compression(&parquet.Zstd), "gzip": parquet.Compression(&parquet.Gzip),
		"brotli": parquet.Compression(&parquet.Brotli), "lz4_raw": parquet.Compression(&parquet.Lz4Raw),
	}
	for shape, group := range shapes {
		for codec, option := range codecs {
			for version := 1; version <= 2; version++ {
				t.Run(fmt.Sprintf("%s/%s/v%d", shape, codec, version), func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "p.parquet")
					writeColumns(t, path, group, rows, option, parquet.DataPageVersion(version))
					got, err := readAll(path)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Error(diff[:min(len(diff), 500)])
					}
				})
			}
		}
	}
}

func TestPredictionsInOtherNumberTypes(t *testing.T) {
	double, single, short := parquet.Leaf(parquet.DoubleType), parquet.Leaf(parquet.FloatType), parquet.Leaf(parquet.Int32Type)
	schema := func(home, frame, class parquet.Node) parquet.Group {
		return parquet.Group{"home": home, "frame": frame, "class": class, "probability": single}
	}
	row := func(home, frame any) map[string]any {
		return map[string]any{"home": home, "frame": frame, "class": "a", "probability": float32(math.NaN())}
	}
	for name, c := range map[string]struct {
		group parquet.Group
		row   map[string]any
		wrong bool
	}{
		"int32":        {schema(short, short, parquet.String()), row(int32(1), int32(7)), false},
		"unsigned":     {schema(parquet.Uint(8), parquet.Uint(64), parquet.String()), row(uint8(1), uint64(7)), false},
		"whole floats": {schema(double, single, parquet.String()), row(1.0, float32(7)), false},
		"enum":         {schema(short, short, parquet.Enum()), row(int32(1), int32(7)), false},
		"a fraction":   {schema(double, double, parquet.String()), row(1.0, 7.5), true},
		"a list":       {schema(parquet.Repeated(short), short, parquet.String()), row([]int32{1}, int32(7)), true},
	} {
		path := filepath.Join(t.TempDir(), "p.parquet")
		writeColumns(t, path, c.group, []map[string]any{c.row})
		got, err := readAll(path)
		if c.wrong {
			if err == nil {
				t.Errorf("%s: read as %v", name, got)
			}
			continue
		}
		if diff := cmp.Diff([]prediction.Prediction{{1, 7, "a", -1}}, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}
