package gateway_test

import (
	"bytes"
	"testing"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway"
)

func natSteps() map[string]func() {
	steps := map[string]func(){}
	for name, p := range map[string][2][]byte{
		"TCP":  {tcpPacket(lanA, remoteX, ack, make([]byte, 1000)), tcpPacket(remoteX, ap("203.0.113.7:5000"), ack, make([]byte, 1000))},
		"UDP":  {udpPacket(lanA, remoteX, make([]byte, 100)), udpPacket(remoteX, ap("203.0.113.7:5000"), make([]byte, 100))},
		"echo": {echoPacket(8, lanA.Addr(), remoteX.Addr(), 5000, nil), echoPacket(0, remoteX.Addr(), wanAddr, 5000, nil)},
	} {
		n := newNAPT()
		up, down := bytes.Clone(p[0]), bytes.Clone(p[1])
		steps[name] = func() {
			copy(up, p[0])
			copy(down, p[1])
			if n.Up(1, up).Verdict != gateway.Translated || n.Down(1, down).Verdict != gateway.Translated {
				panic("not translated")
			}
		}
	}
	for name, p := range map[string][2][]byte{"unsolicited": {nil, tcpPacket(remoteX, ap("203.0.113.7:22"), syn, nil)}} {
		n := newNAPT()
		steps[name] = func() { n.Down(1, p[1]) }
	}
	return steps
}

func TestNoAllocationPerPacket(t *testing.T) {
	for name, step := range natSteps() {
		step()
		if a := testing.AllocsPerRun(1000, step); a != 0 {
			t.Errorf("NAPT, %s: %v allocations a packet", name, a)
		}
	}
	p, q := gateway.NewPath(1000, 500, 0.1, 1, 2), gateway.NewQueue(1e6, 1e5, 0)
	now := int64(0)
	if a := testing.AllocsPerRun(1000, func() {
		now += 1000
		at, _ := q.Send(now, 1000)
		p.Send(at)
	}); a != 0 {
		t.Errorf("queue and path: %v allocations a packet", a)
	}
	c := clock.NewVirtual(0)
	l := gateway.NewLine(c, func(*packet.Packet) {})
	for i := range int64(100) {
		l.Send(&packet.Packet{}, i)
	}
	if a := testing.AllocsPerRun(1000, func() {
		l.Send(&packet.Packet{}, c.Now()+100)
		c.Run(c.Now() + 1)
	}); a != 0 {
		t.Errorf("line: %v allocations a packet", a)
	}
	m := gateway.NewLineageMap()
	k := gateway.OuterKey{Receiver: 1}
	if a := testing.AllocsPerRun(1000, func() {
		k.Counter++
		m.Put(k, packet.Lineage{}, now)
		m.Take(k)
	}); a != 0 {
		t.Errorf("lineage map: %v allocations a packet", a)
	}
	b := make([]byte, 128)
	b[0] = 4
	if a := testing.AllocsPerRun(1000, func() { gateway.ParseOuter(b) }); a != 0 {
		t.Errorf("ParseOuter: %v allocations", a)
	}
}

func BenchmarkNAPT(b *testing.B) {
	for name, step := range natSteps() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}

func BenchmarkQueueAndPath(b *testing.B) {
	p, q := gateway.NewPath(1000, 500, 0.1, 1, 2), gateway.NewQueue(1e9, 1e6, 0)
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
	l := gateway.NewLine(c, func(*packet.Packet) {})
	for i := range int64(100) {
		l.Send(&packet.Packet{}, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Send(&packet.Packet{}, c.Now()+100)
		c.Run(c.Now() + 1)
	}
}
