package link_test

import (
	"testing"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/link"
)

func TestQueuePathAndLineAllocateNothing(t *testing.T) {
	p, q := link.NewPath(1000, 500, 0.1, 1, 2), link.NewQueue(1e6, 1e5, 0)
	now := int64(0)
	if a := testing.AllocsPerRun(1000, func() {
		now += 1000
		at, _ := q.Send(now, 1000)
		p.Send(at)
	}); a != 0 {
		t.Errorf("queue and path: %v allocations a packet", a)
	}
	c := clock.NewVirtual(0)
	l := link.NewDelayLine(c, func(*packet.Packet) {})
	for i := range int64(100) {
		l.Send(&packet.Packet{}, i)
	}
	if a := testing.AllocsPerRun(1000, func() {
		l.Send(&packet.Packet{}, c.Now()+100)
		c.Run(c.Now() + 1)
	}); a != 0 {
		t.Errorf("line: %v allocations a packet", a)
	}
}

func BenchmarkQueueAndPath(b *testing.B) {
	p, q := link.NewPath(1000, 500, 0.1, 1, 2), link.NewQueue(1e9, 1e6, 0)
	now := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 12_000
		at, _ := q.Send(now, 1500)
		p.Send(at)
	}
}

func BenchmarkLine(b *testing.B) {
	c := clock.NewVirtual(0)
	l := link.NewDelayLine(c, func(*packet.Packet) {})
	for i := range int64(100) {
		l.Send(&packet.Packet{}, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Send(&packet.Packet{}, c.Now()+100)
		c.Run(c.Now() + 1)
	}
}
