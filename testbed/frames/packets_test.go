package frames_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/framestest"
)

func frameOf(tb interface{ Fatalf(string, ...any) }, p framestest.Packet) *frames.Frame {
	d := frames.NewDecoder()
	f, ok := d.Decode(frames.Record{Number: 7, TsNs: p.At, Data: framestest.Wrap(1, p), Link: 1})
	if !ok {
		tb.Fatalf("%v", d.LeftOut())
	}
	return f
}

func TestAddressesOfMAC(t *testing.T) {
	for text, want := range map[string][6]byte{
		"02:00:00:00:00:10": framestest.Device, "2:0:0:0:0:10": framestest.Device, "02-00-00-00-00-10": framestest.Device,
		"0200.0000.0010": framestest.Device, "020000000010": framestest.Device, " 24:6F:28:ab:42:97 ": {0x24, 0x6f, 0x28, 0xab, 0x42, 0x97},
	} {
		if got, err := frames.ParseMAC(text); err != nil || got != want {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2:0:0:0:10", "02:00:00:00:00:100", "2:0:0:0:0:0:10", "02:00:00-00:00:10", "0200000010", "2:0:0:0:0:g", "2:0::0:0:10", "192.168.1.1"} {
		if got, err := frames.ParseMAC(text); err == nil {
			t.Errorf("%q is %x", text, got)
		}
	}
}

func TestCopies(t *testing.T) {
	f := framestest.NewFlow()
	first, other := f.UDP(0, true, 100), f.UDP(5, true, 100)
	routed := first
	routed.IP = append([]byte(nil), first.IP...)
	routed.IP[8]--
	routed.Src = framestest.Router
	v6 := framestest.NewFlow()
	v6.Near, v6.Far = netip.MustParseAddr("2001:db8:1::10"), netip.MustParseAddr("2001:67c:1::80")
	plain6 := v6.UDP(0, true, 100)
	for _, c := range []struct {
		name   string
		before framestest.Packet
		second framestest.Packet
		after  int64
		want   bool
	}{
		{"mirrored", first, first, 4000, true},
		{"before and after a router", first, routed, 4000, true},
		{"the next", first, other, 4000, false},
		{"sent again", first, first, 20e6, false},
		{"IPv6, mirrored", plain6, plain6, 4000, true},
		{"IPv6, said twice", plain6, plain6, 500e3, false},
	} {
		copies := frames.NewCopies()
		if copies.Seen(frameOf(t, c.before)) {
			t.Errorf("%s: the first is a copy", c.name)
		}
		c.second.At = c.before.At + c.after
		if got := copies.Seen(frameOf(t, c.second)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// However large a segment is, it is cut into frames of the MSS at most that hold its data in order; what fits is left as it is.
func TestCutter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, c := framestest.NewFlow(), frames.NewCutter()
		if rapid.Bool().Draw(t, "IPv6") {
			f.Near, f.Far = netip.MustParseAddr("2001:db8:1::10"), netip.MustParseAddr("2001:67c:1::80")
		}
		syn := rapid.Bool().Draw(t, "SYN seen")
		if syn {
			for _, p := range f.Open(0) {
				c.Cut(frameOf(t, p), func(*frames.Frame) {})
			}
		}
		size := rapid.IntRange(0, 60000).Draw(t, "bytes")
		p := f.TCP(0, true, size, 0x19)
		whole := frameOf(t, p)
		if rapid.Bool().Draw(t, "length left to the card") {
			binary.BigEndian.PutUint16(p.IP[2+2*int(p.IP[0]>>5&1):], 0)
			whole = frameOf(t, p)
		}
		next, total, n := whole.Sequence(), 0, 0
		c.Cut(whole, func(q *frames.Frame) {
			_, data, ok := q.TCP()
			h, reason := frames.Parse(q.IP, q.Length)
			if !ok || reason != "" || h.Src != whole.Src || q.Length > frames.MTU || q.Sequence() != next || syn && data > 1460 {
				t.Fatalf("%d bytes at %d, want %d (%s)", q.Length, q.Sequence(), next, reason)
			}
			next += uint32(data)
			total += data
			n++
			if last := total == size; (q.Flags()&1 != 0) != last {
				t.Fatalf("FIN after %d of %d bytes: %x", total, size, q.Flags())
			}
		})
		if total != size || n > 1+size/1400 {
			t.Fatalf("%d of %d bytes in %d segments", total, size, n)
		}
	})
}

// Fragments are valid packets, and hold the payload once.
func TestFragments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := framestest.NewFlow()
		if rapid.Bool().Draw(t, "IPv6") {
			f.Near, f.Far = netip.MustParseAddr("2001:db8:1::10"), netip.MustParseAddr("2001:67c:1::80")
		}
		whole := frameOf(t, f.UDP(0, false, rapid.IntRange(0, 9000).Draw(t, "bytes")))
		mtu := rapid.IntRange(576, 9000).Draw(t, "MTU")
		at := 0
		whole.Fragments(mtu, func(q *frames.Frame) {
			h, reason := frames.Parse(q.IP, q.Length)
			if reason != "" || q.Length > mtu || h.Offset != at || h.Proto != frames.ProtoUDP || h.Above != q.Above || h.More != q.More {
				t.Fatalf("%+v %s after %d", h, reason, at)
			}
			at += q.Length - q.Above
			if want := at < whole.Length-whole.Above; h.More != want {
				t.Fatalf("more fragments: %v after %d", h.More, at)
			}
		})
		if at != whole.Length-whole.Above {
			t.Fatalf("%d bytes of %d", at, whole.Length-whole.Above)
		}
	})
}

func TestCrosses(t *testing.T) {
	for _, c := range []struct {
		near, far string
		want      bool
	}{
		{"192.168.1.2", "192.168.1.1", false},
		{"192.168.1.2", "224.0.0.251", false},
		{"192.168.1.2", "255.255.255.255", false},
		{"192.168.1.2", "0.0.0.0", false},
		{"192.168.1.2", "8.8.8.8", true},
		{"2001:db8:1::10", "2001:db8:1::20", false},
		{"2001:db8:1::10", "2001:db8:2::20", true},
		{"fe80::1", "fe80::2", false},
		{"2001:db8:1::10", "ff02::fb", false},
		{"fd00::1", "fd00::2", false},
	} {
		if got := frames.Crosses(netip.MustParseAddr(c.near), netip.MustParseAddr(c.far)); got != c.want {
			t.Errorf("%s to %s: %v", c.near, c.far, got)
		}
	}
}
