package tcp

import (
	"math/rand/v2"
	"testing"

	"glasshouse/emulator/packet"
)

// What is read of a stream is what its checksum says, however it is cut.
func TestStreamSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	s := &stream{noise: packet.NewNoise(1, 1), place: r.Uint64()}
	for range 200 {
		c := s.grow(20+r.IntN(3000), packet.Tag{})
		c.size = int8(copy(c.head[:], "0123456789abc"[:r.IntN(14)]))
	}
	whole := make([]byte, s.end)
	for off := int64(0); off < s.end; off += 1000 {
		n := int(min(1000, s.end-off))
		s.read(off, n, whole[off:], n)
	}
	for range 3000 {
		off := r.Int64N(s.end - 1)
		n := 1 + int(r.Int64N(min(1460, s.end-off)))
		b := make([]byte, n)
		s.read(off, n, b, n)
		sum := s.sum(off, n)
		if string(b) != string(whole[off:off+int64(n)]) {
			t.Fatalf("%d bytes at %d differ from those read before", n, off)
		}
		if want := packet.Fold(packet.Sum(0, b)); sum != want && (sum%0xffff != 0 || want%0xffff != 0) {
			t.Fatalf("%d bytes at %d: sum %04x, want %04x", n, off, sum, want)
		}
	}
}
