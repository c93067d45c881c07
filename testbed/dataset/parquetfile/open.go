package parquetfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// File is a Parquet file whose claims are not trusted. The library allocates what a footer, a page's header or a run claims; a
// few kB can make it take gigabytes. So each row group goes
//
//	file ─▶ pages of the wanted columns ─▶ decompressed to the size claimed, counts compared ─▶ a file in memory ─▶ the library
//
// What is held is bounded by memoryLimit.
type File struct {
	f       *os.File
	meta    *format.FileMetaData
	columns []flatColumn
	limit   int64
}

// flatColumn is a column that is no part of another.
type flatColumn struct {
	name   string
	leaf   int // its place among all leaves, -1 if it has leaves of its own
	schema format.SchemaElement
}

// What a file begins and ends with, and what may be allocated for it.
const (
	Magic          = "PAR1"
	parquetTail    = 8 // the footer's length and the magic
	baseMemory     = 64 << 20
	memoryPerByte  = 64 // what writers make of a byte: a constant column of zstd does not count much beside others
	mostMemory     = 1 << 30
	pageHeaderMost = 1 << 20 // bytes; statistics of long texts stand in it
)

// memoryLimit is how many bytes a row group of a file may take.
func memoryLimit(size int64) int64 { return min(baseMemory+memoryPerByte*size, mostMemory) }

// Open reads and checks the footer of a file.
func Open(path string) (_ *File, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p := &File{f: f}
	defer func() {
		if r := recover(); r != nil { // the library panics on some damaged files
			err = fmt.Errorf("not a readable Parquet file: %v", r)
		}
		if err != nil {
			_ = f.Close()
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := st.Size()
	p.limit = memoryLimit(size)
	var tail [parquetTail]byte
	if _, err := f.ReadAt(tail[:], size-parquetTail); err != nil || string(tail[4:]) != Magic {
		return nil, errors.New("not a Parquet file, or a damaged one")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-parquetTail-int64(len(Magic)) {
		return nil, errors.New("not a Parquet file, or a damaged one")
	}
	footer := make([]byte, n)
	if _, err := f.ReadAt(footer, size-parquetTail-n); err != nil {
		return nil, err
	}
	span, err := thriftSpan(footer)
	if err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	p.meta = new(format.FileMetaData)
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer[:span], p.meta); err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	if p.columns, err = flatColumns(p.meta.Schema); err != nil {
		return nil, err
	}
	return p, p.checkGroups(size)
}

// Names lists the columns, those that have columns of their own included.
func (p *File) Names() []string {
	names := make([]string, len(p.columns))
	for i := range p.columns {
		names[i] = p.columns[i].name
	}
	return names
}

// Close closes the file.
func (p *File) Close() error { return p.f.Close() }

// flatColumns lists the top-level columns of a schema, which is a tree in depth-first order.
func flatColumns(schema []format.SchemaElement) ([]flatColumn, error) {
	if len(schema) == 0 {
		return nil, errors.New("no schema")
	}
	var out []flatColumn
	leaf, at := 0, 1
	for at < len(schema) {
		c := flatColumn{name: schema[at].Name, leaf: leaf, schema: schema[at]}
		if schema[at].NumChildren.V > 0 || schema[at].RepetitionType.V == format.Repeated {
			c.leaf = -1
		}
		for open := 1; open > 0 && at < len(schema); at++ { // to the end of the subtree
			children := int(schema[at].NumChildren.V)
			if children < 0 || children > len(schema) {
				return nil, fmt.Errorf("column %s: %d parts", schema[at].Name, children)
			}
			if open += children - 1; children == 0 {
				leaf++
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// checkGroups compares what row groups claim with each other and with the file.
func (p *File) checkGroups(size int64) error {
	rows, left := int64(0), size
	for i := range p.meta.RowGroups {
		g := &p.meta.RowGroups[i]
		if g.NumRows < 0 || g.NumRows > p.meta.NumRows-rows {
			return fmt.Errorf("row group %d has %d rows, the file %d", i, g.NumRows, p.meta.NumRows)
		}
		rows += g.NumRows
		for k := range g.Columns {
			c := &g.Columns[k].MetaData
			if c.TotalCompressedSize < 0 || c.TotalCompressedSize > left {
				return fmt.Errorf("row group %d: columns of more bytes than the file's %d", i, size)
			}
			left -= c.TotalCompressedSize
		}
	}
	if rows != p.meta.NumRows {
		return fmt.Errorf("%d rows claimed, %d in its row groups", p.meta.NumRows, rows)
	}
	return nil
}

// want returns a column by name; it must be flat and of a type that rows here have.
func (p *File) want(name string) (flatColumn, error) {
	i := slices.IndexFunc(p.columns, func(c flatColumn) bool { return c.name == name })
	if i < 0 {
		return flatColumn{}, fmt.Errorf("column %s is missing", name)
	}
	c := p.columns[i]
	if c.leaf < 0 {
		return c, fmt.Errorf("column %s is a list or a structure, not a value a row", name)
	}
	switch c.schema.Type.V {
	case format.Boolean, format.Int32, format.Int64, format.Float, format.Double, format.ByteArray:
		return c, nil
	default:
		return c, fmt.Errorf("column %s is a %s; allowed: BOOLEAN, INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY", name, c.schema.Type.V)
	}
}

// groups gives the named columns of each row group, in that order, as a file that is safe to read.
func (p *File) groups(names []string, yield func(*parquet.File) error) error {
	var columns []flatColumn
	for _, name := range names {
		c, err := p.want(name)
		if err != nil {
			return err
		}
		columns = append(columns, c)
	}
	for i := range p.meta.RowGroups {
		b, err := p.group(&p.meta.RowGroups[i], columns)
		if err != nil {
			return err
		}
		f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		if err != nil {
			return err
		}
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}

// group makes a file of the columns of a row group, not compressed.
func (p *File) group(g *format.RowGroup, columns []flatColumn) ([]byte, error) {
	root := p.meta.Schema[0]
	root.NumChildren.V, root.NumChildren.Valid = int32(len(columns)), true
	out := format.FileMetaData{Version: p.meta.Version, Schema: []format.SchemaElement{root}, NumRows: g.NumRows}
	b := []byte(Magic)
	to := format.RowGroup{NumRows: g.NumRows}
	decoded := int64(0) // of the largest pages, one for each column
	for _, c := range columns {
		if c.leaf >= len(g.Columns) {
			return nil, fmt.Errorf("a row group of %d columns", len(g.Columns))
		}
		r := chunkReader{
			meta: &g.Columns[c.leaf].MetaData, rows: g.NumRows, limit: p.limit - decoded - int64(len(b)),
			check: pageCheck{kind: c.schema.Type.V, optional: c.schema.RepetitionType.V == format.Optional},
		}
		meta, err := r.read(p.f, &b)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
		decoded += r.decoded
		meta.PathInSchema = []string{c.name}
		to.Columns = append(to.Columns, format.ColumnChunk{MetaData: meta})
		to.TotalByteSize += meta.TotalUncompressedSize
		out.Schema = append(out.Schema, c.schema)
	}
	out.RowGroups = []format.RowGroup{to}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &out)
	if err != nil {
		return nil, err
	}
	b = binary.LittleEndian.AppendUint32(append(b, footer...), uint32(len(footer)))
	return append(b, Magic...), nil
}

// chunkReader copies the pages of a column of a row group.
type chunkReader struct {
	meta    *format.ColumnMetaData
	rows    int64
	limit   int64 // bytes that its pages, and the largest of them decoded, may take
	decoded int64
	check   pageCheck
}

// read appends the pages to a file, not compressed, and describes them.
func (r *chunkReader) read(f io.ReaderAt, out *[]byte) (format.ColumnMetaData, error) {
	start := r.meta.DataPageOffset
	if d := r.meta.DictionaryPageOffset; d > 0 && d < start {
		start = d
	}
	m := format.ColumnMetaData{Type: r.check.kind, Encoding: r.meta.Encoding, NumValues: r.rows, DataPageOffset: int64(len(*out))}
	if r.meta.TotalCompressedSize > r.limit {
		return m, r.tooLarge(r.meta.TotalCompressedSize)
	}
	b := make([]byte, r.meta.TotalCompressedSize)
	if _, err := f.ReadAt(b, start); err != nil {
		return m, fmt.Errorf("reading its pages: %w", err)
	}
	begun, seen := len(*out), int64(0)
	for len(b) > 0 && seen < r.rows {
		n, err := thriftSpan(b[:min(len(b), pageHeaderMost)])
		if err != nil {
			return m, fmt.Errorf("page header: %w", err)
		}
		var h format.PageHeader
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), b[:n], &h); err != nil {
			return m, fmt.Errorf("page header: %w", err)
		}
		b = b[n:]
		if h.CompressedPageSize < 0 || int(h.CompressedPageSize) > len(b) || h.UncompressedPageSize < 0 {
			return m, fmt.Errorf("a page of %d bytes among %d", h.CompressedPageSize, len(b))
		}
		body := b[:h.CompressedPageSize]
		b = b[h.CompressedPageSize:]
		if h.Type == format.IndexPage {
			continue
		}
		if h.CRC != 0 && crc32.ChecksumIEEE(body) != uint32(h.CRC) {
			return m, errors.New("a page's checksum differs")
		}
		if size := int64(h.UncompressedPageSize); int64(len(*out)-begun)+size > r.limit {
			return m, r.tooLarge(int64(len(*out)-begun) + size)
		}
		r.check.limit = r.limit - int64(len(*out)-begun)
		values, err := r.page(&h, body, r.rows-seen, out)
		if err != nil {
			return m, err
		}
		if h.Type == format.DictionaryPage {
			m.DictionaryPageOffset, m.DataPageOffset = int64(begun), int64(len(*out))
		}
		seen += values
	}
	if seen != r.rows {
		return m, fmt.Errorf("%d values, the row group has %d rows", seen, r.rows)
	}
	m.TotalUncompressedSize = int64(len(*out) - begun)
	m.TotalCompressedSize = m.TotalUncompressedSize
	return m, nil
}

func (r *chunkReader) tooLarge(n int64) error {
	return fmt.Errorf("%d bytes of a row group; allowed in a file of this size: %d", n, r.limit)
}
