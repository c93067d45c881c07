package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// labelling measures forests of 20 trees that have learned from a data set on the frames of its first home, on one core: from
// observation to label, and the whole way from frame to label.
func labelling(ctx context.Context, dir string, turns int) error {
	d, err := dataset.Open(dir)
	if err != nil {
		return err
	}
	frames, dirs, err := readFrames(d)
	if err != nil {
		return err
	}
	fmt.Printf("labelling with 20 trees, one core, %d frames of a home of %s; best of %d\n", len(frames), dir, turns)
	for _, set := range []string{feature.Paper, feature.Sequence} {
		m, err := train.Train(ctx, []*dataset.Dataset{d}, train.Options{
			Kind: model.KindForest, Features: set, Seed: 1, Forest: tree.ForestOptions{Trees: 20, Workers: threads},
		})
		if err != nil {
			return err
		}
		runtime.GOMAXPROCS(1)
		measure(set, m, frames, dirs, turns)
		runtime.GOMAXPROCS(threads)
	}
	return nil
}

func measure(set string, m model.Model, frames []pcapng.Frame, dirs []int8, turns int) {
	probs := make([]float32, len(m.Classes()))
	p := dataset.NewParser()
	seen := make([]dataset.Observation, len(frames))
	for i, f := range frames {
		seen[i] = p.ObserveLen(f.TsNs, dirs[i], f.Data, f.Length)
	}
	report := func(what string, step func(s model.Stream, i int)) {
		best := 0.0
		for range turns {
			r := testing.Benchmark(func(b *testing.B) {
				b.Helper()
				s := m.Stream()
				i := 0
				for b.Loop() {
					if i == len(frames) {
						i, s = 0, m.Stream()
					}
					step(s, i)
					i++
				}
			})
			if ns := float64(r.T.Nanoseconds()) / float64(r.N); best == 0 || ns < best {
				best = ns
			}
		}
		fmt.Printf("  %-42s %7.0f ns a packet, %.2f M packets/s\n", set+" features, "+what, best, 1e3/best)
	}
	report("observation to label", func(s model.Stream, i int) { s.Step(&seen[i], probs) })
	report("frame to label", func(s model.Stream, i int) {
		f := &frames[i]
		o := p.ObserveLen(f.TsNs, dirs[i], f.Data, f.Length)
		s.Step(&o, probs)
	})
}

// readFrames returns the frames of a data set's first home and their directions.
func readFrames(d *dataset.Dataset) (frames []pcapng.Frame, dirs []int8, err error) {
	if !d.Manifest.HasWAN() || len(d.Manifest.Homes) == 0 {
		return nil, nil, fmt.Errorf("%s has no captures", d.Dir)
	}
	path := d.HomePath(d.Manifest.Homes[0].Home)
	err = dataset.ReadRows(filepath.Join(path, dataset.FilePackets), func(r *dataset.Row) error {
		dirs = append(dirs, r.Dir)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	c, err := pcapng.Open(filepath.Join(path, dataset.FileWAN))
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	for {
		f, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		f.Data = slices.Clone(f.Data)
		frames = append(frames, f)
	}
	if len(frames) != len(dirs) || len(frames) == 0 {
		return nil, nil, fmt.Errorf("%s: %d frames, %d rows", path, len(frames), len(dirs))
	}
	return frames, dirs, nil
}
