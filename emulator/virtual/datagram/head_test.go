package datagram

import (
	"math/rand/v2"
	"testing"

	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

// A head names its message, whatever the key, and looks like neither RTP nor an ISO 8602 unit of data.
func TestHeads(t *testing.T) {
	table := NewTable(clock.NewVirtual(0), nil, packet.NewNoise(5, 2), [2]uint64{5, 6})
	d := &Exchange{t: table, messages: make([]script.Message, 1<<16)}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		d.handle = r.Uint32()
		table.under[d.handle] = d
		index := r.IntN(len(d.messages))
		var b [headSize]byte
		table.head(b[:], d.handle, index)
		if got, i := table.Find(b[:]); got != d || i != index {
			t.Fatalf("message %d of %d is read as %d", index, d.handle, i)
		}
		if b[0]>>6 != 0 || b[1]>>4 == 4 {
			t.Fatalf("% x", b)
		}
		delete(table.under, d.handle)
		if got, _ := table.Find(b[:]); got != nil {
			t.Fatal("a message of an exchange that is over was named")
		}
	}
}
