package classifier

import (
	"context"
	"fmt"
	"math"
	"strings"

	"glasshouse/testbed/dataset"
)

// EvaluationOptions say what is trained and judged.
type EvaluationOptions struct {
	Split   string // one of Splits
	Seeds   int    // models of each kind, of seeds that follow each other; 1 or more
	Kinds   []string
	Control bool // one more model of the first kind, of shuffled labels
	Leaks   bool
	Train   TrainOptions
	Tell    func(line string) // what a model scores, as soon as it does; Train.Progress tells how far it is

	work       *work
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
	MeanAccuracy float64   `json:"mean_accuracy"`
	Interval     *Interval `json:"interval,omitempty"`
	Score        *Score    `json:"score"` // of the first seed
	homes        []HomeScore
}

// ModelAgainst compares two models.
type ModelAgainst struct {
	Model    string     `json:"model"`
	Accuracy Difference `json:"accuracy"`
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

// RunEvaluation trains and judges.
func RunEvaluation(ctx context.Context, sets []*dataset.Dataset, o EvaluationOptions) (*Evaluation, error) {
	if o.Train.Classes == "" {
		o.Train.Classes = ClassPaper
	}
	o.work = newWork(o.Train.Progress)
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
		o.work.read(PhaseLeaks, packetsOf(sets))
		if e.Leaks, err = Leaks(o.work.watch(sets)); err != nil {
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
		e.Against = append(e.Against, ModelAgainst{e.Models[i].Model, Compare(&Score{PerHome: e.Models[i].homes}, &Score{PerHome: e.Models[0].homes}, homeAccuracy)})
	}
	if o.Control {
		err = e.control(ctx, folds[0], &o)
	}
	return e, err
}

func homeAccuracy(h HomeScore) float64 { return h.Accuracy }

// judge trains a kind of model on a fold, once for each seed.
func (e *Evaluation) judge(ctx context.Context, kind string, f Fold, o *EvaluationOptions) error {
	r := ModelResult{Model: kind}
	for seed := range o.Seeds {
		t := o.Train
		t.Kind, t.Seed = kind, o.Train.Seed+uint64(seed)
		if f.LeftOut != "" && t.Unknown == 0 {
			t.Unknown = DefaultFalseUnknown
		}
		t.Progress = o.model(strings.TrimSuffix(fmt.Sprintf("%s, seed %d, without %s", kind, t.Seed, f.LeftOut), ", without "))
		m, err := Train(ctx, f.Learn, t)
		if err != nil {
			return err
		}
		judge := Watched(f.Judge, t.Progress)
		if f.LeftOut != "" {
			l, err := leftOut(m, Fold{Learn: f.Learn, Judge: judge, LeftOut: f.LeftOut})
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
		s, err := Evaluate(m, judge, nil)
		if err != nil {
			return err
		}
		o.Tell(fmt.Sprintf("%s, seed %d: right %.1f %% of %d", kind, t.Seed, 100*s.Accuracy, s.N))
		r.add(s)
	}
	r.close(o.Seeds)
	e.Models = append(e.Models, r)
	return nil
}

func (r *ModelResult) add(s *Score) {
	r.Accuracy, r.MacroF1 = append(r.Accuracy, s.Accuracy), append(r.MacroF1, s.MacroF1)
	if r.Score == nil {
		r.Score = s
		r.homes = make([]HomeScore, len(s.PerHome))
	}
	for i := range r.homes {
		r.homes[i].Accuracy += s.PerHome[i].Accuracy
	}
}

func (r *ModelResult) close(seeds int) {
	zero := make([]HomeScore, len(r.homes))
	for i := range r.homes {
		r.homes[i].Accuracy /= float64(seeds)
	}
	d := Compare(&Score{PerHome: r.homes}, &Score{PerHome: zero}, homeAccuracy)
	r.MeanAccuracy, r.Interval = d.Mean, d.Interval
}

func (e *Evaluation) control(ctx context.Context, f Fold, o *EvaluationOptions) error {
	tell := o.model("shuffled labels")
	w := newWork(tell)
	w.read(PhaseShuffle, packetsOf(f.Learn))
	learn, err := Shuffled(w.watch(f.Learn), o.Train.Seed)
	if err != nil {
		return err
	}
	t := o.Train
	t.Kind, t.Progress = o.Kinds[0], tell
	w.rows = false // its views are read again in the training, whose phases count
	m, err := Train(ctx, learn, t)
	if err != nil {
		return err
	}
	s, err := Evaluate(m, Watched(f.Judge, tell), nil)
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
func (o *EvaluationOptions) model(name string) func(Progress) {
	if o.models++; o.Train.Progress == nil {
		return nil
	}
	name = fmt.Sprintf("%s (%d of %d)", name, o.models, o.of)
	return func(p Progress) {
		p.Model = name
		o.Train.Progress(p)
	}
}
