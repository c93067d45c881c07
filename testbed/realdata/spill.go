package realdata

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"

	"glasshouse/testbed/frames"
)

// spill sorts packets by time on disk: runs that fit memory are sorted and written, and merged when they are read. Of a packet it keeps what
// an observer looks at: the headers, and the first bytes above them.
//
//	record: time (8) · frame (8) · bytes of the packet (4) · unit (2) · up (1) · bytes kept (1) · the bytes
type spill struct {
	f    *os.File
	w    *bufio.Writer
	size int64
	runs []run
	open []kept // the run in memory
	data []byte // of its packets
	buf  []byte
}

// run is a part of the file: packets of one unit, in the order of time.
type run struct {
	unit     int
	from, to int64
}

type kept struct {
	at     int64
	number int64
	unit   int32
	length int32
	from   int32
	n      int16
	up     bool
}

const (
	recordHead = 24
	runPackets = 1 << 16
	keptBytes  = 200 // IPv4's and TCP's headers with all options have 120; IPv6's may have extensions
)

func newSpill() (*spill, error) {
	f, err := os.CreateTemp("", "glasshouse-import-*")
	if err != nil {
		return nil, err
	}
	return &spill{f: f, w: bufio.NewWriterSize(f, 1<<18)}, nil
}

// close removes the file.
func (s *spill) close() error { return errors.Join(s.f.Close(), os.Remove(s.f.Name())) }

func (s *spill) add(p *crossing) error {
	n := min(len(p.IP), keptBytes)
	s.open = append(s.open, kept{p.at, p.Number, int32(p.unit), int32(p.Length), int32(len(s.data)), int16(n), p.up})
	s.data = append(s.data, p.IP[:n]...)
	if len(s.open) == runPackets {
		return s.flush()
	}
	return nil
}

// flush writes the run in memory: one for each unit in it.
func (s *spill) flush() error {
	slices.SortStableFunc(s.open, func(a, b kept) int { return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.at, b.at)) })
	for i, k := range s.open {
		if i == 0 || s.open[i-1].unit != k.unit {
			s.runs = append(s.runs, run{int(k.unit), s.size, s.size})
		}
		s.buf = binary.LittleEndian.AppendUint64(s.buf[:0], uint64(k.at))
		s.buf = binary.LittleEndian.AppendUint64(s.buf, uint64(k.number))
		s.buf = binary.LittleEndian.AppendUint32(s.buf, uint32(k.length))
		s.buf = binary.LittleEndian.AppendUint16(s.buf, uint16(k.unit))
		up := byte(0)
		if k.up {
			up = 1
		}
		s.buf = append(append(s.buf, up, byte(k.n)), s.data[k.from:k.from+int32(k.n)]...)
		if _, err := s.w.Write(s.buf); err != nil {
			return err
		}
		s.size += int64(len(s.buf))
		s.runs[len(s.runs)-1].to = s.size
	}
	s.open, s.data = s.open[:0], s.data[:0]
	return s.w.Flush()
}

// merge gives all packets in the order of their times, which are shifted by their units'.
func (s *spill) merge(shift []int64, yield func(p crossing) error) error {
	if err := s.flush(); err != nil {
		return err
	}
	const memory, least, most = 8 << 20, 1 << 9, 1 << 16 // of all runs' buffers, and of each
	size := min(max(memory/max(len(s.runs), 1), least), most)
	var h heads
	for i, r := range s.runs {
		x := &head{order: i, shift: shift[r.unit], r: bufio.NewReaderSize(io.NewSectionReader(s.f, r.from, r.to-r.from), size)}
		if err := x.next(); err != nil {
			return err
		}
		h = append(h, x)
	}
	heap.Init(&h)
	for len(h) > 0 {
		if err := yield(h[0].p); err != nil {
			return err
		}
		err := h[0].next()
		switch {
		case errors.Is(err, io.EOF):
			heap.Pop(&h)
		case err != nil:
			return err
		default:
			heap.Fix(&h, 0)
		}
	}
	return nil
}

// head is the next packet of a run.
type head struct {
	p     crossing
	order int
	shift int64
	r     *bufio.Reader
}

func (x *head) next() error {
	var b [recordHead]byte
	if _, err := io.ReadFull(x.r, b[:]); err != nil {
		return err
	}
	ip := make([]byte, b[23])
	if _, err := io.ReadFull(x.r, ip); err != nil {
		return err
	}
	length := int(binary.LittleEndian.Uint32(b[16:]))
	x.p = crossing{at: int64(binary.LittleEndian.Uint64(b[:])) + x.shift, unit: int(binary.LittleEndian.Uint16(b[20:])), up: b[22] == 1}
	x.p.Frame = frames.Frame{Number: int64(binary.LittleEndian.Uint64(b[8:])), IP: ip, Length: length}
	var reason string
	if x.p.Header, reason = frames.Parse(ip, length); reason != "" {
		return errors.New("a packet that was read is " + reason) // it was parsed when it was written
	}
	return nil
}

// heads is a heap: the earliest first, then in the order of the runs.
type heads []*head

func (h heads) Len() int { return len(h) }
func (h heads) Less(i, k int) bool {
	return h[i].p.at < h[k].p.at || h[i].p.at == h[k].p.at && h[i].order < h[k].order
}
func (h heads) Swap(i, k int) { h[i], h[k] = h[k], h[i] }

// Push is heap.Interface's.
func (h *heads) Push(x any) { *h = append(*h, x.(*head)) }

// Pop is heap.Interface's.
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
