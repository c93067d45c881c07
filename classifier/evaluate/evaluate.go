// Package evaluate trains and scores models on splits of datasets by home, time, unit, device, path or world, and checks for leaks: single
// features that identify homes, and accuracy above chance with shuffled labels. Only SplitTime and SplitUnit have the same homes in
// training and test.
package evaluate

import (
	"context"
	"fmt"
	"math"
	"strings"

	"glasshouse/classifier/model"
	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/train"
	"glasshouse/testbed/dataset"
)

// Options configure an evaluation.
type Options struct {
	Split   string // one of Splits
	Seeds   int    // models of each kind, with consecutive seeds; at least 1
	Kinds   []string
	Control bool // another model of the first kind, trained on shuffled labels
	Leaks   bool
	Train   train.Options
	Report  func(line string) // is called with each model's result; Train.Progress reports progress

	work       *train.Work
	models, of int // started, and in total
}

// Evaluation is the result of Run.
type Evaluation struct {
	Split    string            `json:"split"`
	Sets     []Origin          `json:"datasets"` // what was split
	Versions map[string]string `json:"versions"` // of the evaluating program; set by the caller
	Models   []ModelResult     `json:"models"`
	Against  []ModelAgainst    `json:"against_first,omitempty"` // the other models minus the first, paired by home
	LeftOut  []LeftOut         `json:"left_out,omitempty"`      // by device
	Control  *ShuffledResult   `json:"control,omitempty"`
	Leaks    []Leak            `json:"leaks,omitempty"`
}

// Origin describes a dataset.
type Origin struct {
	Scenario string            `json:"scenario"`
	Digest   string            `json:"scenario_digest"`
	Path     string            `json:"path"`
	World    string            `json:"world"`
	Seed     uint64            `json:"seed"`
	Homes    int               `json:"homes"`
	Packets  int64             `json:"packets"`
	Versions map[string]string `json:"versions"` // of the program that made it
}

func originOf(d *dataset.Dataset) Origin {
	m := &d.Manifest
	return Origin{m.Scenario, m.ScenarioDigest, m.Path, m.World, m.Seed, len(m.Homes), m.Counts.WAN, m.Versions}
}

// ModelResult is one kind of model over its seeds.
type ModelResult struct {
	Model    string    `json:"model"`
	Accuracy []float64 `json:"accuracy"` // by seed
	MacroF1  []float64 `json:"macro_f1"`
	// MeanAccuracy is over seeds and over homes with equal weight. Interval is over homes; nil for fewer than two.
	MeanAccuracy float64        `json:"mean_accuracy"`
	Interval     *stat.Interval `json:"interval,omitempty"`
	Score        *score.Score   `json:"score"` // of the first seed
	homes        []score.HomeScore
}

// ModelAgainst compares two models.
type ModelAgainst struct {
	Model    string           `json:"model"`
	Accuracy score.Difference `json:"accuracy"`
}

// ShuffledResult is the score of a model trained on shuffled labels.
type ShuffledResult struct {
	Model            string  `json:"model"`
	BalancedAccuracy float64 `json:"balanced_accuracy"`
	Chance           float64 `json:"chance"` // 1 / number of classes
	AtChance         bool    `json:"at_chance"`
}

// nearChance is the tolerance around chance for a balanced accuracy: classes of few packets vary by as much.
const nearChance = 0.1

// Run trains and scores models.
func Run(ctx context.Context, sets []*dataset.Dataset, o Options) (*Evaluation, error) {
	if o.Train.Classes == "" {
		o.Train.Classes = model.ClassPaper
	}
	o.work = train.NewWork(o.Train.Progress)
	folds, err := SplitSets(sets, o.Split, o.Train.Classes, o.Train.Seed)
	if err != nil {
		return nil, err
	}
	if o.Split == SplitDevice && o.Seeds > 1 {
		return nil, fmt.Errorf("%w by device with %d seeds; allowed: 1, as each class left out takes a model of its own", ErrSplit, o.Seeds)
	}
	e := &Evaluation{Split: o.Split}
	for _, d := range sets {
		e.Sets = append(e.Sets, originOf(d))
	}
	if o.Leaks {
		o.work.Read(train.PhaseLeaks, train.PacketsOf(sets))
		if e.Leaks, err = Leaks(o.work.Watch(sets)); err != nil {
			return nil, err
		}
	}
	if o.of = len(folds) * len(o.Kinds) * o.Seeds; o.Control {
		o.of++
	}
	for _, f := range folds {
		for _, kind := range o.Kinds {
			if err := e.evaluate(ctx, kind, f, &o); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
		}
	}
	for i := 1; i < len(e.Models); i++ {
		e.Against = append(e.Against, ModelAgainst{e.Models[i].Model, score.Compare(&score.Score{PerHome: e.Models[i].homes}, &score.Score{PerHome: e.Models[0].homes}, homeAccuracy)})
	}
	if o.Control {
		err = e.control(ctx, folds[0], &o)
	}
	return e, err
}

func homeAccuracy(h score.HomeScore) float64 { return h.Accuracy }

// evaluate trains and scores a kind of model on a fold, once per seed.
func (e *Evaluation) evaluate(ctx context.Context, kind string, f Fold, o *Options) error {
	r := ModelResult{Model: kind}
	for seed := range o.Seeds {
		t := o.Train
		t.Kind, t.Seed = kind, o.Train.Seed+uint64(seed)
		if f.LeftOut != "" && t.Unknown == 0 {
			t.Unknown = train.DefaultFalseUnknown
		}
		t.Progress = o.model(strings.TrimSuffix(fmt.Sprintf("%s, seed %d, without %s", kind, t.Seed, f.LeftOut), ", without "))
		m, err := train.Train(ctx, f.Train, t)
		if err != nil {
			return err
		}
		test := train.Watched(f.Test, t.Progress)
		if f.LeftOut != "" {
			l, err := ScoreLeftOut(m, Fold{Train: f.Train, Test: test, LeftOut: f.LeftOut})
			if err != nil {
				return err
			}
			if !m.Meta().DetectsUnknown() {
				o.Report(fmt.Sprintf("%s without %s: too few packets or homes to detect unknown devices", kind, f.LeftOut))
			}
			o.Report(fmt.Sprintf("%s without %s: %.1f %% labelled unknown, AUC %.2f", kind, f.LeftOut, 100*l.Unknown.Share, l.Unknown.AUC))
			e.LeftOut = append(e.LeftOut, l)
			return nil
		}
		s, err := score.Evaluate(m, test, nil)
		if err != nil {
			return err
		}
		o.Report(fmt.Sprintf("%s, seed %d: accuracy %.1f %% of %d packets", kind, t.Seed, 100*s.Accuracy, s.N))
		r.add(s)
	}
	r.Close(o.Seeds)
	e.Models = append(e.Models, r)
	return nil
}

func (r *ModelResult) add(s *score.Score) {
	r.Accuracy, r.MacroF1 = append(r.Accuracy, s.Accuracy), append(r.MacroF1, s.MacroF1)
	if r.Score == nil {
		r.Score = s
		r.homes = make([]score.HomeScore, len(s.PerHome))
	}
	for i := range r.homes {
		r.homes[i].Accuracy += s.PerHome[i].Accuracy
	}
}

// Close completes the result once all folds are scored.
func (r *ModelResult) Close(seeds int) {
	zero := make([]score.HomeScore, len(r.homes))
	for i := range r.homes {
		r.homes[i].Accuracy /= float64(seeds)
	}
	d := score.Compare(&score.Score{PerHome: r.homes}, &score.Score{PerHome: zero}, homeAccuracy)
	r.MeanAccuracy, r.Interval = d.Mean, d.Interval
}

func (e *Evaluation) control(ctx context.Context, f Fold, o *Options) error {
	progress := o.model("shuffled labels")
	w := train.NewWork(progress)
	w.Read(train.PhaseShuffle, train.PacketsOf(f.Train))
	shuffled, err := Shuffled(w.Watch(f.Train), o.Train.Seed)
	if err != nil {
		return err
	}
	t := o.Train
	t.Kind, t.Progress = o.Kinds[0], progress
	w.Uncount() // training reads the views again and counts that as its own phases
	m, err := train.Train(ctx, shuffled, t)
	if err != nil {
		return err
	}
	s, err := score.Evaluate(m, train.Watched(f.Test, progress), nil)
	if err != nil {
		return err
	}
	c := &ShuffledResult{Model: t.Kind, BalancedAccuracy: s.BalancedAccuracy, Chance: 1 / float64(max(len(s.PerClass), 1))}
	c.AtChance = math.Abs(c.BalancedAccuracy-c.Chance) <= nearChance
	e.Control = c
	o.Report(fmt.Sprintf("shuffled labels: balanced accuracy %.3f, chance %.3f", c.BalancedAccuracy, c.Chance))
	return nil
}

// model returns the progress function of the next model.
func (o *Options) model(name string) func(train.Progress) {
	if o.models++; o.Train.Progress == nil {
		return nil
	}
	name = fmt.Sprintf("%s (%d of %d)", name, o.models, o.of)
	return func(p train.Progress) {
		p.Model = name
		o.Train.Progress(p)
	}
}
