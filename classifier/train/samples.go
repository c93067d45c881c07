package train

import (
	"context"
	"errors"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/testbed/dataset"
)

// samples are the training data of tree models: the scored packets, in order, home by home.
type samples struct {
	meta model.Meta
	x    []float32 // features, row-major
	y    []uint8   // index of the class
	// the packet's home, counted over all datasets, and its frame
	home, frame []int32
}

// collect reads datasets.
func collect(ctx context.Context, sets []*dataset.Dataset, o *Options) (*samples, error) {
	s := &samples{meta: model.Meta{Kind: o.Kind, ClassMode: o.Classes, Seed: o.Seed, Window: o.Window, Path: model.PathOf(sets)}}
	var ports []uint16
	passes := int64(1)
	if o.Features == feature.OneHot {
		passes = 2
	}
	o.work.Read(PhaseRead, passes*PacketsOf(sets))
	if o.Features == feature.OneHot {
		counts := make(map[uint16]int)
		err := eachCounted(ctx, sets, nil, func(_ int, r *dataset.Row, _ []float32) { counts[r.RemotePort]++ })
		if err != nil {
			return nil, err
		}
		ports = feature.MostUsed(counts, feature.HotPorts)
	}
	s.meta.Features = feature.ColumnNames(o.Features, ports)
	cols, err := feature.NewColumns(s.meta.Features)
	if err != nil {
		return nil, err
	}
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			s.meta.TrainedOn = append(s.meta.TrainedOn, model.HomeID{ScenarioDigest: d.Manifest.ScenarioDigest, Seed: d.Manifest.Seed, Home: h.Home})
		}
	}
	var names []string
	counts := make(map[string]int)
	byLength := make(map[string]map[string]int)
	err = eachCounted(ctx, sets, cols, func(home int, r *dataset.Row, x []float32) {
		s.home, s.frame = append(s.home, int32(home)), append(s.frame, int32(r.Frame))
		class := model.ClassOf(&r.Label, o.Classes)
		s.x = append(s.x, x...)
		names = append(names, class)
		counts[class]++
		k := model.LengthKey(&r.Observation)
		if byLength[k] == nil {
			byLength[k] = make(map[string]int)
		}
		byLength[k][class]++
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no training data: the datasets have no packets of devices after the start-up")
	}
	s.meta.Packets = len(names)
	if err := s.meta.SetClasses(counts, byLength); err != nil {
		return nil, err
	}
	index := make(map[string]uint8)
	for i, c := range s.meta.Classes {
		index[c] = uint8(i)
	}
	s.y = make([]uint8, len(names))
	for i, c := range names {
		s.y[i] = index[c]
	}
	s.x, s.meta.Features = feature.DropConstant(s.x, s.meta.Features)
	return s, nil
}

// eachCounted yields the scored rows with their features, home by home, in order; homes are numbered over all sets. The features are valid
// until yield returns; there are none without columns.
func eachCounted(ctx context.Context, sets []*dataset.Dataset, cols *feature.Columns, yield func(home int, r *dataset.Row, x []float32)) error {
	home := -1
	for _, d := range sets {
		at := -1
		var from *feature.Reader
		var x []float32
		if cols != nil {
			from, x = &feature.Reader{C: cols}, make([]float32, len(cols.From))
		}
		err := d.Rows(func(h int, r *dataset.Row) error {
			if h != at {
				at = h
				home++
				if from != nil {
					from.Reset()
				}
			}
			if from != nil {
				from.Step(&r.Observation, x) // rows that are not scored too: intervals need them
			}
			if model.IsScored(&d.Manifest, r) {
				yield(home, r, x)
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}
