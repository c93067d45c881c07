// Package train fits models to datasets: trees and nets, their calibration, and detectors of unknown devices and of activities, on homes
// held back from training. Training is deterministic for a seed, whatever the number of workers.
package train

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Options say what to train.
type Options struct {
	Kind     string // one of Kinds
	Classes  string // one of ClassModes; "" = paper
	Features string // one of FeatureSets; "" = paper
	Window   int    // packets; of sequence models and of presence; 0 = 100
	Seed     uint64
	Forest   tree.ForestOptions
	Boost    tree.BoostOptions
	Neural   neural.Options
	// Uncalibrated leaves probabilities as they are; it saves a forest a third of the time, boosted trees half.
	Uncalibrated bool
	// Activities makes a model that also tells what devices do, window by window.
	Activities bool
	// Unknown makes a model that also says "unknown", of devices that it has not learned: this share of known packets may be
	// called so, 0 to 1; 0 = no such model.
	Unknown float64
	// Progress is told how far each phase is, from one goroutine at a time; often, so it should be quick.
	Progress func(Progress)

	work *Work
}

// Check sets what is not set, and tells what is not known.
func (o *Options) Check() error {
	if o.Classes == "" {
		o.Classes = model.ClassPaper
	}
	if o.Features == "" {
		o.Features = feature.Paper
	}
	if o.Window == 0 {
		o.Window = 100
	}
	switch {
	case !slices.Contains(model.Kinds(), o.Kind):
		return fmt.Errorf("model %q is not known; there is %v", o.Kind, model.Kinds())
	case !slices.Contains(model.ClassModes(), o.Classes):
		return fmt.Errorf("classes %q are not known; there are %v", o.Classes, model.ClassModes())
	case !slices.Contains(feature.Sets(), o.Features):
		return fmt.Errorf("features %q are not known; there are %v", o.Features, feature.Sets())
	}
	if !(o.Unknown >= 0 && o.Unknown < 1) {
		return fmt.Errorf("a share of %v of known packets that may be called unknown; it is 0 to 1", o.Unknown)
	}
	o.Forest.Seed, o.Boost.Seed = o.Seed, o.Seed
	n := &o.Neural
	n.Kind, n.Classes, n.Window, n.Seed, n.Rich = o.Kind, o.Classes, o.Window, o.Seed, o.Features == feature.Sequence
	return nil
}

// Train trains a model on data sets.
func Train(ctx context.Context, sets []*dataset.Dataset, o Options) (model.Model, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	o.work = NewWork(o.Progress)
	sets = o.work.Watch(sets)
	train := trainTrees
	if slices.Contains(model.NeuralKinds(), o.Kind) {
		train = trainNeural
	}
	m, err := train(ctx, sets, &o)
	if err == nil && o.Activities {
		o.work.Read(PhaseActivities, PacketsOf(sets))
		m.Meta().Activities, err = findActivities(ctx, m.Meta(), sets, max(o.Forest.Workers, o.Boost.Workers, o.Neural.Workers, 1))
	}
	return m, err
}

// epochParts is how finely the progress of an epoch is told.
const epochParts = 1000

// trainNeural trains a net, calibrates it and teaches it what is unknown on the homes that it was judged by.
func trainNeural(ctx context.Context, sets []*dataset.Dataset, o *Options) (model.Model, error) {
	o.work.Read(PhaseRead, PacketsOf(sets))
	net, training := o.Neural, false
	net.Progress = func(p neural.Progress) {
		if !training {
			training = true
			o.work.do(PhaseTrain, int64(p.Epochs)*epochParts)
		}
		o.work.set(int64((float64(p.Epoch-1)+p.Share)*epochParts), int64(p.Epochs)*epochParts)
		if o.Neural.Progress != nil {
			o.Neural.Progress(p)
		}
	}
	m, valid, err := neural.Train(ctx, sets, net)
	if err != nil {
		return nil, err
	}
	v := heldBack(valid)
	if !o.Uncalibrated {
		o.work.Read(PhaseCalibrate, 2*PacketsOf(sets))
		if err := calibrateNeural(ctx, m, v, sets); err != nil {
			return nil, err
		}
	}
	if o.Unknown > 0 {
		o.work.Read(PhaseSignatures, signaturePasses([]rehearsal{{m, v}})*PacketsOf(sets))
		m.Meta().Unknown, err = findUnknown(ctx, []rehearsal{{m, v}}, sets, o.Unknown, max(o.Neural.Workers, 1), nil)
	}
	return m, err
}

// calibrateNeural calibrates a net on the homes that it has not learned from.
func calibrateNeural(ctx context.Context, m *neural.Model, v *validation, sets []*dataset.Dataset) error {
	j, err := v.judge(ctx, m, sets, model.CalibrateMost)
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
func trainTrees(ctx context.Context, sets []*dataset.Dataset, o *Options) (model.Model, error) {
	s, err := collect(ctx, sets, o)
	if err != nil {
		return nil, err
	}
	o.work.do(PhaseTrain, 0)
	grow := *o
	grow.Forest.Progress, grow.Boost.Progress = o.work.follow(o.Forest.Progress), o.work.follow(o.Boost.Progress)
	grown, err := growTrees(ctx, s, &grow)
	if err != nil {
		return nil, err
	}
	m, err := model.NewTrees(s.meta, grown)
	if err != nil || o.Uncalibrated && o.Unknown == 0 {
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
		o.work.Read(PhaseCalibrate, 2*int64(len(all))*PacketsOf(sets))
		if err := calibrateTrees(ctx, m, all, sets); err != nil {
			return nil, err
		}
	}
	if o.Unknown > 0 {
		o.work.Read(PhaseSignatures, signaturePasses(all)*PacketsOf(sets))
		training := false
		without := func(class int, v *validation) (model.Model, error) {
			if !training {
				training = true
				o.work.do(PhaseStrangers, int64(len(m.Meta().Classes)))
			}
			defer o.work.Step(1)
			a, err := s.rehearse(ctx, v, o, class, 4)
			if a == nil || err != nil { // a nil in an interface is none
				return nil, err
			}
			if m.Meta().Calibration != nil {
				a.SetCalibration(m.Meta().Calibration)
			}
			return a, nil
		}
		if m.Meta().Path == "vpn" { // where lengths are all that there is, such models teach nothing that helps (AUC 0.63, without them 0.67; behind NAPT 0.79 and 0.75)
			without = nil
		}
		m.Meta().Unknown, err = findUnknown(ctx, all, sets, o.Unknown, max(o.Forest.Workers, o.Boost.Workers, 1), without)
	}
	return m, err
}

// nobody is no class.
const nobody = -1

// rehearsal is a model that has not learned from the packets that are held back.
type rehearsal struct {
	m    model.Model
	held *validation
}

// holdBack says which packets validate: those of every sixth home; for telling unknown devices, where homes differ more, a third of the
// homes at a time.
func (s *samples) holdBack(o *Options) []*validation {
	var sizes []int
	for i, h := range s.home {
		if int(h) >= len(sizes) {
			sizes = append(sizes, make([]int, int(h)+1-len(sizes))...)
		}
		sizes[h] = int(s.frame[i])
	}
	train, valid := neural.SplitHomes(sizes, o.Seed)
	if o.Unknown == 0 || len(sizes) == 1 {
		return []*validation{heldBack(valid)}
	}
	homes := append(valid, train...)
	folds := make([]*validation, min(3, len(homes)))
	for i := range folds {
		var mine []neural.Span
		for k := i; k < len(homes); k += len(folds) {
			mine = append(mine, homes[k])
		}
		folds[i] = heldBack(mine)
	}
	return folds
}

// rehearse trains a model like the one that is wanted on the homes that do not validate, but for a class, or nobody, that it does not get to
// know; nil where nothing is left. One of some trees of many does.
func (s *samples) rehearse(ctx context.Context, v *validation, o *Options, without, some int) (*model.Trees, error) {
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
	tree.OrDefault(&less.Forest.Trees, 60)
	less.Forest.Trees = (less.Forest.Trees + some - 1) / some
	if without != nobody {
		tree.OrDefault(&less.Boost.Rounds, tree.DefaultRounds)
		less.Boost.Rounds = (less.Boost.Rounds + some - 1) / some
	}
	less.Forest.Progress, less.Boost.Progress = nil, nil
	if without == nobody && o.work != nil {
		step := func(int, int) { o.work.Step(1) }
		less.Forest.Progress, less.Boost.Progress = step, step
	}
	grown, err := growTrees(ctx, part, &less)
	if err != nil {
		return nil, err
	}
	return model.NewTrees(s.meta, grown)
}

// rehearsed is how many trees, or rounds, a rehearsal takes that leaves out no class.
func (o *Options) rehearsed() int {
	trees, rounds := o.Forest.Trees, o.Boost.Rounds
	tree.OrDefault(&trees, 60)
	tree.OrDefault(&rounds, tree.DefaultRounds)
	if o.Kind == model.KindBoost {
		return rounds
	}
	return (trees + 1) / 2
}

// calibrateTrees calibrates a model, and its rehearsals, by what these say of the homes that they have not learned from.
func calibrateTrees(ctx context.Context, m *model.Trees, all []rehearsal, sets []*dataset.Dataset) error {
	j, v := &judged{}, &validation{homes: make(map[int]bool)}
	for _, r := range all {
		one, err := r.held.judge(ctx, r.m, sets, model.CalibrateMost/len(all))
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
		r.m.(*model.Trees).SetCalibration(c)
	}
	return nil
}

// growTrees grows the trees of a model.
func growTrees(ctx context.Context, s *samples, o *Options) (model.Predictor, error) {
	if o.Kind == model.KindBoost {
		return tree.GrowBoost(ctx, tree.NewTable(s.x, s.y, len(s.meta.Classes), o.Boost.Workers), o.Boost)
	}
	return tree.GrowForest(ctx, tree.NewTable(s.x, s.y, len(s.meta.Classes), o.Forest.Workers), o.Forest)
}
