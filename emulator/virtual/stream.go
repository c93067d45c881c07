package virtual

import (
	"math/bits"
	"math/rand/v2"

	"glasshouse/emulator/packet"
)

// chunk is what one write put on a stream: bytes that are spelled out at its head, and noise behind them.
type chunk struct {
	start, end int64 // stream offsets
	tag        packet.Tag
	head       [16]byte // of records
	size       int8     // bytes of head; 0 where text is used
	text       []byte
}

func (c *chunk) literal() []byte {
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
	chunks []chunk
	first  int        // chunks before it are acknowledged
	last   packet.Tag // of the newest chunk
}

// grow appends a chunk of n bytes and returns it, for its literal to be set.
func (s *stream) grow(n int, t packet.Tag) *chunk {
	if s.first > 32 && s.first*2 > len(s.chunks) {
		s.chunks = s.chunks[:copy(s.chunks, s.chunks[s.first:])]
		s.first = 0
	}
	s.chunks = append(s.chunks, chunk{start: s.end, end: s.end + int64(n), tag: t})
	s.end += int64(n)
	s.last = t
	return &s.chunks[len(s.chunks)-1]
}

// release forgets what lies wholly before off, but for the newest chunk of it: an acknowledgement may still ask for its tag.
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

// within returns what of a chunk's literal lies in [off, end), and how far behind off it begins.
func (c *chunk) within(off, end int64) (lit []byte, at int64) {
	lit = c.literal()
	from, to := max(c.start, off), min(c.start+int64(len(lit)), end)
	if from >= to {
		return nil, 0
	}
	return lit[from-c.start : to-c.start], from - off
}

// draws is a stream of random numbers.
type draws struct{ *rand.PCG }

func newDraws(seed1, seed2 uint64) draws { return draws{rand.NewPCG(seed1, seed2)} }

// n returns a number from 0 to k-1.
func (d draws) n(k int64) int64 {
	if k < 1 {
		return 0
	}
	hi, _ := bits.Mul64(d.Uint64(), uint64(k))
	return int64(hi)
}
