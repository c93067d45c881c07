package parquetfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"glasshouse/testbed/dataset/datasettest"
)

func TestFootersThatClaimMoreThanTheyHold(t *testing.T) {
	list := append([]byte{0x15, 2, 0x19, 0xfc}, binary.AppendUvarint(nil, 1<<30)...) // version 1; a schema of 2^30 elements
	for name, footer := range map[string][]byte{
		"a list":          list,
		"a text":          append([]byte{0x15, 2, 0x18}, binary.AppendUvarint(nil, 1<<31-1)...),
		"lists in lists":  append([]byte{0x15, 2, 0x19}, bytes.Repeat([]byte{0x19}, 1<<20)...),
		"structs without": bytes.Repeat([]byte{0x1c}, 1<<20),
	} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		b := append([]byte(Magic), footer...)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(footer))), Magic...)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		err := datasettest.Frugally(t, name, func() error { return Read(path, func(*struct{ Frame int64 }) error { return nil }) })
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
		err := datasettest.Frugally(t, codec.String(), func() error { _, err := inflate(codec, b, 1000); return err })
		if err == nil {
			t.Errorf("%s: no error", codec)
		}
	}
}
