package classifier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"

	"glasshouse/testbed/dataset"
)

// Class modes: what a classifier is asked for.
const (
	ClassPaper    = "paper" // the paper's classes: its ten IoT devices and noise
	ClassDevice   = "device"
	ClassCategory = "category"
)

// ClassModes lists the modes.
func ClassModes() []string { return []string{ClassPaper, ClassDevice, ClassCategory} }

// Kinds lists the models that Train makes.
func Kinds() []string { return []string{"forest"} }

// Labels of packets that no device sent: they are never scored, nor learned from.
const (
	ownGateway  = "gateway"
	ownInternet = "internet"
)

// TrainOptions say what to train.
type TrainOptions struct {
	Kind    string // one of Kinds
	Classes string // one of ClassModes; "" = paper
	Window  int    // packets; of sequence models and of presence; 0 = 100
	Seed    uint64
	Forest  ForestOptions
}

// classOf returns a row's class in a mode.
func classOf(l *dataset.Label, mode string) string {
	switch mode {
	case ClassDevice:
		return l.Device
	case ClassCategory:
		return l.Category
	}
	return l.Class
}

// scored tells whether a row counts: sent by or for a device, after the home's start-up.
func scored(m *dataset.Manifest, r *dataset.Row) bool {
	return r.Device != ownGateway && r.Device != ownInternet && r.TsNs >= m.StartNs+m.WarmUpNs
}

// Train trains a model on data sets.
func Train(ctx context.Context, sets []*dataset.Dataset, o TrainOptions) (Model, error) {
	if o.Classes == "" {
		o.Classes = ClassPaper
	}
	if o.Window == 0 {
		o.Window = 100
	}
	if !slices.Contains(Kinds(), o.Kind) {
		return nil, fmt.Errorf("model %q is not known; there is %v", o.Kind, Kinds())
	}
	if !slices.Contains(ClassModes(), o.Classes) {
		return nil, fmt.Errorf("classes %q are not known; there are %v", o.Classes, ClassModes())
	}
	var x []float32
	var names []string
	meta := Meta{Kind: o.Kind, ClassMode: o.Classes, Features: FeatureNames(), Seed: o.Seed, Window: o.Window, Path: pathOf(sets)}
	lengths := make(map[string]map[string]int)
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			meta.TrainedOn = append(meta.TrainedOn, HomeID{d.Manifest.ScenarioDigest, d.Manifest.Seed, h.Home})
		}
		streams := make(map[int]*Extractor)
		err := d.Rows(func(home int, r *dataset.Row) error {
			e := streams[home]
			if e == nil {
				e = &Extractor{}
				streams[home] = e
			}
			var f [NumFeatures]float32
			e.Step(&r.Observation, f[:]) // rows that do not count are passed, too: the interval needs them
			if !scored(&d.Manifest, r) {
				return nil
			}
			class := classOf(&r.Label, o.Classes)
			x = append(x, f[:]...)
			names = append(names, class)
			k := lengthKey(&r.Observation)
			if lengths[k] == nil {
				lengths[k] = make(map[string]int)
			}
			lengths[k][class]++
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, errors.New("the data sets hold no packet of a device after the start-up: nothing to learn from")
	}
	meta.Packets = len(names)
	counts := make(map[string]int)
	for _, c := range names {
		counts[c]++
	}
	for c := range counts {
		meta.Classes = append(meta.Classes, c)
	}
	sort.Strings(meta.Classes)
	if len(meta.Classes) > 255 {
		return nil, fmt.Errorf("%d classes; at most 255 can be told apart", len(meta.Classes))
	}
	index := make(map[string]uint8)
	for i, c := range meta.Classes {
		index[c] = uint8(i)
	}
	meta.Majority = commonest(counts, meta.Classes)
	meta.Lengths = make(map[string]int, len(lengths))
	for k, c := range lengths {
		meta.Lengths[k] = int(index[commonest(c, meta.Classes)])
	}
	y := make([]uint8, len(names))
	for i, c := range names {
		y[i] = index[c]
	}
	fo := o.Forest
	fo.Seed = o.Seed
	f, err := growForest(ctx, newTable(x, y, len(meta.Classes)), fo)
	if err != nil {
		return nil, err
	}
	return &ForestModel{meta: meta, f: f}, nil
}

// commonest returns the class with the highest count; the first in order of equals.
func commonest(counts map[string]int, order []string) string {
	best := order[0]
	for _, c := range order {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

func lengthKey(o *dataset.Observation) string {
	return strconv.Itoa(int(o.Dir)) + " " + strconv.Itoa(int(o.Length))
}

// pathOf says how the homes of the data sets reach the internet.
func pathOf(sets []*dataset.Dataset) string {
	path := ""
	for _, d := range sets {
		switch {
		case path == "":
			path = d.Manifest.Path
		case path != d.Manifest.Path:
			return "mixed"
		}
	}
	return path
}
