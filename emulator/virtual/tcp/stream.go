package tcp

import (
	"glasshouse/emulator/packet"
)

// Chunk is what one write put on a stream: bytes that are spelled out at its head, and noise behind them.
type Chunk struct {
	start, end int64 // stream offsets
	tag        packet.Tag
	head       [ChunkHead]byte // of records
	size       int8            // bytes of head; 0 where text is used
	text       []byte
}

func (c *Chunk) literal() []byte {
	if c.size > 0 {
		return c.head[:c.size]
	}
	return c.text
}

// stream is one direction of a TCP connection's bytes, as far as they may still be sent again. Offsets count from 0.
type stream struct {
	noise  *packet.Noise
	place  uint64 // of byte 0 in the noise
	end    int64  // bytes written
	chunks []Chunk
	first  int        // chunks before it are acknowledged
	last   packet.Tag // of the newest Chunk
}

// Queue puts n bytes on the stream, whose first ones the caller may spell out before it calls Flush.
func (e *Conn) Queue(n int, t packet.Tag) *Chunk { return e.out.grow(n, t) }

// Flush sends what may go of what was queued.
func (e *Conn) Flush() { e.push() }

// ChunkHead is how many bytes a Chunk spells out in place.
const ChunkHead = 16

// Head is room for what is spelled out, empty: append to it and hand the result to Spell.
func (c *Chunk) Head() []byte { return c.head[:0] }

// Spell sets what is spelled out at the Chunk's beginning; what is longer than ChunkHead is kept, not copied.
func (c *Chunk) Spell(b []byte) {
	if len(b) > len(c.head) {
		c.text = b
		return
	}
	c.size = int8(copy(c.head[:], b))
}

// grow appends a chunk of n bytes and returns it, for its literal to be set.
func (s *stream) grow(n int, t packet.Tag) *Chunk {
	if s.first > 32 && s.first*2 > len(s.chunks) {
		s.chunks = s.chunks[:copy(s.chunks, s.chunks[s.first:])]
		s.first = 0
	}
	s.chunks = append(s.chunks, Chunk{start: s.end, end: s.end + int64(n), tag: t})
	s.end += int64(n)
	s.last = t
	return &s.chunks[len(s.chunks)-1]
}

// release forgets what lies wholly before off, but for the newest Chunk of it: an acknowledgement may still ask for its tag.
func (s *stream) release(off int64) {
	for s.first+1 < len(s.chunks) && s.chunks[s.first+1].start < off && s.chunks[s.first].end < off {
		s.chunks[s.first].text = nil
		s.first++
	}
}

// find returns the index of the chunk that holds off.
func (s *stream) find(off int64) int {
	i := s.first
	for i+1 < len(s.chunks) && s.chunks[i].end <= off {
		i++
	}
	return i
}

// tagAt returns the tag of a byte; open where there is none.
func (s *stream) tagAt(off int64, open packet.Tag) packet.Tag {
	if off < 0 || len(s.chunks) == 0 {
		return open
	}
	return s.chunks[s.find(off)].tag
}

// boundary tells whether a write ends at off.
func (s *stream) boundary(off int64) bool {
	return len(s.chunks) > 0 && s.chunks[s.find(off-1)].end == off
}

// read writes the first room bytes of [off, off+n) to dst.
func (s *stream) read(off int64, n int, dst []byte, room int) {
	dst = dst[:min(room, n)]
	copy(dst, s.noise.Window(s.place+uint64(off), len(dst)))
	end := off + int64(len(dst))
	for i := s.find(off); i < len(s.chunks) && s.chunks[i].start < end; i++ {
		if lit, at := s.chunks[i].within(off, end); len(lit) > 0 {
			copy(dst[at:], lit)
		}
	}
}

// sum returns the ones' complement sum of [off, off+n), as if it began at an even place.
func (s *stream) sum(off int64, n int) uint16 {
	sum, end := uint64(s.noise.Sum(s.place+uint64(off), n)), off+int64(n)
	for i := s.find(off); i < len(s.chunks) && s.chunks[i].start < end; i++ {
		lit, at := s.chunks[i].within(off, end)
		if len(lit) == 0 {
			continue
		}
		under := s.noise.Window(s.place+uint64(off)+uint64(at), len(lit))
		new, old := packet.Fold(packet.Sum(0, lit)), packet.Fold(packet.Sum(0, under))
		if at%2 != 0 {
			new, old = new<<8|new>>8, old<<8|old>>8
		}
		sum += uint64(new) + uint64(^old)
	}
	return packet.Fold(sum)
}

// within returns what of a Chunk's literal lies in [off, end), and how far behind off it begins.
func (c *Chunk) within(off, end int64) (lit []byte, at int64) {
	lit = c.literal()
	from, to := max(c.start, off), min(c.start+int64(len(lit)), end)
	if from >= to {
		return nil, 0
	}
	return lit[from-c.start : to-c.start], from - off
}
