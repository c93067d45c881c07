package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

const (
	claimedRows = 180
	fewBytes    = 200 << 20 // what may be allocated to find a false claim
)

// claimingFile writes a small packets.parquet in which a page of a column has another body, or its header another count.
func claimingFile(t *testing.T, column, values, encoding int, body []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), FilePackets)
	w, err := createPackets(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range claimedRows {
		r := Row{Observation: Observation{Frame: int64(i + 1), TsNs: int64(i)}, Label: Label{Device: "x"}}
		if err := w.add(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	c := w.cols[column]
	c.pages = append(appendPageHeader(nil, pageData, len(body), values, encoding), body...)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// frugally runs f and reports if it took long or allocated much.
func frugally(t *testing.T, what string, f func() error) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	err := f()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > fewBytes {
		t.Errorf("%s: %d MB allocated", what, n>>20)
	}
	if took > 5*time.Second { // a second, on a machine that does nothing else
		t.Errorf("%s: took %s", what, took)
	}
	return err
}

func TestPagesThatClaimMoreThanTheyHold(t *testing.T) {
	uvarint := func(prefix []byte, v ...uint64) []byte {
		for _, x := range v {
			prefix = binary.AppendUvarint(prefix, x)
		}
		return append(prefix, make([]byte, 40)...)
	}
	levels := func(b []byte) []byte { return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...) }
	const many = 1 << 30
	for name, c := range map[string]struct {
		column, values, encoding int
		body                     []byte
		want                     string
	}{
		"bit-packed indexes": {colCategory, claimedRows, encodingDictionary, uvarint([]byte{3}, many/8<<1|1), "a run of"},
		"repeated index":     {colRole, claimedRows, encodingDictionary, uvarint([]byte{3}, many<<1), "a run of"},
		"deltas":             {colTs, claimedRows, encodingDelta, uvarint(nil, 128, 4, many, 0), "encoded in a page of 180"},
		"block of deltas":    {colTs, claimedRows, encodingDelta, uvarint(nil, many, 4, claimedRows, 0), "blocks of"},
		"levels":             {colEvent, claimedRows, encodingDelta, levels(uvarint(nil, many<<1)), "a run of"},
		"values of a page":   {colLost, many, encodingPlain, make([]byte, 30), "a page of 1073741824 values where 180 are left"},
		"too few values":     {colLost, claimedRows - 1, encodingPlain, make([]byte, 30), "179 values, the row group has 180 rows"},
	} {
		path := claimingFile(t, c.column, c.values, c.encoding, c.body)
		err := frugally(t, name, func() error { return ReadRows(path, func(*Row) error { return nil }) })
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestFootersThatClaimMoreThanTheyHold(t *testing.T) {
	list := append([]byte{0x15, 2, 0x19, 0xfc}, binary.AppendUvarint(nil, 1<<30)...) // version 1; a schema of 2^30 elements
	for name, footer := range map[string][]byte{
		"a list":          list,
		"a text":          append([]byte{0x15, 2, 0x18}, binary.AppendUvarint(nil, 1<<31-1)...),
		"lists in lists":  append([]byte{0x15, 2, 0x19}, bytes.Repeat([]byte{0x19}, 1<<20)...),
		"structs without": bytes.Repeat([]byte{0x1c}, 1<<20),
	} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		b := append([]byte(parquetMagic), footer...)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(footer))), parquetMagic...)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		err := frugally(t, name, func() error { return ReadRows(path, func(*Row) error { return nil }) })
		if !errors.Is(err, errThrift) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCompressedBombs: a page decompresses to what its header claims, and no further.
func TestCompressedBombs(t *testing.T) {
	zeros := make([]byte, 256<<20)
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := e.EncodeAll(zeros, nil)
	gz, err := parquet.Gzip.Encode(nil, zeros)
	if err != nil {
		t.Fatal(err)
	}
	br, err := parquet.Brotli.Encode(nil, zeros)
	if err != nil {
		t.Fatal(err)
	}
	for codec, b := range map[format.CompressionCodec][]byte{
		format.Zstd: bomb, format.Gzip: gz, format.Brotli: br,
		format.Lz4Raw: {0xff, 0xff, 0xff, 0xff, 1}, format.Snappy: {0xff, 0xff, 0xff, 0xff, 7, 0},
	} {
		err := frugally(t, codec.String(), func() error { _, err := inflate(codec, b, 1000); return err })
		if err == nil {
			t.Errorf("%s: no error", codec)
		}
	}
}
