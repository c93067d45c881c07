package feature

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// A Reader's flow features equal those of the WANReader, which has tests of its own, and no state remains from one home to the next.
func TestFlowColumnsEqualTheWANReaders(t *testing.T) {
	names := ColumnNames(Flow, nil)
	cols, err := NewColumns(names)
	if err != nil {
		t.Fatal(err)
	}
	r, got := &Reader{C: cols}, make([]float32, len(names))
	rapid.Check(t, func(t *rapid.T) {
		r.Reset()
		var oracle WANReader
		want := make([]float32, NumWANFeatures)
		home := drawHome(t)
		for i := range home {
			o := &home[i]
			o.LocalPort = rapid.Uint16Range(4000, 4002).Draw(t, "local")
			o.RemoteAddr = rapid.SampledFrom([]string{"198.51.100.7", "198.51.100.8"}).Draw(t, "remote")
			o.TCPFlags = rapid.SampledFrom([]uint8{packet.FlagACK, packet.FlagSYN}).Draw(t, "flags")
			o.PayloadLength = max(o.Length-54, 0)
			r.Step(o, got)
			oracle.Step(o, nil, want)
			if diff := cmp.Diff(want[:numFlowFeatures], got); diff != "" {
				t.Fatalf("packet %d: %s", i, diff)
			}
		}
	})
}

// Two interleaved flows with the same sequence features differ in a flow feature.
func TestFlowFeaturesSeparateInterleavedFlows(t *testing.T) {
	cols, err := NewColumns([]string{"flow_first"})
	if err != nil {
		t.Fatal(err)
	}
	r, out := &Reader{C: cols}, make([]float32, 1)
	for i := range 20 {
		local := uint16(4000 + i%2)
		o := dataset.Observation{TsNs: int64(i+1) * 1e6, Dir: 1, IPProto: 6, LocalPort: local, RemotePort: 443, RemoteAddr: "198.51.100.7", Length: 1514, PayloadLength: 1460}
		if i < 2 {
			o.PayloadLength = int32(300 + i)
		}
		r.Step(&o, out)
		if want := float32(300 + i%2); out[0] != want {
			t.Fatalf("packet %d: the flow began with %v bytes, want %v", i, out[0], want)
		}
	}
}
