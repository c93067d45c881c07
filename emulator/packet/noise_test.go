package packet_test

import (
	"math/rand/v2"
	"testing"

	"glasshouse/emulator/packet"
)

// sum is RFC 1071's, word by word.
func sum(b []byte) uint16 {
	var s uint32
	for i, c := range b {
		v := uint32(c)
		if i%2 == 0 {
			v <<= 8
		}
		s += v
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

func TestNoiseSums(t *testing.T) {
	n := packet.NewNoise(1, 2)
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		place, size := r.Uint64(), r.IntN(packet.MaxSize+1)
		w := n.Window(place, size)
		got, want := n.Sum(place, size), sum(w)
		if got != want && (got%0xffff != 0 || want%0xffff != 0) { // both zeros of ones' complement
			t.Fatalf("window of %d at %d: sum %04x, want %04x", size, place, got, want)
		}
	}
}

func TestNoiseIsItsSeeds(t *testing.T) {
	a, b, c := packet.NewNoise(1, 2), packet.NewNoise(1, 2), packet.NewNoise(2, 2)
	if string(a.Window(77, 500)) != string(b.Window(77, 500)) {
		t.Error("equal seeds, other bytes")
	}
	if string(a.Window(77, 500)) == string(c.Window(77, 500)) {
		t.Error("other seeds, equal bytes")
	}
}

func BenchmarkNoiseSum(b *testing.B) {
	n := packet.NewNoise(1, 2)
	place := uint64(0)
	for b.Loop() {
		_ = n.Sum(place, 1460)
		place += 1461
	}
}
