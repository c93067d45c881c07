package parts

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"glasshouse/testbed/generate"
	"glasshouse/testbed/reproduce/results"
)

// throughputHomes are enough that two workers end at about the same time.
const throughputHomes = 8

func throughput(e *Env) spec {
	each := 12 * e.Duration
	hours := throughputHomes * each.Hours()
	return spec{
		name: "throughput", title: "Throughput of generate", options: struct {
			Each int64 `json:"duration_ns"`
		}{int64(each)},
		measures: fmt.Sprintf("How many labelled WAN packets `generate` makes in a second of wall time, and the most memory it holds, for "+
			"%s of %s of noisy-napt. Each row is a process of its "+
			"own, beside whatever else the machine was doing.", plural(throughputHomes, "home"), each),
		wall: time.Duration(hours*0.45*float64(time.Second)) + 5*time.Second,
		run: func(ctx context.Context, e *Env, dir string) (*results.Content, error) {
			t := results.Table{Columns: []string{"options", "packets", "wall time, s", "packets/s", "memory, MB"}}
			var all []*generate.Result
			for i, extra := range [][]string{
				{"--no-pcap", "--workers", "1"}, {"--no-pcap", "--workers", fmt.Sprint(max(2, e.Workers))}, {
					"--only-wan", "--snaplen", "128",
					"--workers", "1",
				},
			} {
				args := []string{
					"noisy-napt", "--homes", fmt.Sprint(throughputHomes), "--duration", each.String(), "--seed", fmt.Sprint(e.Seed), "--time-scale",
					fmt.Sprint(timeScale),
				}
				r, err := e.Generate(ctx, append(append(args, extra...), "-o", filepath.Join(dir, fmt.Sprintf("%d-%d", i, e.Now().UnixNano())))...)
				if err != nil {
					return nil, err
				}
				e.Tell(fmt.Sprintf("%s: %.0f packets/s", strings.Join(extra, " "), r.PacketsPerS))
				all = append(all, r)
				t.Rows = append(t.Rows, []string{
					"`" + strings.Join(extra, " ") + "`", fmt.Sprint(r.Packets), fmt.Sprintf("%.1f", r.WallS), fmt.Sprintf("%.0f", r.PacketsPerS),
					fmt.Sprintf("%.0f", r.PeakRSSMB),
				})
			}
			return &results.Content{Tables: []results.Table{t}, Data: all}, nil
		},
	}
}
