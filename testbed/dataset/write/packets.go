package write

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/parquetfile"
	"glasshouse/testbed/dataset/sink"
)

// packetWriter writes packets.parquet, several times as fast as the library does, which looks at rows one by one through
// reflection. The schema, the footer and the reading are the library's; pages are made here:
//
//	append ─▶ a page of rows, column by column ─▶ column chunks of a row group ─▶ the file
//
// Pages are not compressed: numbers of dictionaries in as few bits as they need leave little to squeeze, and bytes depend on
// no compressor's version. Memory is a row group's, encoded; its size follows from nothing but the rows. It is used by one goroutine.
type packetWriter struct {
	f      *sink.Hashed
	schema *format.FileMetaData
	groups []format.RowGroup
	total  int64 // rows
	group  int   // rows in the group's finished pages

	units      names // labels of a unit: Device, Unit, Class, Kind, Category by its code
	activities []string
	roles      []string
	known      map[dataset.Label]uint16 // codes of rows that come with texts
	codes      map[string]uint16

	page page
	cols [packetColumnCount]*chunk
	ids  [pageRows]uint16
	nums [pageRows]int64
	buf  []byte
}

// names are the texts of the five unit columns, by code.
type names [5][]string

const (
	pageRows          = 8192 // a page's columns fit a core's second-level cache
	packetColumnCount = 21
)

// page holds rows by column, texts as codes, in as few bytes as they need: what else a core works on shares its cache with it.
type page struct {
	n                                        int
	ts, event, lan                           [pageRows + cacheLine/8]int64
	length, payload                          [pageRows + cacheLine/4]uint32
	local, remote, addr, app, unit, activity codeColumn
	dir, proto, flags, role, lost            byteColumn
}

// Columns end with a cache line that is not used. Those of a power of two would have the same place in a core's cache for a row, and
// there are more of them than it has ways.
type (
	codeColumn [pageRows + cacheLine/2]uint16
	byteColumn [pageRows + cacheLine]uint8
)

const cacheLine = 64 // bytes

// Columns of packets.parquet, in order.
const (
	colTs = iota
	colFrame
	colDir
	colLength
	colProto
	colLocal
	colRemote
	colFlags
	colAddr
	colPayload
	colApp
	colDevice
	colUnit
	colClass
	colKind
	colCategory
	colActivity
	colRole
	colEvent
	colLAN
	colLost
)

func createPackets(path string) (*packetWriter, error) {
	schema, err := packetSchema()
	if err != nil {
		return nil, err
	}
	f, err := sink.CreateHashed(path)
	if err != nil {
		return nil, err
	}
	w := &packetWriter{f: f, schema: schema, roles: packet.RoleNames(), known: make(map[dataset.Label]uint16), codes: make(map[string]uint16)}
	for i := range w.cols {
		w.cols[i] = newChunk(&schema.Schema[i+1])
	}
	_, err = f.Write([]byte("PAR1"))
	return w, err
}

// packetSchema is the schema that the library derives from PacketRecord, as it would write it.
func packetSchema() (*format.FileMetaData, error) {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[dataset.PacketRecord](&b)
	if err := w.Close(); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		return nil, err
	}
	m := f.Metadata()
	if len(m.Schema) != packetColumnCount+1 {
		return nil, fmt.Errorf("%d columns; the writer has %d", len(m.Schema)-1, packetColumnCount)
	}
	return m, nil
}

// unit adds a unit's labels and returns their code.
func (w *packetWriter) unit(l dataset.Label) uint16 {
	for i, s := range [...]string{l.Device, l.Unit, l.Class, l.Kind, l.Category} {
		w.units[i] = append(w.units[i], s)
	}
	return uint16(len(w.units[0]) - 1)
}

// activity adds a name and returns its code.
func (w *packetWriter) activity(name string) uint16 {
	w.activities = append(w.activities, name)
	return uint16(len(w.activities) - 1)
}

// append adds a row by codes.
func (w *packetWriter) append(o *dataset.Observation, unit, activity uint16, role uint8, event, lan int64, lost bool) error {
	p := &w.page
	i := p.n
	if o.Frame != w.total+1 {
		return fmt.Errorf("row %d came in the place of row %d", o.Frame, w.total+1)
	}
	w.total++
	p.ts[i] = o.TsNs
	p.dir[i], p.length[i], p.payload[i] = uint8(o.Dir), uint32(o.Length), uint32(o.PayloadLength)
	p.proto[i], p.flags[i] = o.IPProto, o.TCPFlags
	p.local[i], p.remote[i] = o.LocalPort, o.RemotePort
	p.addr[i] = w.cols[colAddr].text(o.RemoteAddr)
	p.app[i] = w.cols[colApp].text(o.AppProto)
	p.unit[i], p.activity[i], p.role[i] = unit, activity, role
	p.event[i], p.lan[i], p.lost[i] = event, lan, 0
	if lost {
		p.lost[i] = 1
	}
	if p.n++; p.n == pageRows {
		return w.flush()
	}
	return nil
}

// add adds a row by texts; r is left to the caller.
func (w *packetWriter) add(r *dataset.Row) error {
	key := dataset.Label{Device: r.Device, Unit: r.Unit, Class: r.Class, Kind: r.Kind, Category: r.Category}
	unit, ok := w.known[key]
	if !ok {
		unit = w.unit(key)
		w.known[key] = unit
	}
	activity, ok := w.codes[r.Activity]
	if !ok {
		activity = w.activity(r.Activity)
		w.codes[r.Activity] = activity
	}
	return w.append(&r.Observation, unit, activity, w.role(r.Role), r.Event, r.LANFrame, r.Lost)
}

// role returns a role's number; names that are none of the vocabulary follow it.
func (w *packetWriter) role(name string) uint8 {
	for i, s := range w.roles {
		if s == name {
			return uint8(i)
		}
	}
	w.roles = append(w.roles, name)
	return uint8(len(w.roles) - 1)
}

// flush encodes the page into the column chunks, and writes the row group if it is full.
func (w *packetWriter) flush() error {
	p := &w.page
	n := p.n
	if n == 0 {
		return nil
	}
	w.delta(colTs, p.ts[:n])
	for i := range n {
		w.nums[i] = w.total - int64(n) + int64(i) + 1
	}
	w.delta(colFrame, w.nums[:n])
	numbers(w, colDir, p.dir[:n])
	numbers(w, colLength, p.length[:n])
	numbers(w, colProto, p.proto[:n])
	numbers(w, colLocal, p.local[:n])
	numbers(w, colRemote, p.remote[:n])
	numbers(w, colFlags, p.flags[:n])
	numbers(w, colPayload, p.payload[:n])
	w.dict(colAddr, p.addr[:n])
	w.dict(colApp, p.app[:n])
	for i := range w.units {
		tell(w.cols[colDevice+i], w.ids[:n], p.unit[:n], w.units[i])
		w.dict(colDevice+i, w.ids[:n])
	}
	tell(w.cols[colActivity], w.ids[:n], p.activity[:n], w.activities)
	w.dict(colActivity, w.ids[:n])
	tell(w.cols[colRole], w.ids[:n], p.role[:n], w.roles)
	w.dict(colRole, w.ids[:n])
	w.optional(colEvent, p.event[:n], packet.EventNone)
	w.optional(colLAN, p.lan[:n], 0)
	w.buf = appendBools(w.buf[:0], p.lost[:n])
	w.cols[colLost].add(w.buf, n, encodingPlain)
	p.n = 0
	w.group += n
	if w.group+pageRows > parquetfile.GroupRows || w.full() {
		return w.flushGroup()
	}
	return nil
}

// full tells whether a dictionary might not hold another page's values: they are numbered in 16 bits.
func (w *packetWriter) full() bool {
	for _, c := range w.cols {
		if c.size()+pageRows > 1<<16 {
			return true
		}
	}
	return false
}

func (w *packetWriter) delta(col int, v []int64) {
	w.buf = appendDelta(w.buf[:0], v)
	w.cols[col].span(v)
	w.cols[col].add(w.buf, len(v), encodingDelta)
}

// numbers encodes a column of numbers.
func numbers[T code](w *packetWriter, col int, v []T) {
	number(w.cols[col], w.ids[:len(v)], v)
	w.dict(col, w.ids[:len(v)])
}

func (w *packetWriter) dict(col int, ids []uint16) {
	width := max(bits.Len(uint(w.cols[col].size()-1)), 1)
	w.buf = append(w.buf[:0], byte(width))
	w.buf = appendHybrid(w.buf, ids, width)
	w.cols[col].add(w.buf, len(ids), encodingDictionary)
}

// optional encodes numbers of which none stands for null: a bit for each, behind their size, and those that there are.
func (w *packetWriter) optional(col int, v []int64, none int64) {
	some := w.nums[:0]
	for i, x := range v {
		w.ids[i] = 0
		if x != none {
			w.ids[i] = 1
			some = append(some, x)
		}
	}
	w.buf = appendHybrid(append(w.buf[:0], 0, 0, 0, 0), w.ids[:len(v)], 1)
	binary.LittleEndian.PutUint32(w.buf, uint32(len(w.buf)-4))
	w.buf = appendDelta(w.buf, some)
	c := w.cols[col]
	c.span(some)
	c.nulls += int64(len(v) - len(some))
	c.add(w.buf, len(v), encodingDelta)
}

// flushGroup writes the row group: dictionary and pages of each column.
func (w *packetWriter) flushGroup() error {
	if w.group == 0 {
		return nil
	}
	g := format.RowGroup{NumRows: int64(w.group), FileOffset: w.f.Size(), Ordinal: int16(len(w.groups))}
	for _, c := range w.cols {
		meta, err := c.flush(w.f)
		if err != nil {
			return err
		}
		g.TotalByteSize += meta.TotalUncompressedSize
		g.Columns = append(g.Columns, format.ColumnChunk{MetaData: meta})
	}
	g.TotalCompressedSize = g.TotalByteSize
	w.groups = append(w.groups, g)
	w.group = 0
	return nil
}

// close writes what is left and the footer.
func (w *packetWriter) close() error {
	return errors.Join(w.flush(), w.flushGroup(), w.footer(), w.f.Close())
}

func (w *packetWriter) footer() error {
	m := format.FileMetaData{
		Version: w.schema.Version, Schema: w.schema.Schema, NumRows: w.total, RowGroups: w.groups, ColumnOrders: w.schema.ColumnOrders,
		CreatedBy: createdBy,
	}
	b, err := thrift.Marshal(new(thrift.CompactProtocol), &m)
	if err != nil {
		return err
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	_, err = w.f.Write(append(b, "PAR1"...))
	return err
}

// createdBy has no number that changes from build to build.
const createdBy = "glasshouse version 1(build )"
