package write

import (
	"encoding/binary"
	"slices"

	"github.com/parquet-go/parquet-go/format"

	"glasshouse/testbed/dataset/sink"
)

// chunk is one column of a row group in the making: its encoded pages, and its dictionary if it has one. A dictionary numbers
// values as they come; the numbers start anew with each row group.
type chunk struct {
	schema *format.SchemaElement
	pages  []byte
	values int64
	nulls  int64
	least  int64 // of numbers that are not in a dictionary
	most   int64
	spans  bool // least and most are set
	data   int  // encoding of the pages

	numbers []uint32          // a dictionary of numbers, or of codes of names: those of the chunk
	id      []uint16          // by value below 1<<16: its number, if numbers says so
	large   map[uint32]uint16 // of values beyond
	texts   []string          // a dictionary of texts
	byText  map[string]uint16
	recent  [64]recentText
	of      []uint16 // by code: the first code of the same name
	told    []uint16 // by code: its name's number and 1; 0 = not in the page so far
	body    []byte
}

// recentText is a text that came lately, and its number.
type recentText struct {
	s  string
	id uint16
	ok bool
}

func newChunk(s *format.SchemaElement) *chunk {
	return &chunk{schema: s, id: make([]uint16, 1<<16), large: make(map[uint32]uint16), byText: make(map[string]uint16)}
}

// size is the number of values in the dictionary.
func (c *chunk) size() int { return max(len(c.numbers), len(c.texts)) }

// text numbers a text.
func (c *chunk) text(s string) uint16 {
	h := uint(len(s))
	if n := len(s); n > 1 {
		h += uint(s[n-1]) + uint(s[n-2])*7
	}
	r := &c.recent[h%uint(len(c.recent))]
	if r.ok && r.s == s {
		return r.id
	}
	id, ok := c.byText[s]
	if !ok {
		id = uint16(len(c.texts))
		c.texts = append(c.texts, s)
		c.byText[s] = id
	}
	*r = recentText{s: s, id: id, ok: true}
	return id
}

// code is a number, or the code of a name, as a page keeps it.
type code interface{ uint8 | uint16 | uint32 }

// number numbers a chunk's values. An entry of id holds only if the dictionary agrees, so that nothing is to be cleared for the next
// row group.
func number[T code](c *chunk, ids []uint16, v []T) {
	numbers := c.numbers
	ids = ids[:len(v)]
	for i, value := range v {
		x := uint32(value)
		if x < 1<<16 {
			id := c.id[x]
			if int(id) >= len(numbers) || numbers[id] != x {
				id = uint16(len(numbers))
				c.id[x] = id
				numbers = append(numbers, x)
			}
			ids[i] = id
			continue
		}
		id, ok := c.large[x]
		if !ok {
			id = uint16(len(numbers))
			c.large[x] = id
			numbers = append(numbers, x)
		}
		ids[i] = id
	}
	c.numbers = numbers
}

// tell numbers the names of codes for a chunk: codes of one name have one number.
func tell[T code](c *chunk, ids []uint16, codes []T, names []string) {
	for k := len(c.of); k < len(names); k++ {
		c.of = append(c.of, uint16(slices.Index(names, names[k])))
	}
	c.told = append(c.told[:0], make([]uint16, len(names))...)
	ids = ids[:len(codes)]
	for i, x := range codes {
		id := c.told[x]
		if id == 0 {
			id = c.name(c.of[x], names) + 1
			c.told[x] = id
		}
		ids[i] = id - 1
	}
}

// name numbers one name, by the first of its codes.
func (c *chunk) name(code uint16, names []string) uint16 {
	x := uint32(code)
	id := c.id[x]
	if int(id) >= len(c.numbers) || c.numbers[id] != x {
		id = uint16(len(c.numbers))
		c.id[x] = id
		c.numbers = append(c.numbers, x)
		c.texts = append(c.texts, names[x])
	}
	return id
}

// span widens least and most.
func (c *chunk) span(v []int64) {
	if len(v) == 0 {
		return
	}
	if !c.spans {
		c.least, c.most, c.spans = v[0], v[0], true
	}
	for _, x := range v {
		c.least, c.most = min(c.least, x), max(c.most, x)
	}
}

// add appends a page of n values.
func (c *chunk) add(body []byte, n, encoding int) {
	c.pages = append(appendPageHeader(c.pages, pageData, len(body), n, encoding), body...)
	c.values += int64(n)
	c.data = encoding
}

// flush writes the chunk, describes it, and begins the next.
func (c *chunk) flush(f *sink.Hashed) (format.ColumnMetaData, error) {
	m := format.ColumnMetaData{
		Type: c.schema.Type.V, PathInSchema: []string{c.schema.Name}, Codec: format.Uncompressed, NumValues: c.values,
		Encoding: []format.Encoding{format.RLE, format.Encoding(c.data)}, Statistics: c.statistics(),
	}
	start := f.Size()
	if c.data == encodingDictionary {
		m.Encoding = append(m.Encoding, format.Plain)
		m.DictionaryPageOffset = start
		c.body = c.dictionary(c.body[:0])
		if _, err := f.Write(append(appendPageHeader(nil, pageDictionary, len(c.body), c.size(), encodingPlain), c.body...)); err != nil {
			return m, err
		}
	}
	m.DataPageOffset = f.Size()
	if _, err := f.Write(c.pages); err != nil {
		return m, err
	}
	m.TotalUncompressedSize = f.Size() - start
	m.TotalCompressedSize = m.TotalUncompressedSize
	c.pages, c.values, c.nulls, c.spans = c.pages[:0], 0, 0, false
	c.numbers, c.texts = c.numbers[:0], c.texts[:0]
	clear(c.large)
	clear(c.byText)
	clear(c.recent[:])
	return m, nil
}

// dictionary appends the values as they are: numbers in 4 bytes, texts behind their lengths in 4 bytes.
func (c *chunk) dictionary(b []byte) []byte {
	if c.schema.Type.V == format.ByteArray {
		for _, s := range c.texts {
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
		}
		return b
	}
	for _, x := range c.numbers {
		b = binary.LittleEndian.AppendUint32(b, uint32(c.value(x)))
	}
	return b
}

// value is what a number of the page means: one byte for int8.
func (c *chunk) value(x uint32) int32 {
	if c.schema.Name == "dir" {
		return int32(int8(x))
	}
	return int32(x)
}

// statistics tell readers which row groups they can skip.
func (c *chunk) statistics() format.Statistics {
	s := format.Statistics{NullCount: c.nulls}
	switch {
	case len(c.texts) > 0:
		s.MinValue, s.MaxValue = []byte(slices.Min(c.texts)), []byte(slices.Max(c.texts))
	case len(c.numbers) > 0:
		least, most := c.value(c.numbers[0]), c.value(c.numbers[0])
		for _, x := range c.numbers {
			least, most = min(least, c.value(x)), max(most, c.value(x))
		}
		s.MinValue, s.MaxValue = binary.LittleEndian.AppendUint32(nil, uint32(least)), binary.LittleEndian.AppendUint32(nil, uint32(most))
	case c.spans:
		s.MinValue, s.MaxValue = binary.LittleEndian.AppendUint64(nil, uint64(c.least)), binary.LittleEndian.AppendUint64(nil, uint64(c.most))
	}
	return s
}
