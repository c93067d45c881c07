package train

import (
	"context"
	"math"
	"slices"

	"glasshouse/classifier/exact"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/score"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// validation is the part of the training data that is held out for validation.
type validation struct {
	homes map[int]bool // by their number, counted over all datasets
	after int64        // if there is one home: the frames after this one
}

func (v *validation) holds(home int, frame int64) bool { return v.homes[home] && frame > v.after }

// heldBack returns the validation of a split's spans.
func heldBack(valid []neural.Span) *validation {
	v := &validation{homes: make(map[int]bool)}
	for _, s := range valid {
		v.homes[s.Home] = true
		v.after = int64(s.From)
	}
	return v
}

// judged has a model's probabilities for scored packets, in order.
type judged struct {
	probs []float32 // rows of classes
	class []int32   // -1: not one of the model's classes
}

// judge runs a model on the held-out homes and keeps the probabilities of most scored packets at most, evenly spaced.
func (v *validation) judge(ctx context.Context, m model.Model, sets []*dataset.Dataset, most int) (*judged, error) {
	total := 0
	err := v.each(ctx, sets, func(_ int, _ *dataset.Row, counts bool) error {
		total += stat.Indicator(counts)
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	every := max((total+most-1)/most, 1)
	meta, n := m.Meta(), 0
	out := &judged{}
	var l *model.Labeller[int32]
	l = model.NewLabeller(m, func(class int32, _ string, _ float32) error {
		if class == notScored {
			return nil
		}
		if n++; n%every == 0 {
			out.probs, out.class = append(out.probs, l.Probs()...), append(out.class, class)
		}
		return nil
	})
	err = v.each(ctx, sets, func(_ int, r *dataset.Row, counts bool) error {
		class := int32(notScored)
		if counts {
			class = int32(slices.Index(meta.Classes, model.ClassOf(&r.Label, meta.ClassMode)))
		}
		return l.Step(&r.Observation, class)
	}, l.Flush)
	return out, err
}

// notScored is the class of a packet that is not scored.
const notScored = -2

// each yields all packets of the held-out homes; those before the cut have counts false.
func (v *validation) each(ctx context.Context, sets []*dataset.Dataset, yield func(home int, r *dataset.Row, counts bool) error, end func() error) error {
	home := -1
	for _, d := range sets {
		at, open := -1, false
		close := func() error {
			if !open || end == nil {
				return nil
			}
			open = false
			return end()
		}
		err := d.Rows(func(h int, r *dataset.Row) error {
			if h != at {
				if err := close(); err != nil {
					return err
				}
				at = h
				home++
			}
			if !v.homes[home] {
				return nil
			}
			open = true
			if err := yield(home, r, v.holds(home, r.Frame) && model.IsScored(&d.Manifest, r)); err != nil {
				return err
			}
			return ctx.Err()
		})
		if err == nil {
			err = close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fit finds the temperature with the lowest log loss; nil if there are too few packets.
func (j *judged) fit(v *validation) *model.Calibration {
	if len(j.class) < model.CalibrateLeast {
		return nil
	}
	c := &model.Calibration{Method: model.CalibrateTemperature, Packets: len(j.class), Homes: len(v.homes)}
	if v.after > 0 {
		c.Homes = 0
	}
	classes := len(j.probs) / len(j.class)
	logs := make([]float64, len(j.probs))
	for i, p := range j.probs {
		logs[i] = exact.LogFast(float64(max(p, model.LeastTempered)))
	}
	loss := func(inverse float64) float64 { // convex in 1/T
		sum := 0.0
		for i, class := range j.class {
			if class < 0 {
				continue
			}
			row := logs[i*classes : (i+1)*classes]
			top := slices.Max(row)
			z := 0.0
			for _, l := range row {
				z += exact.Exp(float64((l - top) * inverse))
			}
			sum += exact.LogFast(z) - float64((row[class]-top)*inverse)
		}
		return sum
	}
	const golden = 0.6180339887498949
	lo, hi := 1.0/model.Hottest, 1.0/model.Coldest
	a, b := hi-float64(golden*(hi-lo)), lo+float64(golden*(hi-lo))
	fa, fb := loss(a), loss(b)
	for range 24 {
		if fa < fb {
			hi, b, fb = b, a, fa
			a = hi - float64(golden*(hi-lo))
			fa = loss(a)
		} else {
			lo, a, fa = a, b, fb
			b = lo + float64(golden*(hi-lo))
			fb = loss(b)
		}
	}
	c.Temperature = math.Round(1000/(lo+float64((hi-lo)/2))) / 1000
	c.Before = j.reliability()
	tempered := &judged{probs: slices.Clone(j.probs), class: j.class}
	for i := range j.class {
		model.Temper(tempered.probs[i*classes:(i+1)*classes], 1/c.Temperature)
	}
	c.After = tempered.reliability()
	return c
}

func (j *judged) reliability() model.Reliability {
	var t score.TrustTally
	classes := len(j.probs) / len(j.class)
	for i, class := range j.class {
		t.AddAll(j.probs[i*classes:(i+1)*classes], int(class))
	}
	r := t.Result()
	return model.Reliability{LogLoss: r.LogLoss, CalibrationError: r.CalibrationError}
}
