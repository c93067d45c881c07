package write

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/datasettest"
	"glasshouse/testbed/dataset/parquetfile"
	"glasshouse/testbed/dataset/pcapng"
)

// traffic is a home's traffic in the small: packets of some flows in bursts, and the truth about each.
type traffic struct {
	units   []dataset.Label
	packets []trafficPacket
}

type trafficPacket struct {
	gap     int64
	dir     int8
	ip      []byte
	lineage packet.Lineage
}

func newTraffic(units, flows, packets int) *traffic {
	r := rand.New(rand.NewPCG(7, 8))
	t := &traffic{}
	for i := range units {
		name := string(rune('a'+i)) + "-device"
		t.units = append(t.units, dataset.Label{Device: name, Unit: name, Class: name, Kind: "iot", Category: []string{"plug", "camera", "hub"}[i%3]})
	}
	for len(t.packets) < packets {
		f := r.IntN(flows)
		local, remote := uint16(40000+f*7), []uint16{443, 443, 80, 8883, 1883}[f%5]
		server := [4]byte{198, 18, byte(f % 7), byte(f)}
		x := packet.Lineage{Unit: int32(f % units), Activity: uint16(f % 9), Event: int64(len(t.packets) / 50), Role: packet.RoleData}
		for burst := range 1 + r.IntN(30) {
			payload := make([]byte, []int{0, 0, 37, 90, 1460, 1460, r.IntN(1460)}[r.IntN(7)])
			copy(payload, []byte{23, 3, 3, 0, 9})
			p := trafficPacket{gap: 1000 + r.Int64N(20_000_000), dir: 1, ip: datasettest.TCP(datasettest.Home, server, local, remote, 0x18, payload), lineage: x}
			if r.IntN(3) > 0 {
				p.dir, p.ip = -1, datasettest.TCP(server, datasettest.Home, remote, local, 0x10, payload)
			}
			if burst == 0 {
				p.gap = r.Int64N(2_000_000_000)
			}
			if len(payload) == 0 {
				p.lineage.Role = packet.RoleAck
			}
			t.packets = append(t.packets, p)
		}
	}
	return t
}

func (t *traffic) options() DirectOptions {
	return DirectOptions{
		Options: Options{EpochNs: datasettest.Epoch, GatewayMAC: [6]byte{2, 0, 0, 0, 1, 1}, ISPMAC: [6]byte{2, 0, 0, 0, 1, 2}},
		Units:   t.units, Activities: []string{"none", "heartbeat", "speak", "play", "update", "sync", "stream", "push", "dns"},
	}
}

// run writes n packets, of each of which keep bytes are handed over, and the frame on the LAN beside each.
func (t *traffic) run(d *DirectHome, n, keep int) {
	at := int64(-5e9) // a home starts before its script does
	lan := make([]byte, dataset.EthernetHeader, dataset.EthernetHeader+packet.MaxSize)
	lan[12] = 8
	for i := range n {
		p := &t.packets[i%len(t.packets)]
		at += p.gap
		x := p.lineage
		frame := append(lan, p.ip[:min(len(p.ip), keep)]...)
		if x.LANFrame = d.LAN(at, frame, dataset.EthernetHeader+len(p.ip)); i%17 == 0 {
			x = packet.Lineage{Unit: []int32{packet.UnitGateway, packet.UnitInternet, packet.UnitUnknown}[i%3], Event: packet.EventNone}
		}
		var o dataset.Observation
		d.WAN(&o, at, p.dir, p.ip[:min(len(p.ip), keep)], len(p.ip))
		d.Row(&o, x, i%101 == 0)
		if i%50 == 49 {
			d.Event(&dataset.Event{Event: int64(i / 50), Device: "a-device", Unit: "a-device", Activity: "sync", Trigger: "timer", Actor: "nobody", TScript: at, TStart: at, TEnd: -1, Outcome: "ok"})
		}
	}
}

func (t *traffic) home(tb testing.TB, name string, n, keep int, change func(*DirectOptions)) (dir string, d *DirectHome) {
	tb.Helper()
	dir = filepath.Join(tb.TempDir(), name)
	o := t.options()
	change(&o)
	d, err := CreateDirectHome(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	t.run(d, n, keep)
	if err := d.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir, d
}

// Both writers make the same files of the same packets.
func TestDirectHomeIsTheHomeWriters(t *testing.T) {
	const n = 2*pageRows + 345
	tr := newTraffic(5, 40, 3000)
	dir, d := tr.home(t, "direct", n, packet.MaxSize, func(o *DirectOptions) { o.Captures, o.LAN = true, true })
	live := filepath.Join(t.TempDir(), "live")
	o := tr.options()
	w, err := CreateHome(live, o.Options)
	if err != nil {
		t.Fatal(err)
	}
	at := int64(-5e9)
	byDevice := map[string]int64{}
	for i := range n {
		p := &tr.packets[i%len(tr.packets)]
		at += p.gap
		frame := append(make([]byte, dataset.EthernetHeader), p.ip...)
		frame[12] = 8
		row := dataset.Row{Label: tr.units[p.lineage.Unit]}
		row.Activity, row.Role, row.Event = o.Activities[p.lineage.Activity], p.lineage.Role.String(), p.lineage.Event
		if row.LANFrame = w.LAN(at, frame); i%17 == 0 {
			name := []string{"gateway", "internet", "unknown"}[i%3]
			kind := []string{"infrastructure", "infrastructure", "unknown"}[i%3]
			row.Label = dataset.Label{Device: name, Unit: name, Class: name, Kind: kind, Category: kind, Activity: "none", Role: "unknown", Event: packet.EventNone}
		}
		row.Lost = i%101 == 0
		byDevice[row.Device]++
		row.Observation = w.WAN(at, p.dir, p.ip)
		w.Row(&row)
		if i%50 == 49 {
			w.Event(dataset.Event{Event: int64(i / 50), Device: "a-device", Unit: "a-device", Activity: "sync", Trigger: "timer", Actor: "nobody", TScript: at, TStart: at, TEnd: -1, Outcome: "ok"})
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dataset.FileLAN, dataset.FileWAN, dataset.FilePackets, dataset.FileEvents} {
		a, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(live, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs: %d and %d bytes", name, len(a), len(b))
		}
		if sum, err := dataset.HashFile(filepath.Join(dir, name)); err != nil || d.Hashes()[name] != sum {
			t.Errorf("%s: sha256 %s, file %s %v", name, d.Hashes()[name], sum, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 4 || len(d.Hashes()) != 4 {
		t.Errorf("%v", entries)
	}
	if diff := cmp.Diff(byDevice, d.Counts().ByDevice); diff != "" {
		t.Error(diff)
	}
	if c := d.Counts(); c.WAN != n || c.LAN != n || c.Up+c.Down != n || c.WithoutLAN != (n+16)/17 || c.Events != n/50 {
		t.Errorf("%+v", c)
	}
}

// What is not captured, or only in part, changes no row and no event.
func TestDirectRowsDoNotDependOnCaptures(t *testing.T) {
	const n = 3000
	tr := newTraffic(5, 40, 1000)
	_, want := tr.home(t, "whole", n, packet.MaxSize, func(o *DirectOptions) { o.Captures, o.LAN = true, true })
	for name, c := range map[string]struct {
		keep   int
		change func(*DirectOptions)
		files  int
	}{
		"none":              {packet.MaxSize, func(*DirectOptions) {}, 2},
		"none, headers":     {128, func(*DirectOptions) {}, 2},
		"wan":               {packet.MaxSize, func(o *DirectOptions) { o.Captures = true }, 3},
		"snaplen":           {128, func(o *DirectOptions) { o.Captures, o.LAN, o.Snaplen = true, true, 128 }, 4},
		"lan without a wan": {packet.MaxSize, func(o *DirectOptions) { o.LAN = true }, 2},
	} {
		_, d := tr.home(t, "h", n, c.keep, c.change)
		got := d.Hashes()
		if len(got) != c.files {
			t.Errorf("%s: %d files", name, len(got))
		}
		for _, f := range []string{dataset.FilePackets, dataset.FileEvents} {
			if got[f] != want.Hashes()[f] {
				t.Errorf("%s: %s differs", name, f)
			}
		}
		if !maps.Equal(d.Counts().ByDevice, want.Counts().ByDevice) {
			t.Errorf("%s: %v", name, d.Counts())
		}
	}
}

// A snapshot keeps the beginning of frames and their length.
func TestDirectSnaplen(t *testing.T) {
	tr := newTraffic(3, 10, 300)
	dir, _ := tr.home(t, "h", 300, 128, func(o *DirectOptions) { o.Captures, o.Snaplen = true, 100 })
	r, err := pcapng.Open(filepath.Join(dir, dataset.FileWAN))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := dataset.NewParser()
	if err := dataset.ReadRows(filepath.Join(dir, dataset.FilePackets), func(row *dataset.Row) error {
		f, err := r.Read()
		if err != nil {
			return err
		}
		if f.Length != int(row.Length) || len(f.Data) != min(f.Length, 100) || f.TsNs != row.TsNs {
			return fmt.Errorf("frame of %d, %d kept; row %+v", f.Length, len(f.Data), row)
		}
		o := p.ObserveLen(f.TsNs, row.Dir, f.Data, f.Length)
		if o.Frame = row.Frame; o != row.Observation {
			return errors.New(cmp.Diff(row.Observation, o))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Addresses and ports that do not end: a row group ends before its dictionaries are full.
func TestDirectManyAddresses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "h")
	d, err := CreateDirectHome(dir, newTraffic(1, 1, 1).options())
	if err != nil {
		t.Fatal(err)
	}
	const n = 200000
	r := rand.New(rand.NewPCG(1, 1))
	ip := datasettest.TCP(datasettest.Home, datasettest.Cloud, 1, 2, 2, nil)
	var want []string
	for i := range int64(n) {
		for k := range 8 {
			ip[12+k] = byte(r.Uint32())
		}
		ip[20], ip[21] = byte(r.Uint32()), byte(r.Uint32())
		var o dataset.Observation
		d.WAN(&o, i, 1, ip, 40)
		d.Row(&o, packet.Lineage{Unit: packet.UnitInternet, Event: packet.EventNone}, false)
		want = append(want, fmt.Sprint(o))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	i := 0
	if err := dataset.ReadRows(filepath.Join(dir, dataset.FilePackets), func(row *dataset.Row) error {
		if got := fmt.Sprint(row.Observation); got != want[i] {
			return fmt.Errorf("row %d: %s, want %s", i, got, want[i])
		}
		i++
		return nil
	}); err != nil || i != n {
		t.Fatalf("%d rows: %v", i, err)
	}
}

func TestDirectHomeAllocatesNothing(t *testing.T) {
	tr := newTraffic(14, 60, 2000)
	o := tr.options()
	o.Captures, o.LAN = true, true
	d, err := CreateDirectHome(filepath.Join(t.TempDir(), "h"), o)
	if err != nil {
		t.Fatal(err)
	}
	tr.run(d, parquetfile.GroupRows, 128) // buffers have grown to what a row group takes
	const n = 3 * pageRows
	i := 0
	if got := testing.AllocsPerRun(3, func() {
		for range n {
			p := &tr.packets[i%len(tr.packets)]
			i++
			frame := d.LAN(d.wanTs-datasettest.Epoch+p.gap, p.ip[:40], len(p.ip))
			var o dataset.Observation
			d.WAN(&o, d.wanTs-datasettest.Epoch+p.gap, p.dir, p.ip[:min(len(p.ip), 128)], len(p.ip))
			x := p.lineage
			x.LANFrame = frame
			d.Row(&o, x, false)
		}
	}); got > 0 {
		t.Errorf("%.0f allocations for %d packets", got, n)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// Memory is that of a row group, however long a home runs.
func TestDirectHomeMemory(t *testing.T) {
	tr := newTraffic(14, 60, 2000)
	d, err := CreateDirectHome(filepath.Join(t.TempDir(), "h"), tr.options())
	if err != nil {
		t.Fatal(err)
	}
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	var at [3]int64
	for i := range at {
		for range 2 {
			tr.run(d, parquetfile.GroupRows, 128)
		}
		at[i] = inUse() - before
	}
	if err := d.Abort(); err != nil {
		t.Fatal(err)
	}
	if at[0] > 60<<20 || at[2] > at[1]+1<<18 {
		t.Errorf("%v bytes after 2, 4 and 6 row groups", at)
	}
}

func TestDirectHomeErrors(t *testing.T) {
	tr := newTraffic(2, 2, 10)
	make := func(t *testing.T) *DirectHome {
		t.Helper()
		d, err := CreateDirectHome(filepath.Join(t.TempDir(), "h"), tr.options())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, c := range map[string]struct {
		spoil func(*DirectHome)
		want  string
	}{
		"a row too few": {func(d *DirectHome) {
			d.WAN(new(dataset.Observation), 1, 1, datasettest.UDP(datasettest.Home, datasettest.Cloud, 1, 2, nil), 28)
		}, "1 frames have 0 rows"},
		"a row out of order": {func(d *DirectHome) { d.Row(&dataset.Observation{Frame: 2}, packet.Lineage{}, false) }, "row 2 came in the place of row 1"},
		"an event twice":     {func(d *DirectHome) { d.Event(&dataset.Event{}); d.Event(&dataset.Event{}) }, "event 0 came twice"},
		"an event afar":      {func(d *DirectHome) { d.Event(&dataset.Event{Event: 1 << 40}) }, "numbers are dense"},
	} {
		d := make(t)
		c.spoil(d)
		if err := d.Close(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := make(t)
	tr.run(d, 100, 2000)
	if err := d.Abort(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Abort: %v", err)
	}
}

// What must be decoded in its frame is written as what is read directly.
func TestDirectIPv6(t *testing.T) {
	ip := make([]byte, 48)
	ip[0], ip[5], ip[6], ip[24] = 0x60, 8, 17, 0xfd
	ip[45] = 8
	d, err := CreateDirectHome(filepath.Join(t.TempDir(), "h"), newTraffic(1, 1, 1).options())
	if err != nil {
		t.Fatal(err)
	}
	var o dataset.Observation
	d.WAN(&o, 1, 1, ip, len(ip))
	if o.IPProto != 17 || o.RemoteAddr != "fd00::" || o.Length != 62 || o.Frame != 1 {
		t.Errorf("%+v", o)
	}
	if err := d.Abort(); err != nil {
		t.Fatal(err)
	}
}

func benchmarkDirect(b *testing.B, keep int, o func(*DirectOptions)) {
	b.Helper()
	t := newTraffic(14, 60, 1000)
	options := t.options()
	o(&options)
	d, err := CreateDirectHome(filepath.Join(b.TempDir(), "h"), options)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	at, i := int64(0), 0
	for b.Loop() {
		p := &t.packets[i]
		if i++; i == len(t.packets) {
			i = 0
		}
		at += p.gap
		var obs dataset.Observation
		d.WAN(&obs, at, p.dir, p.ip[:min(len(p.ip), keep)], len(p.ip))
		x := p.lineage
		x.LANFrame = obs.Frame
		d.Row(&obs, x, false)
	}
	rows := d.wanN
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(d.dir, dataset.FilePackets))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(st.Size())/float64(rows), "B/row")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpkt/s")
}

func BenchmarkDirectRows(b *testing.B) {
	benchmarkDirect(b, 1<<16, func(*DirectOptions) {})
}

func BenchmarkDirectCapture128(b *testing.B) {
	benchmarkDirect(b, 128, func(o *DirectOptions) { o.Captures, o.Snaplen = true, 128 })
}
