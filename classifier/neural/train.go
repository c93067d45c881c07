package neural

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"glasshouse/classifier/model"
	"glasshouse/classifier/nn"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// Windows of the tcn are longer than those of LSTMs: at a window's ends it sees nothing beyond.
const (
	tcnWindow, tcnBatch = 512, 16
	lstmBatch           = 64
	validLimit          = 300000 // validation packets; of more, each home's first ones are taken
)

// Rates of learning and dropout, chosen on homes that are neither learned from nor scored (twelve noisy ones behind WireGuard, of an
// hour each; learned from twelve others, five epochs). HomeMole's readers have 1e-3 and 0.5: with batches as large as ours that leaves an
// LSTM half taught.
const (
	lstmRate, lstmDropout = 6e-3, 0.3
	tcnRate, tcnDropout   = 4e-3, 0.1
)

// Defaults fills in zero values and checks the options.
func (o *Options) Defaults() error {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&o.Units, 64)
	set(&o.Layers, 2)
	set(&o.Epochs, 10)
	set(&o.Patience, 3)
	set(&o.Workers, 1)
	rate, dropout := lstmRate, lstmDropout
	if o.Kind == model.KindTCN {
		rate, dropout = tcnRate, tcnDropout
	}
	if o.Rate == 0 {
		o.Rate = rate
	}
	if o.Dropout == 0 {
		o.Dropout = dropout
	}
	if o.Weights == "" {
		o.Weights = "none"
	}
	if !slices.Contains(ClassWeights(), o.Weights) {
		return fmt.Errorf("class weights %q are not known; there are %v", o.Weights, ClassWeights())
	}
	if o.Units < 0 || o.Layers < 0 || o.Epochs < 0 || o.Patience < 0 || o.Rate < 0 || o.Dropout >= 1 {
		return errors.New("units, layers, epochs, patience and rate are above 0, and dropout is under 1")
	}
	return nil
}

// Train trains a net on datasets, and returns which packets it was judged by meanwhile: it has not learned from these.
func Train(ctx context.Context, sets []*dataset.Dataset, o Options) (*Model, []Span, error) {
	if err := o.Defaults(); err != nil {
		return nil, nil, err
	}
	inputs := InputsPaper
	if o.Kind == model.KindTCN || o.Rich {
		inputs = InputsRich
	}
	c, err := collectHomes(ctx, sets, &o, inputs)
	if err != nil {
		return nil, nil, err
	}
	m, err := Fit(ctx, c, &o, inputs)
	if err != nil {
		return nil, nil, err
	}
	_, valid := c.split(o.Seed)
	return m, valid, nil
}

// lesson is a training as it goes.
type lesson struct {
	o       *Options
	c       *Corpus
	m       *Model
	tr      *nn.Trainer
	weights []float32
	train   []Span
	valid   []Span // windows
	batch   *nn.Batch
	at      checkpoint
}

// Fit trains a net on a corpus: epochs until the validation loss falls no more, and the parameters of the best one are kept.
func Fit(ctx context.Context, c *Corpus, o *Options, inputs string) (*Model, error) {
	l := &lesson{o: o, c: c, m: &Model{meta: c.Meta, enc: Encoder{Inputs: inputs}}}
	train, valid := c.split(o.Seed)
	l.train = train
	homes := make([]int, len(train))
	for i, s := range train {
		homes[i] = s.Home
	}
	slices.Sort(homes)
	l.m.enc.learn(c, homes)
	spec := o.shape(&l.m.enc, len(c.Meta.Classes))
	var err error
	if l.m.net, err = nn.New(spec, o.Seed); err != nil {
		return nil, err
	}
	steps, size := o.Window, lstmBatch
	if o.Kind == model.KindTCN {
		steps, size = max(o.Window, tcnWindow), tcnBatch
	}
	packets := 0
	for _, s := range train {
		packets += s.to - s.From
	}
	size = batchOf(size, packets/steps)
	l.batch = nn.NewBatch(&spec, steps, size)
	for i, v := range valid {
		valid[i].to = min(v.to, v.From+max(validLimit/len(valid), steps))
	}
	l.valid = cutWindows(valid, steps, func() int { return 0 })
	l.weigh()
	l.tr = nn.NewTrainer(l.m.net, nn.TrainOptions{Rate: o.Rate, Workers: o.Workers, Seed: o.Seed, Shard: max(size/4, 2)})
	if err := l.resume(); err != nil {
		return nil, err
	}
	for l.at.Epoch < o.Epochs && l.at.Since < o.Patience {
		if err := l.epoch(ctx); err != nil {
			return nil, err
		}
	}
	best, err := nn.FromParams(spec, l.at.best)
	if err != nil {
		return nil, fmt.Errorf("the training did not converge: %w", err)
	}
	l.m.net = best
	return l.m, nil
}

// fewSteps is how many steps of learning an epoch should have at least.
const fewSteps = 100

// batchOf is how many windows a batch has: so many, or of few packets down to a quarter, for a net learns by steps.
func batchOf(size, windows int) int {
	least := size / 4
	for size > least && windows/size < fewSteps {
		size /= 2
	}
	return size
}

// weigh sets the classes' weights, whose mean over the packets is 1.
func (l *lesson) weigh() {
	counts := make([]float64, len(l.c.Meta.Classes))
	total := 0.0
	for _, s := range l.train {
		for _, class := range l.c.Homes[s.Home].Class[s.From:s.to] {
			if class >= 0 {
				counts[class]++
				total++
			}
		}
	}
	l.weights = make([]float32, len(counts))
	sum := 0.0
	w := make([]float64, len(counts))
	for i, n := range counts {
		w[i] = 1
		if n > 0 {
			switch l.o.Weights {
			case "sqrt":
				w[i] = 1 / math.Sqrt(n)
			case "balanced":
				w[i] = 1 / n
			}
		}
		sum += w[i] * n
	}
	for i := range w {
		l.weights[i] = float32(w[i] * max(total, 1) / max(sum, 1e-12))
	}
}

// epoch goes through the training homes once. Recurrent nets go along homes in lanes and carry their state from window to
// window, as they will when they watch; windows of the others are drawn in any order.
func (l *lesson) epoch(ctx context.Context) error {
	n := l.at.Epoch + 1
	r := rand.New(rand.NewPCG(l.o.Seed, uint64(n)))
	spans := slices.Clone(l.train)
	r.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	all := cutWindows(spans, l.batch.T, func() int { return r.IntN(l.batch.T) })
	if !l.lanes() {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	steps := l.batches(all)
	sum := 0.0
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.Load(all, step)
		l.tr.SetRate(l.o.Rate * l.cool(float64(l.at.Epoch)+float64(step)/float64(steps)))
		sum += l.tr.Step(l.batch)
		if l.o.Progress != nil && step+1 < steps {
			l.o.Progress(Progress{
				Epoch: n, Epochs: l.o.Epochs, Share: float64(step+1) / float64(steps), Loss: sum / float64(step+1), Resumed: l.at.resumed,
			})
		}
	}
	loss, accuracy := l.validate()
	l.at.Epoch++
	l.at.Since++
	if l.at.best == nil || loss < l.at.Loss {
		l.at.Loss, l.at.Since, l.at.best = loss, 0, slices.Clone(l.m.net.Params())
	}
	if l.o.Progress != nil {
		l.o.Progress(Progress{
			Epoch: n, Epochs: l.o.Epochs, Share: 1, Loss: sum / float64(max(steps, 1)), Validation: loss, Accuracy: accuracy, Resumed: l.at.resumed,
		})
	}
	return l.save()
}

// lanes tells whether a sequence of a batch goes on where it ended in the batch before.
func (l *lesson) lanes() bool { return l.o.Kind != model.KindTCN }

func (l *lesson) batches(all []Span) int { return (len(all) + l.batch.B - 1) / l.batch.B }

// Load fills the batch with the windows of a step.
func (l *lesson) Load(all []Span, step int) {
	steps, lanes := l.batches(all), l.lanes()
	for i := range l.batch.B {
		k := step*l.batch.B + i
		if lanes {
			k = i*steps + step
		}
		w := Span{}
		if k < len(all) {
			w = all[k]
		}
		l.c.fill(l.batch, i, w, &l.m.enc, l.weights)
		l.batch.Fresh[i] = !lanes || step == 0 || k < len(all) && (all[k-1].Home != w.Home || all[k-1].to != w.From)
	}
}

// cool is the learning rate's share of its first value after so many epochs.
func (l *lesson) cool(epochs float64) float64 {
	return max(0.5+0.5*math.Cos(math.Pi*epochs/float64(l.o.Epochs)), 0.01)
}

// validate gives the weighted loss and the accuracy over the validation windows.
func (l *lesson) validate() (loss, accuracy float64) {
	run := nn.NewRunner(l.m.net, l.o.Workers)
	classes := len(l.c.Meta.Classes)
	probs := make([]float32, l.batch.T*l.batch.B*classes)
	weight, n, right := 0.0, 0, 0
	for step := range l.batches(l.valid) {
		l.Load(l.valid, step)
		run.Run(l.batch, probs)
		for r, w := range l.batch.Weight {
			if w == 0 {
				continue
			}
			p := probs[r*classes : (r+1)*classes]
			loss -= float64(w) * math.Log(max(float64(p[l.batch.Class[r]]), 1e-9))
			weight += float64(w)
			n++
			if stat.Argmax(p) == int(l.batch.Class[r]) {
				right++
			}
		}
	}
	if n == 0 {
		return math.Inf(1), 0
	}
	return loss / weight, stat.Ratio(right, n)
}
