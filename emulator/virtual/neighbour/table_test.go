package neighbour

import (
	"testing"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

type half struct{}

func (half) N(k int64) int64 { return k / 2 }

// lan is a table whose packets are kept, and a machine that answers where it is there.
type lan struct {
	clock *clock.Virtual
	table *Table
	sent  []string
	there bool
}

const (
	own   = uint32(0xc0a80102)
	other = uint32(0xc0a80103)
)

func newLAN(there bool) *lan {
	l := &lan{clock: clock.NewVirtual(0), there: there}
	l.table = New(Config{Clock: l.clock, Pool: packet.NewLocalPool(), Rand: half{}, Addr: own, MAC: [6]byte{2, 0, 0, 0, 0, 1}, Send: l.send})
	return l
}

func (l *lan) send(b []byte, to [6]byte, kind uint16, _ packet.Lineage) {
	switch {
	case kind == packet.EtherTypeIPv4:
		l.sent = append(l.sent, "ip")
	case to == broadcast:
		l.sent = append(l.sent, "ask all")
	default:
		l.sent = append(l.sent, "ask")
	}
	if kind != packet.EtherTypeARP || !l.there {
		return
	}
	answer := make([]byte, packet.ARPSize)
	packet.ARP(answer).Encode(&packet.ARPFields{
		Operation: packet.ARPReply, SenderHardware: [6]byte{2, 0, 0, 0, 0, 2}, SenderProtocol: bytes(other),
		TargetHardware: l.table.c.MAC, TargetProtocol: bytes(own),
	})
	l.clock.At(l.clock.Now()+1e6, func() { l.table.Receive(answer) })
}

func (l *lan) count(kind string) (n int) {
	for _, s := range l.sent {
		if s == kind {
			n++
		}
	}
	return n
}

// A packet waits until the machine has answered; where nobody does, three questions are asked and the packet is dropped.
func TestPacketsWaitForTheAddress(t *testing.T) {
	for _, there := range []bool{true, false} {
		l := newLAN(there)
		l.table.Send(other, l.table.c.Pool.Get()[:40], packet.Lineage{})
		if l.count("ip") != 0 {
			t.Fatal("a packet was sent to an unknown address")
		}
		l.clock.Run(10e9)
		wantIP, wantAsk := 1, 1
		if !there {
			wantIP, wantAsk = 0, probeTries
		}
		if l.count("ip") != wantIP || l.count("ask all") != wantAsk {
			t.Errorf("machine there %v: %v", there, l.sent)
		}
	}
}

// An entry that is used after its confirmation ran out is confirmed anew 5 s later, unless something of the machine came meanwhile.
func TestConfirmation(t *testing.T) {
	for _, confirmed := range []bool{false, true} {
		l := newLAN(true)
		l.table.Send(other, l.table.c.Pool.Get()[:40], packet.Lineage{})
		l.clock.Run(40e9) // base_reachable_time 30 s: with the middle of the draw it holds for 30 s
		l.table.Send(other, l.table.c.Pool.Get()[:40], packet.Lineage{})
		l.clock.Run(42e9)
		if confirmed {
			l.table.Confirm(other)
		}
		l.clock.Run(60e9)
		want := 1
		if confirmed {
			want = 0
		}
		if got := l.count("ask"); got != want {
			t.Errorf("confirmed %v: asked %d times, want %d", confirmed, got, want)
		}
	}
}
