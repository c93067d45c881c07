package write

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/sink"
)

// rowJournal is where rows go as they are made, so that a killed run can be rebuilt: records of a length and a body, each
// text spelled out where it occurs for the first time and numbered from then on.
type rowJournal struct {
	s     *sink.Sink
	texts map[string]uint64
	buf   []byte
	head  [binary.MaxVarintLen64]byte
	next  int64 // frame of the next row
}

const journalMagic = "glasshouse rows 1\n"

func createRowJournal(path string) (*rowJournal, error) {
	s, err := sink.Create(path, sink.Chunk)
	if err != nil {
		return nil, err
	}
	j := &rowJournal{s: s, texts: make(map[string]uint64), next: 1}
	_, err = s.Write([]byte(journalMagic))
	return j, err
}

func (j *rowJournal) text(b []byte, s string) []byte {
	id, ok := j.texts[s]
	if !ok {
		id = uint64(len(j.texts))
		j.texts[s] = id
	}
	b = binary.AppendUvarint(b, id)
	if !ok {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func (j *rowJournal) write(r *dataset.Row) error {
	if r.Frame != j.next {
		return fmt.Errorf("row %d came in the place of row %d", r.Frame, j.next)
	}
	j.next++
	b := j.buf[:0]
	b = binary.AppendVarint(b, r.TsNs)
	b = binary.AppendVarint(b, int64(r.Dir))
	for _, v := range [...]uint64{uint64(r.Length), uint64(r.IPProto), uint64(r.LocalPort), uint64(r.RemotePort), uint64(r.TCPFlags), uint64(r.PayloadLength)} {
		b = binary.AppendUvarint(b, v)
	}
	for _, s := range [...]string{r.RemoteAddr, r.AppProto, r.Device, r.Unit, r.Class, r.Kind, r.Category, r.Activity, r.Role} {
		b = j.text(b, s)
	}
	b = binary.AppendVarint(b, r.Event)
	b = binary.AppendVarint(b, r.LANFrame)
	if r.Lost {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	j.buf = b
	n := binary.PutUvarint(j.head[:], uint64(len(b)))
	if _, err := j.s.Write(j.head[:n]); err != nil {
		return err
	}
	_, err := j.s.Write(b)
	return err
}

// readRowJournal gives the rows of a journal in order; a record that is cut short ends it. The row is valid until yield
// returns. It returns the number of rows.
func readRowJournal(path string, yield func(*dataset.Row) error) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<18)
	magic := make([]byte, len(journalMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != journalMagic {
		if err != nil {
			return 0, nil // killed before anything was written
		}
		return 0, fmt.Errorf("%s: not a journal of rows", path)
	}
	var d journalDecoder
	var buf []byte
	var row dataset.Row
	for n := int64(0); ; n++ {
		size, err := binary.ReadUvarint(r)
		if err != nil {
			return n, nil
		}
		if size > 1<<20 {
			return n, fmt.Errorf("%s: row %d: a record of %d bytes", path, n+1, size)
		}
		if uint64(cap(buf)) < size {
			buf = make([]byte, size)
		}
		buf = buf[:size]
		if _, err := io.ReadFull(r, buf); err != nil {
			return n, nil
		}
		row = dataset.Row{Observation: dataset.Observation{Frame: n + 1}}
		if !d.decode(buf, &row) {
			return n, fmt.Errorf("%s: row %d: not a row", path, n+1)
		}
		if err := yield(&row); err != nil {
			return n, err
		}
	}
}

type journalDecoder struct {
	texts []string
	b     []byte
	bad   bool
}

func (d *journalDecoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *journalDecoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *journalDecoder) text() string {
	id := d.uint()
	switch {
	case id < uint64(len(d.texts)):
		return d.texts[id]
	case id > uint64(len(d.texts)):
		d.bad = true
		return ""
	}
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	d.texts = append(d.texts, s)
	return s
}

func (d *journalDecoder) decode(b []byte, r *dataset.Row) bool {
	d.b, d.bad = b, false
	r.TsNs, r.Dir = d.int(), int8(d.int())
	r.Length, r.IPProto, r.LocalPort, r.RemotePort = int32(d.uint()), uint8(d.uint()), uint16(d.uint()), uint16(d.uint())
	r.TCPFlags, r.PayloadLength = uint8(d.uint()), int32(d.uint())
	for _, s := range []*string{&r.RemoteAddr, &r.AppProto, &r.Device, &r.Unit, &r.Class, &r.Kind, &r.Category, &r.Activity, &r.Role} {
		*s = d.text()
	}
	r.Event, r.LANFrame = d.int(), d.int()
	if len(d.b) != 1 {
		return false
	}
	r.Lost = d.b[0] == 1
	return !d.bad && r.Event >= packet.EventNone
}
