package classifier

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"glasshouse/testbed/dataset"
)

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
	// Progress is told how far each phase is, from one goroutine at a time; often, so it should be quick.
	Progress func(Progress)

	work *work
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
	n := &o.Neural
	n.Kind, n.Classes, n.Window, n.Seed, n.Rich = o.Kind, o.Classes, o.Window, o.Seed, o.Features == FeaturesSequence
	return nil
}

// Train trains a model on data sets.
func Train(ctx context.Context, sets []*dataset.Dataset, o TrainOptions) (Model, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.work = newWork(o.Progress)
	sets = o.work.watch(sets)
	train := trainTrees
	if slices.Contains(neuralKinds(), o.Kind) {
		train = trainNeural
	}
	m, err := train(ctx, sets, &o)
	if err == nil && o.Activities {
		o.work.read(PhaseActivities, packetsOf(sets))
		m.Meta().Activities, err = findActivities(ctx, m.Meta(), sets, max(o.Forest.Workers, o.Boost.Workers, o.Neural.Workers, 1))
	}
	return m, err
}

// epochParts is how finely the progress of an epoch is told.
const epochParts = 1000

// trainNeural trains a net, calibrates it and teaches it what is unknown on the homes that it was judged by.
func trainNeural(ctx context.Context, sets []*dataset.Dataset, o *TrainOptions) (Model, error) {
	o.work.read(PhaseRead, packetsOf(sets))
	neural, training := o.Neural, false
	neural.Progress = func(p NeuralProgress) {
		if !training {
			training = true
			o.work.do(PhaseTrain, int64(p.Epochs)*epochParts)
		}
		o.work.set(int64((float64(p.Epoch-1)+p.Share)*epochParts), int64(p.Epochs)*epochParts)
		if o.Neural.Progress != nil {
			o.Neural.Progress(p)
		}
	}
	m, valid, err := TrainNeural(ctx, sets, neural)
	if err != nil {
		return nil, err
	}
	v := heldBack(valid)
	if !o.Uncalibrated {
		o.work.read(PhaseCalibrate, 2*packetsOf(sets))
		if err := calibrateNeural(ctx, m, v, sets); err != nil {
			return nil, err
		}
	}
	if o.Unknown > 0 {
		o.work.read(PhaseSignatures, signaturePasses([]rehearsal{{m, v}})*packetsOf(sets))
		m.Meta().Unknown, err = findUnknown(ctx, []rehearsal{{m, v}}, sets, o.Unknown, max(o.Neural.Workers, 1), nil)
	}
	return m, err
}

// calibrateNeural calibrates a net on the homes that it has not learned from.
func calibrateNeural(ctx context.Context, m *NeuralModel, v *validation, sets []*dataset.Dataset) error {
	j, err := v.judge(ctx, m, sets, calibrateMost)
	if err != nil {
		return err
	}
	c := j.fit(v)
	if c == nil {
		return nil
	}
	return m.SetCalibration(c)
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
	o.work.do(PhaseTrain, 0)
	grow := *o
	grow.Forest.Progress, grow.Boost.Progress = o.work.follow(o.Forest.Progress), o.work.follow(o.Boost.Progress)
	if m.p, err = growTrees(ctx, s, &grow); err != nil || o.Uncalibrated && o.Unknown == 0 {
		return m, err
	}
	folds := s.holdBack(o)
	var all []rehearsal
	o.work.do(PhaseHeldBack, int64(len(folds)*o.rehearsed()))
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
		o.work.read(PhaseCalibrate, 2*int64(len(all))*packetsOf(sets))
		if err := calibrateTrees(ctx, m, all, sets); err != nil {
			return nil, err
		}
	}
	if o.Unknown > 0 {
		o.work.read(PhaseSignatures, signaturePasses(all)*packetsOf(sets))
		training := false
		without := func(class int, v *validation) (Model, error) {
			if !training {
				training = true
				o.work.do(PhaseStrangers, int64(len(m.meta.Classes)))
			}
			defer o.work.step(1)
			a, err := s.rehearse(ctx, v, o, class, 4)
			if a == nil || err != nil { // a nil in an interface is none
				return nil, err
			}
			if m.meta.Calibration != nil {
				a.SetCalibration(m.meta.Calibration)
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
	if without == nobody && o.work != nil {
		step := func(int, int) { o.work.step(1) }
		less.Forest.Progress, less.Boost.Progress = step, step
	}
	m := &TreeModel{meta: s.meta}
	var err error
	if m.cols, err = newColumns(s.meta.Features); err != nil {
		return nil, err
	}
	m.p, err = growTrees(ctx, part, &less)
	return m, err
}

// rehearsed is how many trees, or rounds, a rehearsal takes that leaves out no class.
func (o *TrainOptions) rehearsed() int {
	trees, rounds := o.Forest.Trees, o.Boost.Rounds
	orDefault(&trees, 60)
	orDefault(&rounds, boostRounds)
	if o.Kind == KindBoost {
		return rounds
	}
	return (trees + 1) / 2
}

// calibrateTrees calibrates a model, and its rehearsals, by what these say of the homes that they have not learned from.
func calibrateTrees(ctx context.Context, m *TreeModel, all []rehearsal, sets []*dataset.Dataset) error {
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
	m.SetCalibration(c)
	for _, r := range all {
		r.m.(*TreeModel).SetCalibration(c)
	}
	return nil
}

// growTrees grows the trees of a model.
func growTrees(ctx context.Context, s *samples, o *TrainOptions) (predictor, error) {
	if o.Kind == KindBoost {
		return growBoost(ctx, newTable(s.x, s.y, len(s.meta.Classes), o.Boost.Workers), o.Boost)
	}
	return growForest(ctx, newTable(s.x, s.y, len(s.meta.Classes), o.Forest.Workers), o.Forest)
}
