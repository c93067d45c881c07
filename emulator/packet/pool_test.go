package packet_test

import (
	"testing"

	"glasshouse/emulator/packet"
)

func TestLocalPoolTakesBackWhatBeginsAfterTheHeader(t *testing.T) {
	p := packet.NewLocalPool()
	b := p.Get()
	b[0], b[packet.EthernetHeader] = 1, 2
	ip := b[packet.EthernetHeader : packet.EthernetHeader+100]
	if f := packet.Framed(ip); len(f) != 100+packet.EthernetHeader || f[0] != 1 || f[packet.EthernetHeader] != 2 || cap(f) != packet.MaxSize {
		t.Fatalf("%d bytes of %d, %d and %d in front", len(f), cap(f), f[0], f[packet.EthernetHeader])
	}
	p.Put(ip)
	c := p.Get()
	if &c[0] != &b[0] || len(c) != packet.MaxSize {
		t.Error("the buffer did not come back")
	}
	p.Put(make([]byte, 10))
	if d := p.Get(); cap(d) != packet.MaxSize {
		t.Errorf("a buffer of %d", cap(d))
	}
}

func TestLocalPoolAllocatesNothing(t *testing.T) {
	p := packet.NewLocalPool()
	p.Put(p.Get())
	if n := testing.AllocsPerRun(100, func() { p.Put(p.Get()[packet.EthernetHeader:60]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
