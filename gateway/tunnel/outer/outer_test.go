package outer_test

import (
	"testing"

	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

func TestParse(t *testing.T) {
	msg := func(kind byte, n int) []byte {
		b := make([]byte, n)
		b[0] = kind
		return b
	}
	for _, c := range []struct {
		b    []byte
		want outer.Kind
	}{
		{msg(1, 148), outer.Initiation},
		{msg(2, 92), outer.Response},
		{msg(3, 64), outer.Cookie},
		{msg(4, 32), outer.Keepalive},
		{msg(4, 128), outer.Data},
		{msg(1, 147), outer.Unknown},
		{msg(5, 64), outer.Unknown},
		{nil, outer.Unknown},
		{msg(4, 31), outer.Unknown},
	} {
		if got, _ := outer.Parse(c.b); got != c.want {
			t.Errorf("type %v, %d bytes: %d, want %d", c.b[:min(len(c.b), 1)], len(c.b), got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(make([]byte, 148))
	f.Fuzz(func(t *testing.T, b []byte) {
		if kind, _ := outer.Parse(b); kind != outer.Unknown && len(b) < 32 {
			t.Fatal("a message shorter than any of WireGuard's")
		}
	})
}

func TestLineageMap(t *testing.T) {
	m := outer.NewLineageMap()
	k := func(i uint64) outer.Key { return outer.Key{Receiver: 1, Counter: i} }
	m.Put(k(1), packet.Lineage{Event: 10}, 0)
	m.Put(k(2), packet.Lineage{Event: 20}, 4*1e9)
	if l, ok := m.Take(k(1)); !ok || l.Event != 10 {
		t.Errorf("%+v, %v", l, ok)
	}
	if l, ok := m.Take(k(1)); ok || l.Unit != packet.UnitUnknown {
		t.Errorf("taken twice: %+v, %v", l, ok)
	}
	if n := m.Expire(9e9); n != 0 {
		t.Errorf("%d expired after 5 s", n)
	}
	if n := m.Expire(9*1e9 + 1); n != 1 {
		t.Errorf("%d expired after more, want 1", n)
	}
	for i := range uint64(1<<18 + 10) { // bounded
		m.Put(k(i), packet.Lineage{}, 20*1e9)
	}
	if n := m.Expire(20e9); n != 11 {
		t.Errorf("%d counted, want 10 more than 1", n)
	}
	m.Put(k(1<<20), packet.Lineage{Event: 5}, 30*1e9) // room again
	if l, ok := m.Take(k(1 << 20)); !ok || l.Event != 5 {
		t.Error("full for ever")
	}
}

func TestAllocatesNothing(t *testing.T) {
	m := outer.NewLineageMap()
	k := outer.Key{Receiver: 1}
	if a := testing.AllocsPerRun(1000, func() {
		k.Counter++
		m.Put(k, packet.Lineage{}, 0)
		m.Take(k)
	}); a != 0 {
		t.Errorf("lineage map: %v allocations a packet", a)
	}
	b := make([]byte, 128)
	b[0] = 4
	if a := testing.AllocsPerRun(1000, func() { outer.Parse(b) }); a != 0 {
		t.Errorf("Parse: %v allocations", a)
	}
}
