package parquetfile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// page checks a page of at most most values, appends it without compression, and returns how many values it has.
func (r *chunkReader) page(h *format.PageHeader, body []byte, most int64, out *[]byte) (values int64, err error) {
	switch h.Type {
	case format.DictionaryPage:
		body, err = r.dictionary(h, body)
	case format.DataPage:
		values = int64(h.DataPageHeader.V.NumValues)
		if values < 0 || values > most {
			return 0, fmt.Errorf("a page of %d values where %d are left", values, most)
		}
		body, err = r.dataV1(h, body)
	case format.DataPageV2:
		values = int64(h.DataPageHeaderV2.V.NumValues)
		if values < 0 || values > most {
			return 0, fmt.Errorf("a page of %d values where %d are left", values, most)
		}
		body, err = r.dataV2(h, body)
	default:
		return 0, fmt.Errorf("a page of type %s", h.Type)
	}
	if err != nil {
		return 0, fmt.Errorf("a page: %w", err)
	}
	r.decoded = max(r.decoded, 9*values, int64(len(body)))
	h.CRC, h.CompressedPageSize = 0, h.UncompressedPageSize
	head, err := thrift.Marshal(new(thrift.CompactProtocol), h)
	if err != nil {
		return 0, err
	}
	*out = append(append(*out, head...), body...)
	return values, nil
}

func (r *chunkReader) dictionary(h *format.PageHeader, body []byte) ([]byte, error) {
	d := &h.DictionaryPageHeader.V
	if d.Encoding != format.Plain && d.Encoding != format.PlainDictionary { //nolint:staticcheck // old writers use the deprecated value
		return nil, fmt.Errorf("a dictionary encoded as %s; allowed: PLAIN", d.Encoding)
	}
	if d.NumValues < 0 {
		return nil, fmt.Errorf("a dictionary of %d values", d.NumValues)
	}
	body, err := inflate(r.meta.Codec, body, int(h.UncompressedPageSize))
	if err != nil {
		return nil, err
	}
	return body, r.check.dictionary(body, int(d.NumValues))
}

func (r *chunkReader) dataV1(h *format.PageHeader, body []byte) ([]byte, error) {
	d := &h.DataPageHeader.V
	body, err := inflate(r.meta.Codec, body, int(h.UncompressedPageSize))
	if err != nil {
		return nil, err
	}
	values, err := r.check.levels(body, int(d.NumValues), d.DefinitionLevelEncoding)
	if err != nil {
		return nil, err
	}
	return body, r.check.values(values, int(d.NumValues), d.Encoding)
}

// dataV2: levels, which are never compressed and whose lengths stand in the header, then the values.
func (r *chunkReader) dataV2(h *format.PageHeader, body []byte) ([]byte, error) {
	d := &h.DataPageHeaderV2.V
	rep, def := int64(d.RepetitionLevelsByteLength), int64(d.DefinitionLevelsByteLength)
	if rep < 0 || def < 0 || rep+def > min(int64(len(body)), int64(h.UncompressedPageSize)) {
		return nil, errors.New("levels longer than the page")
	}
	if d.NumNulls < 0 || d.NumNulls > d.NumValues {
		return nil, fmt.Errorf("%d nulls among %d values", d.NumNulls, d.NumValues)
	}
	levels, values := body[:rep+def], body[rep+def:]
	if codec := r.meta.Codec; codec != format.Uncompressed && (!d.IsCompressed.Valid || d.IsCompressed.V) {
		var err error
		if values, err = inflate(codec, values, int(h.UncompressedPageSize)-len(levels)); err != nil {
			return nil, err
		}
	} else if len(body) != int(h.UncompressedPageSize) {
		return nil, fmt.Errorf("%d bytes, not the %d that its header claims", len(body), h.UncompressedPageSize)
	}
	d.IsCompressed.V, d.IsCompressed.Valid = false, true
	if r.check.optional {
		if err := checkHybrid(levels[rep:], int(d.NumValues), 1); err != nil {
			return nil, err
		}
	}
	if err := r.check.values(values, int(d.NumValues), d.Encoding); err != nil {
		return nil, err
	}
	return append(slices.Clip(levels), values...), nil
}
