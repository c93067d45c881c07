package generate_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
)

// BenchmarkGenerate lives noisy homes in the virtual world. Run it with GOMAXPROCS=1 for figures a core.
func BenchmarkGenerate(b *testing.B) {
	for _, kind := range []struct {
		name, captures string
		snaplen        int
	}{
		{"no-pcap", dataset.CapturesNone, 0},
		{"wan-128", dataset.CapturesWAN, 128},
		{"all", dataset.CapturesAll, 0},
	} {
		for _, scenario := range []string{"noisy-napt", "noisy-vpn"} {
			b.Run(scenario+"/"+kind.name, func(b *testing.B) {
				sc, err := scenarios.Load(scenario)
				if err != nil {
					b.Fatal(err)
				}
				packets, seconds := int64(0), 0.0
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					res, err := generate.Homes(b.Context(), generate.Options{
						Scenario: sc, Seed: 1, Homes: 1, Duration: 6 * time.Hour, Workers: 1, Shard: 1, Of: 1,
						Out: filepath.Join(b.TempDir(), fmt.Sprint(i)), Captures: kind.captures, Snaplen: kind.snaplen,
					})
					if err != nil {
						b.Fatal(err)
					}
					packets += res.Packets
					seconds += res.WallS
				}
				b.ReportMetric(float64(packets)/seconds, "packets/s")
				b.ReportMetric(float64(packets)/float64(b.N), "packets/op")
			})
		}
	}
}
