package classifier

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// Kinds of models.
const (
	KindForest = "forest" // random forest
	KindBoost  = "boost"  // gradient-boosted trees
)

// Kinds lists the models that Train makes.
func Kinds() []string { return append([]string{KindForest, KindBoost}, neuralKinds()...) }

// maxClasses is how many classes a model tells apart at most.
const maxClasses = 255

// TrainOptions say what to train.
type TrainOptions struct {
	Kind     string // one of Kinds
	Classes  string // one of ClassModes; "" = paper
	Features string // one of FeatureSets; "" = paper
	Window   int    // packets; of sequence models and of presence; 0 = 100
	Seed     uint64
	Forest   ForestOptions
	Boost    BoostOptions
	Neural   NeuralOptions
	// Uncalibrated leaves probabilities as they are; it saves a forest a third of the time, boosted trees half.
	Uncalibrated bool
	// Activities makes a model that also tells what devices do, window by window.
	Activities bool
	// Unknown makes a model that also says "unknown", of devices that it has not learned: this share of known packets may be
	// called so, 0 to 1; 0 = no such model.
	Unknown float64
}

// check sets what is not set, and tells what is not known.
func (o *TrainOptions) check() error {
	if o.Classes == "" {
		o.Classes = ClassPaper
	}
	if o.Features == "" {
		o.Features = FeaturesPaper
	}
	if o.Window == 0 {
		o.Window = 100
	}
	switch {
	case !slices.Contains(Kinds(), o.Kind):
		return fmt.Errorf("model %q is not known; there is %v", o.Kind, Kinds())
	case !slices.Contains(ClassModes(), o.Classes):
		return fmt.Errorf("classes %q are not known; there are %v", o.Classes, ClassModes())
	case !slices.Contains(FeatureSets(), o.Features):
		return fmt.Errorf("features %q are not known; there are %v", o.Features, FeatureSets())
	}
	if !(o.Unknown >= 0 && o.Unknown < 1) {
		return fmt.Errorf("a share of %v of known packets that may be called unknown; it is 0 to 1", o.Unknown)
	}
	o.Forest.Seed, o.Boost.Seed = o.Seed, o.Seed
	return nil
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
	return !r.Passed && r.Owned() && r.TsNs >= m.StartNs+m.WarmUpNs
}

// Train trains a model on data sets.
func Train(ctx context.Context, sets []*dataset.Dataset, o TrainOptions) (Model, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	train := trainTrees
	if slices.Contains(neuralKinds(), o.Kind) {
		train = trainNeural
	}
	m, err := train(ctx, sets, &o)
	if err == nil && o.Activities {
		m.Meta().Activities, err = findActivities(ctx, m.Meta(), sets, max(o.Forest.Workers, o.Boost.Workers, o.Neural.Workers, 1))
	}
	return m, err
}

// trainTrees trains a forest or boosted trees.
func trainTrees(ctx context.Context, sets []*dataset.Dataset, o *TrainOptions) (Model, error) {
	s, err := collect(ctx, sets, o)
	if err != nil {
		return nil, err
	}
	m := &TreeModel{meta: s.meta}
	if m.cols, err = newColumns(s.meta.Features); err != nil {
		return nil, err
	}
	if m.p, err = growTrees(ctx, s, o); err != nil || o.Uncalibrated && o.Unknown == 0 {
		return m, err
	}
	folds := s.holdBack(o)
	var all []rehearsal
	for _, v := range folds {
		r, err := s.rehearse(ctx, v, o, nobody, 2)
		if err != nil {
			return nil, err
		}
		if r != nil {
			all = append(all, rehearsal{r, v})
		}
	}
	if len(all) == 0 {
		return m, nil
	}
	if !o.Uncalibrated {
		if err := m.calibrate(ctx, all, sets); err != nil {
			return nil, err
		}
	}
	if o.Unknown > 0 {
		without := func(class int, v *validation) (Model, error) {
			a, err := s.rehearse(ctx, v, o, class, 4)
			if a == nil || err != nil { // a nil in an interface is none
				return nil, err
			}
			if m.meta.Calibration != nil {
				a.calibrated(m.meta.Calibration)
			}
			return a, nil
		}
		if m.meta.Path == "vpn" { // where lengths are all that there is, such models teach nothing that helps (AUC 0.63, without them 0.67; behind NAPT 0.79 and 0.75)
			without = nil
		}
		m.meta.Unknown, err = findUnknown(ctx, all, sets, o.Unknown, max(o.Forest.Workers, o.Boost.Workers, 1), without)
	}
	return m, err
}

// nobody is no class.
const nobody = -1

// rehearsal is a model that has not learned from the packets that are held back.
type rehearsal struct {
	m    Model
	held *validation
}

// holdBack says which packets validate: those of every sixth home; for telling unknown devices, where homes differ more, a third of the
// homes at a time.
func (s *samples) holdBack(o *TrainOptions) []*validation {
	var sizes []int
	for i, h := range s.home {
		if int(h) >= len(sizes) {
			sizes = append(sizes, make([]int, int(h)+1-len(sizes))...)
		}
		sizes[h] = int(s.frame[i])
	}
	train, valid := splitHomes(sizes, o.Seed)
	if o.Unknown == 0 || len(sizes) == 1 {
		return []*validation{heldBack(valid)}
	}
	homes := append(valid, train...)
	folds := make([]*validation, min(3, len(homes)))
	for i := range folds {
		var mine []span
		for k := i; k < len(homes); k += len(folds) {
			mine = append(mine, homes[k])
		}
		folds[i] = heldBack(mine)
	}
	return folds
}

// rehearse trains a model like the one that is wanted on the homes that do not validate, but for a class, or nobody, that it does not get to
// know; nil where nothing is left. One of some trees of many does.
func (s *samples) rehearse(ctx context.Context, v *validation, o *TrainOptions, without, some int) (*TreeModel, error) {
	part := &samples{meta: s.meta}
	f := len(s.meta.Features)
	for i, h := range s.home {
		if int(s.y[i]) != without && !v.holds(int(h), int64(s.frame[i])) {
			part.x, part.y = append(part.x, s.x[i*f:(i+1)*f]...), append(part.y, s.y[i])
		}
	}
	if len(part.y) == 0 || len(part.y) == len(s.y) {
		return nil, ctx.Err()
	}
	less := *o
	orDefault(&less.Forest.Trees, 60)
	less.Forest.Trees = (less.Forest.Trees + some - 1) / some
	if without != nobody {
		orDefault(&less.Boost.Rounds, boostRounds)
		less.Boost.Rounds = (less.Boost.Rounds + some - 1) / some
	}
	less.Forest.Progress, less.Boost.Progress = nil, nil
	m := &TreeModel{meta: s.meta}
	var err error
	if m.cols, err = newColumns(s.meta.Features); err != nil {
		return nil, err
	}
	m.p, err = growTrees(ctx, part, &less)
	return m, err
}

// calibrate calibrates a model, and its rehearsals, by what these say of the homes that they have not learned from.
func (m *TreeModel) calibrate(ctx context.Context, all []rehearsal, sets []*dataset.Dataset) error {
	j, v := &judged{}, &validation{homes: make(map[int]bool)}
	for _, r := range all {
		one, err := r.held.judge(ctx, r.m, sets, calibrateMost/len(all))
		if err != nil {
			return err
		}
		j.probs, j.class = append(j.probs, one.probs...), append(j.class, one.class...)
		maps.Copy(v.homes, r.held.homes)
		v.after = r.held.after
	}
	c := j.fit(v)
	if c == nil {
		return nil
	}
	m.calibrated(c)
	for _, r := range all {
		r.m.(*TreeModel).calibrated(c)
	}
	return nil
}

// calibrated gives a model a calibration.
func (m *TreeModel) calibrated(c *Calibration) {
	m.meta.Calibration = c
	if b, ok := m.p.(*boost); ok {
		calibrateBoost(b, c.Temperature)
	}
}

// growTrees grows the trees of a model.
func growTrees(ctx context.Context, s *samples, o *TrainOptions) (predictor, error) {
	if o.Kind == KindBoost {
		return growBoost(ctx, newTable(s.x, s.y, len(s.meta.Classes), o.Boost.Workers), o.Boost)
	}
	return growForest(ctx, newTable(s.x, s.y, len(s.meta.Classes), o.Forest.Workers), o.Forest)
}

// samples are what tree models learn from: the packets that count, in order, home by home.
type samples struct {
	meta Meta
	x    []float32 // features, a packet's together
	y    []uint8   // index of the class
	// where a packet is from: its home, counted through all data sets, and its frame
	home, frame []int32
}

// collect reads data sets.
func collect(ctx context.Context, sets []*dataset.Dataset, o *TrainOptions) (*samples, error) {
	s := &samples{meta: Meta{Kind: o.Kind, ClassMode: o.Classes, Seed: o.Seed, Window: o.Window, Path: pathOf(sets)}}
	var ports []uint16
	if o.Features == FeaturesOneHot {
		counts := make(map[uint16]int)
		err := eachCounted(ctx, sets, nil, func(_ int, r *dataset.Row, _ []float32) { counts[r.RemotePort]++ })
		if err != nil {
			return nil, err
		}
		ports = mostUsed(counts, hotPorts)
	}
	s.meta.Features = columnNames(o.Features, ports)
	cols, err := newColumns(s.meta.Features)
	if err != nil {
		return nil, err
	}
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			s.meta.TrainedOn = append(s.meta.TrainedOn, HomeID{d.Manifest.ScenarioDigest, d.Manifest.Seed, h.Home})
		}
	}
	var names []string
	counts := make(map[string]int)
	byLength := make(map[string]map[string]int)
	err = eachCounted(ctx, sets, cols, func(home int, r *dataset.Row, x []float32) {
		s.home, s.frame = append(s.home, int32(home)), append(s.frame, int32(r.Frame))
		class := classOf(&r.Label, o.Classes)
		s.x = append(s.x, x...)
		names = append(names, class)
		counts[class]++
		k := lengthKey(&r.Observation)
		if byLength[k] == nil {
			byLength[k] = make(map[string]int)
		}
		byLength[k][class]++
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("the data sets hold no packet of a device after the start-up: nothing to learn from")
	}
	s.meta.Packets = len(names)
	if err := s.meta.know(counts, byLength); err != nil {
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
	s.x, s.meta.Features = dropConstant(s.x, s.meta.Features)
	return s, nil
}

// know notes the classes and what is commonest, from the packets of each class, in all and by length.
func (m *Meta) know(counts map[string]int, byLength map[string]map[string]int) error {
	for c := range counts {
		m.Classes = append(m.Classes, c)
	}
	sort.Strings(m.Classes)
	if len(m.Classes) > maxClasses {
		return fmt.Errorf("%d classes; at most %d can be told apart", len(m.Classes), maxClasses)
	}
	m.Majority = commonest(counts, m.Classes)
	m.Lengths = make(map[string]int, len(byLength))
	for k, c := range byLength {
		m.Lengths[k] = slices.Index(m.Classes, commonest(c, m.Classes))
	}
	return nil
}

// eachCounted gives the rows that count with their features, home by home, in order; homes are numbered through all sets.
// The features are valid until yield returns; without columns there are none.
func eachCounted(ctx context.Context, sets []*dataset.Dataset, cols *columns, yield func(home int, r *dataset.Row, x []float32)) error {
	home := -1
	for _, d := range sets {
		at := -1
		var from *reader
		var x []float32
		if cols != nil {
			from, x = &reader{c: cols}, make([]float32, len(cols.from))
		}
		err := d.Rows(func(h int, r *dataset.Row) error {
			if h != at {
				at = h
				home++
				if from != nil {
					from.reset()
				}
			}
			if from != nil {
				from.step(&r.Observation, x) // rows that do not count are passed, too: intervals need them
			}
			if scored(&d.Manifest, r) {
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
