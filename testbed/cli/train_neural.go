package cli

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"glasshouse/classifier/neural"
	"glasshouse/testbed/plain"
)

// addNeural adds the flags of neural models.
func addNeural(f *pflag.FlagSet, o *neural.Options) {
	f.IntVar(&o.Units, "units", 64, "`UNITS` of a layer of a neural model; a multiple of 16")
	f.IntVar(&o.Layers, "layers", 2, "`LAYERS` of an lstm or bilstm")
	f.Float64Var(&o.Dropout, "dropout", 0, "`SHARE` of outputs dropped in the training of a neural model; 0 = 0.3, of tcn 0.1; negative = none")
	f.IntVar(&o.Epochs, "epochs", 10, "maximum `EPOCHS` of a neural model")
	f.IntVar(&o.Patience, "patience", 3, "`EPOCHS` without a better validation loss after which training stops")
	f.Float64Var(&o.Rate, "rate", 0, "initial learning `RATE` of Adam, which decays to zero; 0 = 0.006, of tcn 0.004")
	f.StringVar(&o.Weights, "weights", "none", "weighting of rare classes in a neural model: "+strings.Join(neural.ClassWeights(), ", "))
}

func checkNeural(o *neural.Options) error {
	switch {
	case o.Units < 16 || o.Units > 1024 || o.Units%16 != 0:
		return usagef("--units %d: a multiple of 16 from 16 to 1024 is allowed", o.Units)
	case o.Layers < 1 || o.Layers > 16:
		return usagef("--layers %d: 1 to 16 are allowed", o.Layers)
	case o.Dropout >= 1:
		return usagef("--dropout must be under 1")
	case o.Epochs < 1 || o.Patience < 1:
		return usagef("--epochs and --patience must be 1 or more")
	case !(o.Rate >= 0):
		return usagef("--rate must be above 0; 0 = the model's own")
	}
	return checkName("--weights", o.Weights, neural.ClassWeights())
}

// neuralProgress prints where a training resumes, and the loss of finished epochs, as often as progress is shown.
func neuralProgress(bar *progress) func(neural.Progress) {
	first := 0
	var last time.Time
	return func(p neural.Progress) {
		if first == 0 {
			first = p.Epoch
			if p.Resumed {
				bar.result("resumed after %s", plain.Count(p.Epoch-1, "epoch"))
			}
		}
		if p.Share < 1 || p.Epoch < p.Epochs && !bar.terminal && bar.now().Sub(last) < elsewhere {
			return
		}
		last = bar.now()
		bar.result("epoch %d of %d: loss %.4f, validation %.4f (%.1f %% right)", p.Epoch, p.Epochs, p.Loss, p.Validation, 100*p.Accuracy)
	}
}
