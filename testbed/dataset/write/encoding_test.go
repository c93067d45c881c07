package write

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"

	"glasshouse/testbed/dataset/datasettest"
)

// What is encoded here is decoded by the library, at every width, with runs and without.
func TestHybridIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 16).Draw(t, "width")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		v := make([]uint16, rapid.IntRange(1, 3000).Draw(t, "n"))
		repeat := rapid.IntRange(0, 100).Draw(t, "repeat")
		for i := range v {
			v[i] = uint16(r.Uint32()) & (1<<width - 1)
			if i > 0 && r.IntN(101) < repeat {
				v[i] = v[i-1]
			}
		}
		b := appendHybrid([]byte{7}, v, width)
		if b[0] != 7 || len(b)-1 > hybridBound(len(v), width) {
			t.Fatalf("%d bytes", len(b))
		}
		got, err := (&rle.Encoding{BitWidth: width}).DecodeInt32(nil, b[1:])
		if err != nil {
			t.Fatal(err)
		}
		for i := range v {
			if int(got[i]) != int(v[i]) {
				t.Fatalf("value %d is %d, not %d", i, got[i], v[i])
			}
		}
	})
}

func TestDeltaIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		v := make([]int64, rapid.IntRange(0, 700).Draw(t, "n"))
		width := rapid.IntRange(0, 64).Draw(t, "width")
		rising := rapid.Bool().Draw(t, "rising")
		for i := range v {
			v[i] = int64(r.Uint64() >> (64 - width))
			if rising && i > 0 {
				v[i] += v[i-1]
			}
		}
		if len(v) > 2 && rapid.Bool().Draw(t, "extremes") {
			v[len(v)/2], v[len(v)/3] = math.MaxInt64, math.MinInt64
		}
		got, err := new(delta.BinaryPackedEncoding).DecodeInt64(nil, appendDelta(nil, v))
		if err != nil {
			t.Fatal(err)
		}
		if len(v) == 0 && len(got) == 0 {
			return
		}
		if diff := cmp.Diff(v, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The library's encoder takes as many bytes.
func TestDeltaIsAsSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	v := make([]int64, 8192)
	for i := range v {
		v[i] = datasettest.Epoch + int64(i)*1_000_000 + r.Int64N(1_000_000)
	}
	theirs, err := new(delta.BinaryPackedEncoding).EncodeInt64(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	if ours := appendDelta(nil, v); len(ours) > len(theirs) {
		t.Errorf("%d bytes, the library takes %d", len(ours), len(theirs))
	}
}

func TestPageHeaderIsTheLibrarys(t *testing.T) {
	data := format.PageHeader{Type: format.DataPage, UncompressedPageSize: 12345, CompressedPageSize: 12345}
	data.DataPageHeader.V = format.DataPageHeader{
		NumValues: 8192, Encoding: format.RLEDictionary, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
	}
	data.DataPageHeader.Valid = true
	dictionary := format.PageHeader{Type: format.DictionaryPage, UncompressedPageSize: 9, CompressedPageSize: 9}
	dictionary.DictionaryPageHeader.V = format.DictionaryPageHeader{NumValues: 3, Encoding: format.Plain}
	dictionary.DictionaryPageHeader.Valid = true
	for _, c := range []struct {
		name string
		want format.PageHeader
		got  []byte
	}{
		{"data", data, appendPageHeader(nil, pageData, 12345, 8192, encodingDictionary)},
		{"dictionary", dictionary, appendPageHeader(nil, pageDictionary, 9, 3, encodingPlain)},
	} {
		var got format.PageHeader
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), c.got, &got); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
