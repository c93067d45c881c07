// Package train fits models to datasets: trees and neural networks, their calibration on held-out homes, and the classifiers of unknown
// devices and of activities. A model depends on the seed, not on the number of workers.
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

// Options configure training.
type Options struct {
	Kind     string // one of Kinds
	Classes  string // one of ClassModes; "" = paper
	Features string // one of feature.Sets; "" = paper
	Window   int    // packets per window, of sequence models and of presence; 0 = 100
	Seed     uint64
	Forest   tree.ForestOptions
	Boost    tree.BoostOptions
	Neural   neural.Options
	// Uncalibrated skips the calibration, which takes a third of the time of a forest and half of that of boosted trees.
	Uncalibrated bool
	// Activities makes the model infer devices' activities, by window.
	Activities bool
	// Unknown makes the model detect unknown devices: it is the nominal share of known packets that are labelled unknown, from 0 to below 1;
	// 0 = no detection.
	Unknown float64
	// Progress is called with the progress of each phase, by one goroutine at a time. It is called often and should return quickly.
	Progress func(Progress)

	work *Work
}

// Check sets defaults and reports invalid options.
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
		return fmt.Errorf("invalid model %q; allowed: %v", o.Kind, model.Kinds())
	case !slices.Contains(model.ClassModes(), o.Classes):
		return fmt.Errorf("invalid classes %q; allowed: %v", o.Classes, model.ClassModes())
	case !slices.Contains(feature.Sets(), o.Features):
		return fmt.Errorf("invalid features %q; allowed: %v", o.Features, feature.Sets())
	}
	if !(o.Unknown >= 0 && o.Unknown < 1) {
		return fmt.Errorf("invalid share of known packets labelled unknown (%v); allowed: from 0 to below 1", o.Unknown)
	}
	o.Forest.Seed, o.Boost.Seed = o.Seed, o.Seed
	n := &o.Neural
	n.Kind, n.Classes, n.Window, n.Seed, n.Rich = o.Kind, o.Classes, o.Window, o.Seed, o.Features == feature.Sequence
	return nil
}

// Train trains a model on datasets.
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

// epochParts is the resolution of the progress of an epoch.
const epochParts = 1000

// trainNeural trains a network, then fits its calibration and its detector of unknown devices on the validation homes.
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

// calibrateNeural calibrates a network on its validation homes.
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
		r, err := s.rehearse(ctx, v, o, noClass, 2)
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
				o.work.do(PhaseUnknown, int64(len(m.Meta().Classes)))
			}
			defer o.work.Step(1)
			a, err := s.rehearse(ctx, v, o, class, 4)
			if a == nil || err != nil { // a nil pointer in an interface is not nil
				return nil, err
			}
			if m.Meta().Calibration != nil {
				a.SetCalibration(m.Meta().Calibration)
			}
			return a, nil
		}
		if m.Meta().Path == "vpn" {
			// Behind a tunnel, where only lengths are visible, these models do not help: AUC 0.63, 0.67 without them (NAPT: 0.79 and 0.75).
			without = nil
		}
		m.Meta().Unknown, err = findUnknown(ctx, all, sets, o.Unknown, max(o.Forest.Workers, o.Boost.Workers, 1), without)
	}
	return m, err
}

// noClass means that rehearse leaves out no class.
const noClass = -1

// rehearsal is a model trained without the held-out packets.
type rehearsal struct {
	m    model.Model
	held *validation
}

// holdBack returns the held-out parts: every sixth home, or, to detect unknown devices, where homes differ more, each third of the homes.
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

// rehearse trains a smaller model, with one in some trees, on the homes that are not held out, leaving out class without unless it is noClass;
// nil if there is no data left.
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
	if without != noClass {
		tree.OrDefault(&less.Boost.Rounds, tree.DefaultRounds)
		less.Boost.Rounds = (less.Boost.Rounds + some - 1) / some
	}
	less.Forest.Progress, less.Boost.Progress = nil, nil
	if without == noClass && o.work != nil {
		step := func(int, int) { o.work.Step(1) }
		less.Forest.Progress, less.Boost.Progress = step, step
	}
	grown, err := growTrees(ctx, part, &less)
	if err != nil {
		return nil, err
	}
	return model.NewTrees(s.meta, grown)
}

// rehearsed is the number of trees, or rounds, of a rehearsal with all classes.
func (o *Options) rehearsed() int {
	trees, rounds := o.Forest.Trees, o.Boost.Rounds
	tree.OrDefault(&trees, 60)
	tree.OrDefault(&rounds, tree.DefaultRounds)
	if o.Kind == model.KindBoost {
		return rounds
	}
	return (trees + 1) / 2
}

// calibrateTrees calibrates a model and its rehearsals with the rehearsals' probabilities on their held-out homes.
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
