// Package evaluate trains and scores models on splits of datasets by home, time, unit, device, path or world, and asks whether anything
// but behaviour gives devices away (leaks, shuffled labels). Homes are never split between training and test but by SplitTime.
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

// Options say what is trained and judged.
type Options struct {
	Split   string // one of Splits
	Seeds   int    // models of each kind, of seeds that follow each other; 1 or more
	Kinds   []string
	Control bool // one more model of the first kind, of shuffled labels
	Leaks   bool
	Train   train.Options
	Tell    func(line string) // what a model scores, as soon as it does; Train.Progress tells how far it is

	work       *train.Work
	models, of int // begun, and in all
}

// Evaluation is an honest look at models.
type Evaluation struct {
	Split   string            `json:"split"`
	Sets    []Origin          `json:"datasets"` // what was split
	Made    map[string]string `json:"versions"` // of what judges: for the caller to fill in
	Models  []ModelResult     `json:"models"`
	Against []ModelAgainst    `json:"against_first,omitempty"` // the other models less the first, in pairs of homes
	LeftOut []LeftOut         `json:"left_out,omitempty"`      // by device
	Control *ShuffledResult   `json:"control,omitempty"`
	Leaks   []Leak            `json:"leaks,omitempty"`
}

// Origin says what a data set is.
type Origin struct {
	Scenario string            `json:"scenario"`
	Digest   string            `json:"scenario_digest"`
	Path     string            `json:"path"`
	World    string            `json:"world"`
	Seed     uint64            `json:"seed"`
	Homes    int               `json:"homes"`
	Packets  int64             `json:"packets"`
	Made     map[string]string `json:"versions"` // of what made it
}

func originOf(d *dataset.Dataset) Origin {
	m := &d.Manifest
	return Origin{m.Scenario, m.ScenarioDigest, m.Path, m.World, m.Seed, len(m.Homes), m.Counts.WAN, m.Versions}
}

// ModelResult is one kind of model over its seeds.
type ModelResult struct {
	Model    string    `json:"model"`
	Accuracy []float64 `json:"accuracy"` // of each seed
	MacroF1  []float64 `json:"macro_f1"`
	// Mean is over seeds, and over homes that count alike; intervals are over homes. Nil below two homes.
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

// ShuffledResult is a model that has learned shuffled labels.
type ShuffledResult struct {
	Model            string  `json:"model"`
	BalancedAccuracy float64 `json:"balanced_accuracy"`
	Chance           float64 `json:"chance"` // one in the number of classes
	AtChance         bool    `json:"at_chance"`
}

// nearChance is how far from chance a balanced accuracy may be: what a class of few packets can do by luck.
const nearChance = 0.1

// Run trains and judges.
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
		return nil, fmt.Errorf("%w by device with %d seeds: a class that is left out is judged by one model of each kind", ErrSplit, o.Seeds)
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
			if err := e.judge(ctx, kind, f, &o); err != nil {
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

// judge trains a kind of model on a fold, once for each seed.
func (e *Evaluation) judge(ctx context.Context, kind string, f Fold, o *Options) error {
	r := ModelResult{Model: kind}
	for seed := range o.Seeds {
		t := o.Train
		t.Kind, t.Seed = kind, o.Train.Seed+uint64(seed)
		if f.LeftOut != "" && t.Unknown == 0 {
			t.Unknown = train.DefaultFalseUnknown
		}
		t.Progress = o.model(strings.TrimSuffix(fmt.Sprintf("%s, seed %d, without %s", kind, t.Seed, f.LeftOut), ", without "))
		m, err := train.Train(ctx, f.Learn, t)
		if err != nil {
			return err
		}
		judge := train.Watched(f.Judge, t.Progress)
		if f.LeftOut != "" {
			l, err := Unlearned(m, Fold{Learn: f.Learn, Judge: judge, LeftOut: f.LeftOut})
			if err != nil {
				return err
			}
			if !m.Meta().TellsUnknown() {
				o.Tell(fmt.Sprintf("%s without %s: too few packets or homes to tell unknown devices by", kind, f.LeftOut))
			}
			o.Tell(fmt.Sprintf("%s without %s: %.1f %% called unknown, AUC %.2f", kind, f.LeftOut, 100*l.Unknown.Share, l.Unknown.AUC))
			e.LeftOut = append(e.LeftOut, l)
			return nil
		}
		s, err := score.Evaluate(m, judge, nil)
		if err != nil {
			return err
		}
		o.Tell(fmt.Sprintf("%s, seed %d: right %.1f %% of %d", kind, t.Seed, 100*s.Accuracy, s.N))
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

func (r *ModelResult) Close(seeds int) {
	zero := make([]score.HomeScore, len(r.homes))
	for i := range r.homes {
		r.homes[i].Accuracy /= float64(seeds)
	}
	d := score.Compare(&score.Score{PerHome: r.homes}, &score.Score{PerHome: zero}, homeAccuracy)
	r.MeanAccuracy, r.Interval = d.Mean, d.Interval
}

func (e *Evaluation) control(ctx context.Context, f Fold, o *Options) error {
	tell := o.model("shuffled labels")
	w := train.NewWork(tell)
	w.Read(train.PhaseShuffle, train.PacketsOf(f.Learn))
	learn, err := Shuffled(w.Watch(f.Learn), o.Train.Seed)
	if err != nil {
		return err
	}
	t := o.Train
	t.Kind, t.Progress = o.Kinds[0], tell
	w.Uncount() // its views are read again in the training, whose phases count
	m, err := train.Train(ctx, learn, t)
	if err != nil {
		return err
	}
	s, err := score.Evaluate(m, train.Watched(f.Judge, tell), nil)
	if err != nil {
		return err
	}
	c := &ShuffledResult{Model: t.Kind, BalancedAccuracy: s.BalancedAccuracy, Chance: 1 / float64(max(len(s.PerClass), 1))}
	c.AtChance = math.Abs(c.BalancedAccuracy-c.Chance) <= nearChance
	e.Control = c
	o.Tell(fmt.Sprintf("shuffled labels: balanced accuracy %.3f, chance %.3f", c.BalancedAccuracy, c.Chance))
	return nil
}

// model returns what is told of the phases of the next model.
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
