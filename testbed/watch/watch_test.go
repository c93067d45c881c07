package watch

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glasshouse/classifier/model"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/framestest"
	"glasshouse/testbed/generate"
)

// datagram is an IPv4 packet with UDP.
func datagram(src, dst string, ttl uint8, payload int) []byte {
	b := make([]byte, 28+payload)
	b[0], b[8], b[9] = 0x45, ttl, 17
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	a, c := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(b[12:], a[:])
	copy(b[16:], c[:])
	binary.BigEndian.PutUint16(b[20:], 40000)
	binary.BigEndian.PutUint16(b[22:], 51820)
	binary.BigEndian.PutUint16(b[24:], uint16(8+payload))
	return b
}

func datagram6(payload int) []byte {
	b := make([]byte, 48+payload)
	b[0], b[6], b[7] = 0x60, 17, 64
	binary.BigEndian.PutUint16(b[4:], uint16(8+payload))
	b[8], b[24] = 0xfd, 0x20
	binary.BigEndian.PutUint16(b[44:], uint16(8+payload))
	return b
}

func ethernet(ether uint16, tags []byte, ip []byte) []byte {
	b := make([]byte, 12, 14+len(ip))
	b = append(b, tags...)
	b = binary.BigEndian.AppendUint16(b, ether)
	return append(b, ip...)
}

// record is a frame of a packet between two addresses.
func record(src, dst string, ttl uint8) frames.Record {
	return frames.Record{TsNs: 1, Link: frames.LinkRaw, Data: datagram(src, dst, ttl, 4)}
}

// A padded frame is observed without its padding, IPv6 with its own addresses, and what is captured twice once.
func TestObservedFrames(t *testing.T) {
	var got []Packet
	w := New(&fixed{}, Local{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fd00::/8")}, 0)
	w.OnPacket = func(p *Packet) error {
		got = append(got, *p)
		return nil
	}
	ip := datagram("192.168.1.5", "198.18.3.4", 64, 4)
	for i, r := range []frames.Record{
		{Link: 1, Data: append(ethernet(0x800, nil, ip), make([]byte, 28)...)},
		{Link: 1, Data: ethernet(0x800, []byte{0x91, 0, 0, 7}, ip)},
		{Link: frames.LinkRaw, Data: datagram6(9)},
		{Link: 1, Data: ethernet(0x806, nil, make([]byte, 28))},
		{Link: 105, Data: ip},
		{Link: frames.LinkRaw, Data: datagram("192.168.1.5", "192.168.1.1", 64, 4)},
	} {
		r.TsNs = int64(i) * 10
		if err := w.Frame(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := dataset.Observation{
		Frame: 1, Dir: 1, Length: int32(14 + len(ip)), IPProto: 17, LocalPort: 40000, RemotePort: 51820, RemoteAddr: "198.18.3.4", PayloadLength: 4, AppProto: "none",
	}
	if len(got) != 2 {
		t.Fatalf("%d packets: %v", len(got), w.LeftOut())
	}
	if diff := cmp.Diff(want, got[0].Observation); diff != "" {
		t.Error(diff)
	}
	if o := got[1].Observation; o.Length != 14+57 || o.Frame != 3 || o.RemoteAddr != "2000::" {
		t.Errorf("%+v", o)
	}
	left := frames.LeftOut{frames.Copy: 1, frames.NotIP: 1, frames.LinkType: 1, frames.StaysLocal: 1}
	if diff := cmp.Diff(left, w.LeftOut()); diff != "" {
		t.Error(diff)
	}
}

// Of a home that has both families, both cross its edge, and the same stations' packets go up.
func TestDualStackCrossesTheEdge(t *testing.T) {
	six := framestest.NewFlow()
	six.Near, six.Far = netip.MustParseAddr("2001:db8:1::10"), netip.MustParseAddr("2001:67c:1::80")
	packets := append(framestest.NewFlow().Datagrams(framestest.Start, 10e9, 20, 100, 48), six.Datagrams(framestest.Start+3e9, 10e9, 20, 200, 90)...)
	slices.SortStableFunc(packets, func(a, b framestest.Packet) int { return int(a.At - b.At) })
	for name, link := range map[string]uint16{"Ethernet": 1, "raw": framestest.LinkRaw} {
		w := New(&fixed{}, nil, 0)
		up := 0
		w.OnPacket = func(p *Packet) error {
			if p.Dir > 0 {
				up++
			}
			return nil
		}
		for _, p := range packets {
			if err := w.Frame(frames.Record{TsNs: p.At, Link: link, Data: framestest.Wrap(link, p)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if c := w.Counts(); c.Labeled != 80 || up != 40 || c.Inside != 0 {
			t.Errorf("%s: %+v, %d up, home side %s", name, c, up, w.Local())
		}
	}
}

func TestSide(t *testing.T) {
	type pair struct {
		src, dst string
		ttl      uint8
	}
	many := func(home string) (out []pair) {
		for i := range 20 {
			far := netip.AddrFrom4([4]byte{198, 18, 3, byte(i)}).String()
			out = append(out, pair{home, far, 64}, pair{far, home, 50})
		}
		return out
	}
	for name, c := range map[string]struct {
		seen []pair
		want string // "" = cannot be told
	}{
		"a LAN":                                {[]pair{{"192.168.1.5", "198.18.3.4", 64}, {"198.18.3.4", "192.168.1.5", 50}, {"192.168.1.6", "192.168.1.5", 64}}, homePrefixes().String()},
		"a WAN":                                {[]pair{{"203.0.113.9", "198.18.3.4", 63}, {"198.18.9.9", "203.0.113.9", 50}, {"203.0.113.9", "198.18.7.7", 63}}, "203.0.113.9"},
		"a tunnel":                             {[]pair{{"203.0.113.9", "198.18.3.4", 64}, {"198.18.3.4", "203.0.113.9", 52}}, "203.0.113.9"},
		"a tunnel, to Windows":                 {[]pair{{"203.0.113.9", "198.18.3.4", 64}, {"198.18.3.4", "203.0.113.9", 117}}, "203.0.113.9"},
		"a tunnel, no hops":                    {[]pair{{"203.0.113.9", "198.18.3.4", 64}, {"198.18.3.4", "203.0.113.9", 64}}, ""},
		"a backbone":                           {[]pair{{"203.0.113.9", "198.18.3.4", 64}, {"198.18.3.5", "203.0.113.1", 64}}, ""},
		"nothing":                              {nil, ""},
		"a WAN with a modem":                   {append(many("203.0.113.9"), pair{"203.0.113.9", "192.168.100.1", 64}, pair{"192.168.100.1", "203.0.113.9", 64}), "203.0.113.9"},
		"a WAN, the modem first":               {append([]pair{{"203.0.113.9", "192.168.100.1", 64}}, many("203.0.113.9")...), "203.0.113.9"},
		"a WAN, mostly its carrier's resolver": {append(many("203.0.113.9"), slices.Repeat([]pair{{"203.0.113.9", "10.0.0.53", 64}}, 90)...), "203.0.113.9"},
		"a LAN, all to one server":             {[]pair{{"192.168.1.5", "198.18.3.4", 64}, {"192.168.1.6", "198.18.3.4", 64}, {"192.168.1.7", "198.18.3.4", 64}}, homePrefixes().String()},
		"a WAN behind a carrier":               {[]pair{{"100.64.1.2", "198.18.3.4", 64}, {"198.18.7.7", "100.64.1.2", 50}}, homePrefixes().String()},
	} {
		var g sideGuess
		for _, p := range c.seen {
			d := frames.NewDecoder()
			f, ok := d.Decode(record(p.src, p.dst, p.ttl))
			if !ok {
				t.Fatal(d.LeftOut())
			}
			g.add(f)
		}
		l, err := g.local()
		if c.want == "" {
			if !errors.Is(err, ErrSide) {
				t.Errorf("%s: %v, %v", name, l, err)
			}
			continue
		}
		if err != nil || l.String() != c.want {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	l, err := ParseLocal([]string{"203.0.113.7", "10.1.2.3/8", "fd00::/8"})
	if err != nil || l.String() != "203.0.113.7, 10.0.0.0/8, fd00::/8" {
		t.Error(l, err)
	}
	for _, c := range []struct {
		src, dst string
		want     int8
	}{{"10.9.9.9", "1.1.1.1", 1}, {"1.1.1.1", "203.0.113.7", -1}, {"10.0.0.1", "10.0.0.2", 0}, {"1.1.1.1", "8.8.8.8", 0}, {"10.0.0.1", "224.0.0.251", 0}, {"10.0.0.1", "255.255.255.255", 0}} {
		if d := l.dir(netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst)); d != c.want {
			t.Errorf("%s to %s goes %d", c.src, c.dst, d)
		}
	}
	if _, err := ParseLocal([]string{"home"}); err == nil {
		t.Error("a word is no address")
	}
}

// small lives two homes of a scenario in the virtual world, with captures.
func small(tb testing.TB, scenario string) *dataset.Dataset {
	tb.Helper()
	return lived(tb, scenario, 2, 3*time.Minute)
}

func lived(tb testing.TB, scenario string, homes int, duration time.Duration) *dataset.Dataset {
	tb.Helper()
	sc, err := scenarios.Load(scenario)
	if err != nil {
		tb.Fatal(err)
	}
	dir := filepath.Join(tb.TempDir(), "set")
	if _, err := generate.Homes(tb.Context(), generate.Options{
		Scenario: sc, Seed: 5, Homes: homes, Duration: duration, TimeScale: 3, Workers: 2, Shard: 1, Of: 1, Out: dir, Captures: dataset.CapturesWAN,
	}); err != nil {
		tb.Fatal(err)
	}
	d, err := dataset.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// A capture without truth gives what the rows of its home give, packet by packet, behind NAPT and through the tunnel.
func TestWatchingIsScoring(t *testing.T) {
	for _, scenario := range []string{"noisy-napt", "noisy-vpn"} {
		d := small(t, scenario)
		m, err := train.Train(t.Context(), []*dataset.Dataset{d}, train.Options{Kind: "forest", Forest: tree.ForestOptions{Trees: 5, Workers: 2}})
		if err != nil {
			t.Fatal(err)
		}
		var want []Packet
		l := model.NewLabeller(m, func(o dataset.Observation, class string, p float32) error {
			want = append(want, Packet{o, class, p})
			return nil
		})
		if err := dataset.ReadRows(filepath.Join(d.HomePath(0), dataset.FilePackets), func(r *dataset.Row) error { return l.Step(&r.Observation, r.Observation) }); err != nil {
			t.Fatal(err)
		}
		var got []Packet
		w := New(m, nil, 0)
		w.OnPacket = func(p *Packet) error {
			got = append(got, *p)
			return nil
		}
		windows, inWindows := 0, 0
		w.OnWindow = func(win *Window) error {
			windows++
			for _, c := range win.Present {
				inWindows += c.Packets
			}
			return nil
		}
		watchFile(t, w, filepath.Join(d.HomePath(0), dataset.FileWAN))
		if len(want) < 500 {
			t.Errorf("%s: only %d packets", scenario, len(want))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %.2000s", scenario, diff)
		}
		total := int64(0)
		for _, c := range w.Totals() {
			total += c.Packets
		}
		if n := w.Counts(); n.Labeled != total || n.Labeled != int64(inWindows) || windows != (len(want)+99)/100 || n.Frames != n.Labeled+n.Inside+n.NotIP {
			t.Errorf("%s: %+v, %d in totals, %d in %d windows", scenario, n, total, inWindows, windows)
		}
	}
}

// What a window of the model's own size tells is not asked of another.
func TestWindowsOfAnotherSizeAreNotCalledUnknown(t *testing.T) {
	d := lived(t, "noisy-napt", 3, 6*time.Minute)
	m, err := train.Train(t.Context(), []*dataset.Dataset{d}, train.Options{Kind: "forest", Seed: 1, Unknown: 0.5, Forest: tree.ForestOptions{Trees: 5, Workers: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Meta().DetectsUnknown() {
		t.Fatal("the model tells nothing unknown")
	}
	m.Meta().Unknown.Window = -1 // every window is above
	for _, c := range []struct {
		window int
		want   bool
	}{{0, true}, {50, false}, {200, false}} {
		full, short := 0, 0
		w := New(m, nil, c.window)
		w.OnWindow = func(win *Window) error {
			if win.Packets == w.window {
				full++
			} else {
				short++
			}
			if want := c.want && win.Packets == 100; win.Unknown != want {
				t.Errorf("--window %d: a window of %d packets: unknown is %v", c.window, win.Packets, win.Unknown)
			}
			return nil
		}
		watchFile(t, w, filepath.Join(d.HomePath(0), dataset.FileWAN))
		if full == 0 || short != 1 {
			t.Errorf("--window %d: %d full windows, %d short ones", c.window, full, short)
		}
	}
}

func watchFile(tb testing.TB, w *Watcher, path string) {
	tb.Helper()
	r, err := frames.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	for {
		f, err := r.Record()
		if err != nil {
			break
		}
		if err := w.Frame(f); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
}

// fixed is a model that knows one class.
type fixed struct{ meta model.Meta }

func (f *fixed) Classes() []string    { return []string{"x"} }
func (f *fixed) Stream() model.Stream { return f }
func (f *fixed) Meta() *model.Meta    { return &f.meta }
func (f *fixed) Step(o *dataset.Observation, p []float32) (int64, bool) {
	p[0] = 1
	return o.Frame, true
}
func (f *fixed) Flush([]float32) (int64, bool) { return 0, false }
func (f *fixed) Save(io.Writer) error          { return nil }

// FuzzWatch: whatever a capture holds, watching it ends, without a panic, and no frame is counted twice.
func FuzzWatch(f *testing.F) {
	ip := datagram("192.168.1.5", "198.18.3.4", 64, 4)
	for _, link := range []uint32{0, 1, 12, 101, 113, 228, 229, 276} {
		head := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}
		head = binary.LittleEndian.AppendUint32(head, link)
		for _, data := range [][]byte{ip, ethernet(0x800, nil, ip), datagram6(3)} {
			b := slices.Clone(head)
			b = append(b, 1, 0, 0, 0, 1, 0, 0, 0)
			b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
			b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
			f.Add(append(b, data...))
		}
	}
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := frames.Open(path)
		if err != nil {
			return
		}
		defer r.Close()
		w := New(&fixed{}, nil, 3)
		for {
			f, err := r.Record()
			if err != nil || w.Frame(f) != nil {
				break
			}
		}
		if err := w.Close(); err != nil {
			return
		}
		if c := w.Counts(); c.Labeled+c.Inside+c.NotIP > c.Frames {
			t.Errorf("%+v", c)
		}
	})
}

// BenchmarkFrameToLabel is the whole way: a frame of a capture in memory to its label, with a forest of 20 trees.
func BenchmarkFrameToLabel(b *testing.B) {
	for _, scenario := range []string{"noisy-napt", "noisy-vpn"} {
		b.Run(scenario, func(b *testing.B) {
			d := small(b, scenario)
			m, err := train.Train(b.Context(), []*dataset.Dataset{d}, train.Options{Kind: "forest", Forest: tree.ForestOptions{Trees: 20, Workers: 2}})
			if err != nil {
				b.Fatal(err)
			}
			r, err := frames.Open(filepath.Join(d.HomePath(0), dataset.FileWAN))
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			var all []frames.Record
			for {
				f, err := r.Record()
				if err != nil {
					break
				}
				f.Data = slices.Clone(f.Data)
				all = append(all, f)
			}
			w := New(m, homePrefixes(), 0)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := w.Frame(all[i%len(all)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			if w.Counts().Labeled < int64(i)*9/10 {
				b.Fatalf("%+v", w.Counts())
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
