package nat_test

import (
	"bytes"
	"testing"

	"glasshouse/gateway/nat"
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
			if n.Up(1, up).Verdict != nat.Translated || n.Down(1, down).Verdict != nat.Translated {
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

func TestNAPTAllocatesNothing(t *testing.T) {
	for name, step := range natSteps() {
		step()
		if a := testing.AllocsPerRun(1000, step); a != 0 {
			t.Errorf("NAPT, %s: %v allocations a packet", name, a)
		}
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
