package evaluate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"

	"glasshouse/classifier/score"
	"glasshouse/classifier/train"
	"glasshouse/testbed/dataset"
)

// Transfer measures the loss of a model trained on another kind of homes than it is used on, such as virtual ones instead of live ones.
// Two models are trained, on the same homes in either world, and both are scored on held-out homes of the watched kind.

// Twin is one home in both worlds: one scenario, one seed, one home in each set. Watched is the kind that models are scored on.
type Twin struct{ Watched, Other *dataset.Dataset }

// TransferOptions configure Transfer; zero values mean the defaults.
type TransferOptions struct {
	Train     train.Options // the default kind is a forest; Seed is ignored in favour of Seeds
	Seeds     []uint64      // of the models and of the folds; default 1, 2, 3
	Folds     int           // of cross-validation over homes; default 3
	Resamples int           // bootstrap samples of homes, for the interval; default 2000
}

// TransferResult is the result of Transfer. Arrays have the figure of the model trained on watched homes, then that of the model trained
// on the other kind; both are scored on watched homes. Loss is their difference in macro-F1.
type TransferResult struct {
	Homes    int            `json:"homes"`
	Scored   int            `json:"scored"` // packets, per seed
	Learned  [2]int         `json:"seted"`  // training packets, mean over models
	Accuracy [2]float64     `json:"accuracy"`
	MacroF1  [2]float64     `json:"macro_f1"`
	Loss     float64        `json:"loss"` // of macro-F1, -1 to 1; negative if the other kind is better to train on
	Low      float64        `json:"low"`  // 95 % interval over homes
	High     float64        `json:"high"`
	BySeed   []TransferSeed `json:"by_seed"`
	PerClass []TransferF1   `json:"per_class"`
}

// TransferSeed is the result of one seed.
type TransferSeed struct {
	Seed     uint64     `json:"seed"`
	Accuracy [2]float64 `json:"accuracy"`
	MacroF1  [2]float64 `json:"macro_f1"`
	Loss     float64    `json:"loss"`
}

// TransferF1 is a class's F1, mean over seeds.
type TransferF1 struct {
	Class   string     `json:"class"`
	Support int        `json:"support"`
	F1      [2]float64 `json:"f1"`
}

// ErrTooFewHomes means that there are too few homes for the folds.
var ErrTooFewHomes = errors.New("too few homes for training and test")

func (o TransferOptions) filled() TransferOptions {
	if len(o.Seeds) == 0 {
		o.Seeds = []uint64{1, 2, 3}
	}
	if o.Train.Kind == "" {
		o.Train.Kind = "forest"
	}
	o.Train.Uncalibrated = true // only the predicted class counts
	if o.Folds <= 0 {
		o.Folds = 3
	}
	if o.Resamples <= 0 {
		o.Resamples = 2000
	}
	return o
}

// Transfer trains on each kind of twins in turn and scores on the watched kind of held-out homes.
func Transfer(ctx context.Context, twins []Twin, o TransferOptions) (*TransferResult, error) {
	o = o.filled()
	if len(twins) < 2*o.Folds {
		return nil, fmt.Errorf("%w: %d homes; %d folds need two homes each", ErrTooFewHomes, len(twins), o.Folds)
	}
	res := &TransferResult{Homes: len(twins)}
	tables := make([][][2]score.Matrix, len(o.Seeds)) // by seed, home and side
	for i, seed := range o.Seeds {
		tables[i] = make([][2]score.Matrix, len(twins))
		order := rand.New(rand.NewPCG(seed, 0x666f6c64)).Perm(len(twins))
		for fold := range o.Folds {
			if err := transferFold(ctx, twins, order, fold, seed, o, tables[i], res); err != nil {
				return nil, err
			}
		}
	}
	for side := range res.Learned {
		res.Learned[side] /= o.Folds * len(o.Seeds)
	}
	res.sum(o.Seeds, tables)
	res.Low, res.High = transferInterval(tables, len(twins), o.Resamples)
	return res, nil
}

// transferFold trains the two models of a fold and fills the tables of its homes.
func transferFold(ctx context.Context, twins []Twin, order []int, fold int, seed uint64, o TransferOptions, tables [][2]score.Matrix, res *TransferResult) error {
	for side := range 2 {
		var set []*dataset.Dataset
		for k, home := range order {
			if k%o.Folds != fold {
				set = append(set, [2]*dataset.Dataset{twins[home].Watched, twins[home].Other}[side])
			}
		}
		to := o.Train
		to.Seed = seed
		m, err := train.Train(ctx, set, to)
		if err != nil {
			return err
		}
		res.Learned[side] += m.Meta().Packets
		for k, home := range order {
			if k%o.Folds != fold {
				continue
			}
			if err := score.CheckUnseen(m.Meta(), twins[home].Watched); err != nil {
				return err
			}
			s, err := score.Evaluate(m, []*dataset.Dataset{twins[home].Watched}, nil)
			if err != nil {
				return err
			}
			tables[home][side] = s.Confusion.Matrix()
		}
	}
	return ctx.Err()
}

// pool sums the tables of homes, which may occur more than once, and returns the classes in their truth.
func pool(tables [][2]score.Matrix, homes []int, side int) (sum score.Matrix, classes []string) {
	sum = make(score.Matrix)
	for _, h := range homes {
		for k, n := range tables[h][side] {
			sum[k] += n
		}
	}
	for k := range sum {
		classes = append(classes, k[0])
	}
	slices.Sort(classes)
	return sum, slices.Compact(classes)
}

// sum computes the figures over all homes.
func (r *TransferResult) sum(seeds []uint64, tables [][][2]score.Matrix) {
	all := make([]int, r.Homes)
	for h := range all {
		all[h] = h
	}
	n := float64(len(seeds))
	for i, seed := range seeds {
		s := TransferSeed{Seed: seed}
		for side := range 2 {
			table, classes := pool(tables[i], all, side)
			p := table.Plain(classes)
			s.Accuracy[side], s.MacroF1[side] = p.Accuracy, p.MacroF1
			r.Accuracy[side] += p.Accuracy / n
			r.MacroF1[side] += p.MacroF1 / n
			for k, c := range table.PerClass(classes) {
				if len(r.PerClass) <= k {
					r.PerClass = append(r.PerClass, TransferF1{Class: c.Class, Support: c.Support})
				}
				r.PerClass[k].F1[side] += c.F1 / n
			}
		}
		s.Loss = s.MacroF1[0] - s.MacroF1[1]
		r.BySeed = append(r.BySeed, s)
	}
	r.Loss = r.MacroF1[0] - r.MacroF1[1]
	for _, c := range r.PerClass {
		r.Scored += c.Support
	}
}

// transferInterval resamples homes with replacement and returns the 95 % percentile interval of the loss.
func transferInterval(tables [][][2]score.Matrix, homes, resamples int) (low, high float64) {
	r := rand.New(rand.NewPCG(0, 0x626f6f74))
	losses := make([]float64, resamples)
	drawn := make([]int, homes)
	for i := range losses {
		for k := range drawn {
			drawn[k] = r.IntN(homes)
		}
		for s := range tables {
			for side, sign := range [2]float64{1, -1} {
				table, classes := pool(tables[s], drawn, side)
				losses[i] += sign * table.Plain(classes).MacroF1 / float64(len(tables))
			}
		}
	}
	sort.Float64s(losses)
	at := func(q float64) float64 { return losses[int(q*float64(resamples-1)+0.5)] }
	return at(0.025), at(0.975)
}
