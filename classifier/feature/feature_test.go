package feature

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/testbed/dataset"
)

// slowSequence computes the sequence features of the last packet from all packets, by their definitions.
func slowSequence(o []dataset.Observation) []float32 {
	n := len(o)
	last := o[n-1]
	sec := func(ns int64) float32 { return float32(float64(ns) / 1e9) }
	signed := func(p dataset.Observation) float32 { return float32(int32(p.Dir) * min(p.Length, lengths-1)) }
	alike := func(a, b dataset.Observation) bool { return signed(a) == signed(b) }
	final := func(k int) []dataset.Observation { return o[max(n-k, 0):] }

	out := []float32{0, 0, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	first := n - 1
	for first > 0 && o[first].TsNs-o[first-1].TsNs < 100e6 {
		first--
	}
	out[0] = float32(n - first)
	total := int64(0)
	for _, p := range o[first:] {
		total += int64(p.Length)
	}
	out[1] = float32(total)
	var same, way []int
	for i := n - 2; i >= 0; i-- {
		if alike(o[i], last) {
			same = append(same, i)
		}
		if o[i].Dir == last.Dir {
			way = append(way, i)
		}
	}
	if len(same) > 0 {
		out[2] = sec(last.TsNs - o[same[0]].TsNs)
	}
	if len(same) > 1 {
		out[3] = sec(o[same[0]].TsNs - o[same[1]].TsNs)
	}
	if len(way) > 0 {
		out[4] = sec(last.TsNs - o[way[0]].TsNs)
	}
	for k := range 4 {
		if i := n - 2 - k; i >= 0 {
			out[5+k] = signed(o[i])
		}
	}
	if n > 2 {
		out[9] = sec(o[n-2].TsNs - o[n-3].TsNs)
	}
	for i, k := range []int{8, 32, 128} {
		out[10+i] = sec(last.TsNs - final(k)[0].TsNs)
	}
	for _, p := range final(32) {
		if p.Dir > 0 {
			out[13]++
		}
		out[14] += float32(min(p.Length, lengths-1))
	}
	for _, p := range final(128) {
		if alike(p, last) {
			out[15]++
		}
	}
	return out
}

func drawHome(t *rapid.T) []dataset.Observation {
	var at int64
	out := make([]dataset.Observation, rapid.IntRange(1, 300).Draw(t, "packets"))
	for i := range out {
		at += rapid.Int64Range(0, 150e6).Draw(t, "interval")
		out[i] = dataset.Observation{
			TsNs: at, Frame: int64(i + 1), Dir: rapid.SampledFrom([]int8{1, -1}).Draw(t, "dir"), IPProto: 6,
			Length: rapid.SampledFrom([]int32{54, 60, 95, 1514, 2047, 2048, 9000}).Draw(t, "length"), RemotePort: 443,
		}
	}
	return out
}

func TestSequenceFeaturesAgreeWithTheirDefinitions(t *testing.T) {
	cols, err := NewColumns(SequenceNames())
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{C: cols}
	got := make([]float32, len(SequenceNames()))
	rapid.Check(t, func(t *rapid.T) {
		r.Reset() // no state of the previous home may remain
		home := drawHome(t)
		for i := range home {
			r.Step(&home[i], got)
			if diff := cmp.Diff(slowSequence(home[:i+1]), got); diff != "" {
				t.Fatalf("packet %d: %s", i, diff)
			}
		}
	})
}

func TestOneHotColumns(t *testing.T) {
	names := ColumnNames(OneHot, []uint16{443, 53})
	cols, err := NewColumns(names)
	if err != nil {
		t.Fatal(err)
	}
	r, out := &Reader{C: cols}, make([]float32, len(names))
	r.Step(&dataset.Observation{Dir: -1, Length: 99, IPProto: 17, RemotePort: 53, AppProto: dataset.AppDNS}, out)
	if diff := cmp.Diff([]float32{0, 1, 1, 0, 1, 0, 0, 1, 0, -1, 99, 0}, out); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"remote_port=443", "remote_port=53", "ip"}, names[:3]); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"label_device", "remote_port=", "remote_port=65536", "remote_port=x", ""} {
		if _, err := NewColumns([]string{bad}); err == nil {
			t.Errorf("feature %q is accepted", bad)
		}
	}
	if got := MostUsed(map[uint16]int{80: 2, 443: 9, 22: 2, 1: 1}, 3); !slices.Equal(got, []uint16{443, 22, 80}) {
		t.Errorf("most used: %v", got)
	}
}

func TestConstantColumnsAreDropped(t *testing.T) {
	x, names := DropConstant([]float32{1, 7, 3, 1, 8, 3, 1, 7, 4}, []string{"a", "b", "c"})
	if diff := cmp.Diff([]float32{7, 3, 8, 3, 7, 4}, x); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b", "c"}, names); diff != "" {
		t.Error(diff)
	}
	if x, names = DropConstant([]float32{1, 7, 1, 7}, []string{"a", "b"}); !slices.Equal(names, []string{"b"}) || !slices.Equal(x, []float32{7, 7}) {
		t.Errorf("all constant: %v %v", names, x)
	}
}
