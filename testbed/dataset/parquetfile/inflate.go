package parquetfile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// inflate decompresses a page, which must have exactly size bytes. Pages are decompressed here and not by the library because its
// decompressors go on past the size that the header claims (a few bytes of zstd can be gigabytes), its LZ4_RAW doubles its buffer for
// ever on a damaged block, and what it decompresses into a buffer of its own is lost when the length is exactly that claimed
// (parquet-go v0.32.0, Column.decompress): pages that DuckDB makes of floating-point numbers.
func inflate(codec format.CompressionCodec, b []byte, size int) ([]byte, error) {
	switch codec {
	case format.Uncompressed:
		if len(b) != size {
			return nil, fmt.Errorf("%d bytes, not the %d that its header claims", len(b), size)
		}
		return b, nil
	case format.Snappy:
		if n, err := snappy.DecodedLen(b); err != nil || n != size {
			return nil, wrongSize(codec, size, err)
		}
		out, err := snappy.Decode(make([]byte, size), b)
		if err != nil {
			return nil, wrongSize(codec, size, err)
		}
		return out, nil
	case format.Lz4Raw:
		if size == 0 {
			return nil, nil
		}
		out := make([]byte, size)
		if n, err := lz4.UncompressBlock(b, out); err != nil || n != size {
			return nil, wrongSize(codec, size, err)
		}
		return out, nil
	case format.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, wrongSize(codec, size, err)
		}
		return readExactly(codec, r, size)
	case format.Brotli:
		return readExactly(codec, brotli.NewReader(bytes.NewReader(b)), size)
	case format.Zstd:
		return inflateZstd(b, size)
	default:
		return nil, fmt.Errorf("codec %s is not known; allowed: UNCOMPRESSED, SNAPPY, GZIP, BROTLI, ZSTD, LZ4_RAW", codec)
	}
}

// zstdWindow is the window that frames of the usual levels name, however short they are.
const zstdWindow = 8 << 20

func inflateZstd(b []byte, size int) ([]byte, error) {
	most := zstd.WithDecoderMaxMemory(uint64(max(size, zstdWindow)))
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), most)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	out, err := d.DecodeAll(b, nil)
	if err != nil || len(out) != size {
		return nil, wrongSize(format.Zstd, size, err)
	}
	return out, nil
}

// readExactly reads what is decompressed; its memory grows with what comes, not with what is claimed.
func readExactly(codec format.CompressionCodec, r io.Reader, size int) ([]byte, error) {
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, int64(size)+1))
	if err != nil || n != int64(size) {
		return nil, wrongSize(codec, size, err)
	}
	return out.Bytes(), nil
}

func wrongSize(codec format.CompressionCodec, size int, err error) error {
	if err != nil {
		return fmt.Errorf("decompressing %s: %w", codec, err)
	}
	return fmt.Errorf("%s does not decompress to the %d bytes that its header claims", codec, size)
}
