// Package table1 puts the paper's table 1, the protocol mix of each device, next to the emulation's: it simulates homes that mimic the
// paper's captures and counts what their access points capture.
package table1

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/scenarios"
	"glasshouse/testbed/buildinfo"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/mix"
)

// Row is a row of the paper's table 1: percent of a device's packets, in the order of mix.Columns. A tilde in the paper
// means below 0.05, and is 0 here.
type Row struct {
	Device string
	Paper  [7]float64
}

// Paper returns the paper's table 1, as printed: homemole-table1 in devices/catalogue/sources.yaml.
func Paper() []Row {
	return []Row{
		{"google-home", [7]float64{100.0, 1.5, 98.1, 26.6, 0, 0.6, 0.4}},
		{"echo-dot", [7]float64{100.0, 0, 100.0, 14.6, 0, 0, 0}},
		{"tmall-assist", [7]float64{99.6, 0, 99.6, 21.0, 5.5, 0, 0.4}},
		{"360-camera-lan", [7]float64{99.7, 78.6, 21.1, 0.4, 0, 0, 0.4}},
		{"360-camera-wan", [7]float64{100.0, 99.9, 0.1, 0, 0, 0, 0}},
		{"orvibo-plug", [7]float64{99.6, 0.2, 99.4, 0, 0, 0, 0.4}},
		{"broadlink-plug", [7]float64{99.7, 99.7, 0, 0, 0, 0, 0.3}},
		{"tplink-plug", [7]float64{99.4, 0.1, 99.3, 50.9, 0, 0, 0.6}},
		{"xiaomi-hub", [7]float64{99.5, 99.5, 0, 0, 0, 0, 0.5}},
		{"noise-mobile", [7]float64{87.6, 5.5, 80.1, 4.5, 1.7, 2.2, 12.4}},
		{"noise-tablet", [7]float64{87.0, 0.5, 86.4, 0.6, 0.1, 0.1, 13.0}},
	}
}

// prefix names the scenarios that mimic the paper's captures, one a row.
const prefix = "table1-"

// subject tells whether a device of a row's home is what the row is about: its phone is only there to watch from, unless
// the row is about phones.
func subject(row string, s *script.Specimen) bool {
	switch row {
	case "noise-mobile":
		return s.Profile.Kind == profile.KindPhone
	case "noise-tablet":
		return s.Profile.Kind == profile.KindTablet
	}
	return strings.HasPrefix(row, s.Profile.Device)
}

// Within is how far a cell may be from the paper's, points.
const Within = 0.5

// Cell is one cell; the JSON keys are the contract's.
type Cell struct {
	Device string  `json:"device"`
	Column string  `json:"column"`
	Paper  float64 `json:"paper"`
	Ours   float64 `json:"ours"`
}

// Result is the comparison.
type Result struct {
	Within  int              `json:"within"`
	Of      int              `json:"of"`
	MaxDiff float64          `json:"max_diff"`
	Cells   []Cell           `json:"cells"`
	Seed    uint64           `json:"seed"`
	Frames  map[string]int64 `json:"frames"` // that each row counts

	Made      map[string]string `json:"versions"` // of Glasshouse
	Catalogue string            `json:"catalogue_digest"`
}

// Options say how table 1 is measured.
type Options struct {
	Seed     uint64
	Duration time.Duration
	Workers  int
	Out      string   // keeps the data sets, one a row; "" = they are thrown away
	Rows     []string // only these; nil = all
	Progress func(row string)
}

// Measure lives the homes that mimic the paper's captures in the virtual world, and counts in what their access points
// have captured.
func Measure(ctx context.Context, o Options) (*Result, error) {
	dir := o.Out
	if dir == "" {
		tmp, err := os.MkdirTemp("", "glasshouse-table1-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	}
	rows := Paper()
	mixes := make([]*mix.Mix, len(rows))
	homes, running := errgroup.WithContext(ctx)
	homes.SetLimit(max(o.Workers, 1))
	for i, r := range rows {
		if !o.wants(r.Device) {
			continue
		}
		homes.Go(func() (err error) {
			if mixes[i], err = o.row(running, dir, r.Device); err != nil {
				return fmt.Errorf("%s: %w", r.Device, err)
			}
			return nil
		})
	}
	if err := homes.Wait(); err != nil && ctx.Err() == nil {
		return nil, err
	}
	t := &Result{Seed: o.Seed, Frames: make(map[string]int64), Made: buildinfo.Versions()}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, r := range rows {
		if mixes[i] != nil {
			t.add(r, mixes[i])
		}
	}
	var err error
	t.Catalogue, err = catalogue.Digest()
	return t, err
}

func (o *Options) wants(row string) bool {
	return o.Rows == nil || slices.Contains(o.Rows, row)
}

func (t *Result) add(r Row, m *mix.Mix) {
	t.Frames[r.Device] = m.Frames
	for k, column := range mix.Columns() {
		c := Cell{Device: r.Device, Column: column, Paper: r.Paper[k], Ours: m.Percent(column)}
		diff := math.Abs(c.Ours - c.Paper)
		if diff <= Within {
			t.Within++
		}
		t.Of++
		t.MaxDiff = max(t.MaxDiff, diff)
		t.Cells = append(t.Cells, c)
	}
}

// Row lives one row's home and counts.
func (o *Options) row(ctx context.Context, dir, name string) (*mix.Mix, error) {
	sc, err := scenarios.Load(prefix + name)
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, name)
	res, err := generate.Homes(ctx, generate.Options{
		Scenario: sc, Seed: o.Seed, Homes: 1, Duration: o.Duration, Workers: 1, Shard: 1, Of: 1, Out: out, Captures: dataset.CapturesAll,
	})
	if err != nil {
		return nil, err
	}
	if !res.Valid {
		return nil, fmt.Errorf("the run is not valid: %s", strings.Join(res.Reasons, "; "))
	}
	home, err := sc.Draw(o.Seed, 0)
	if err != nil {
		return nil, err
	}
	macs := make(map[[6]byte]bool)
	for i := range home.Specimens {
		if s := &home.Specimens[i]; subject(name, s) {
			macs[s.MAC] = true
		}
	}
	m, err := mix.Count(filepath.Join(out, "home=000000", dataset.FileLAN), macs)
	if err != nil {
		return nil, err
	}
	if o.Progress != nil {
		o.Progress(name)
	}
	if o.Out == "" {
		err = os.RemoveAll(out)
	}
	return m, err
}
