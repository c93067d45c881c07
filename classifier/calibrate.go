package classifier

import (
	"context"
	"math"
	"slices"

	"glasshouse/classifier/nn"
	"glasshouse/testbed/dataset"
)

// Calibration makes a model's probabilities be what they say: they are taken to the power of 1/Temperature and made to sum to 1
// again (temperature scaling, Guo et al. 2017). What is guessed stays. The temperature is fitted on homes of the training data that the
// judged trees or net have not learned from; for trees, those of a smaller model of its own, for theirs learn from all homes.
type Calibration struct {
	Method      string      `json:"method"` // temperature
	Temperature float64     `json:"temperature"`
	Homes       int         `json:"homes"`   // that it was fitted on; 0 = the end of the only one
	Packets     int         `json:"packets"` // of them
	Before      Reliability `json:"before"`
	After       Reliability `json:"after"`
}

// Reliability says how far probabilities are from what they say.
type Reliability struct {
	LogLoss          float64 `json:"log_loss"`          // mean of -ln p of the true class, nats; p is at least 1e-6
	CalibrationError float64 `json:"calibration_error"` // expected, as in Trust
}

const (
	calibrateMost        = 20_000 // packets that a temperature is fitted on at most
	calibrateLeast       = 200
	coldest, hottest     = 0.2, 10
	leastProbability     = 1e-6 // in a log loss
	leastTempered        = 1e-4 // what a forest's probability counts as when no leaf holds the class
	calibrateTemperature = "temperature"
)

// validation says which packets of training data are held back to judge by.
type validation struct {
	homes map[int]bool // by their number through all data sets
	after int64        // where there is one home: frames after this
}

func (v *validation) holds(home int, frame int64) bool { return v.homes[home] && frame > v.after }

// heldBack makes it from a split's spans.
func heldBack(valid []span) *validation {
	v := &validation{homes: make(map[int]bool)}
	for _, s := range valid {
		v.homes[s.home] = true
		v.after = int64(s.from)
	}
	return v
}

// judged is what a model says of packets that count, in order.
type judged struct {
	probs []float32 // rows of classes
	class []int32   // -1: a class that it does not know
}

// judge runs a model over the homes that are held back, and keeps what it says of every so many packets that count.
func (v *validation) judge(ctx context.Context, m Model, sets []*dataset.Dataset, most int) (*judged, error) {
	total := 0
	err := v.each(ctx, sets, func(_ int, _ *dataset.Row, counts bool) error {
		total += b2i(counts)
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	every := max((total+most-1)/most, 1)
	meta, n := m.Meta(), 0
	out := &judged{}
	var l *Labeller[int32]
	l = NewLabeller(m, func(class int32, _ string, _ float32) error {
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
			class = int32(slices.Index(meta.Classes, classOf(&r.Label, meta.ClassMode)))
		}
		return l.Step(&r.Observation, class)
	}, l.Flush)
	return out, err
}

// notScored stands for the class of a packet that does not count.
const notScored = -2

// each gives all packets of the homes that are held back, those before the cut too, as ones that don't count.
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
			if err := yield(home, r, v.holds(home, r.Frame) && scored(&d.Manifest, r)); err != nil {
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

// fit finds the temperature of least log loss; nil where there are too few packets.
func (j *judged) fit(v *validation) *Calibration {
	if len(j.class) < calibrateLeast {
		return nil
	}
	c := &Calibration{Method: calibrateTemperature, Packets: len(j.class), Homes: len(v.homes)}
	if v.after > 0 {
		c.Homes = 0
	}
	classes := len(j.probs) / len(j.class)
	logs := make([]float64, len(j.probs))
	for i, p := range j.probs {
		logs[i] = logFast(float64(max(p, leastTempered)))
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
				z += expOf(float64((l - top) * inverse))
			}
			sum += logFast(z) - float64((row[class]-top)*inverse)
		}
		return sum
	}
	const golden = 0.6180339887498949
	lo, hi := 1.0/hottest, 1.0/coldest
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
		temper(tempered.probs[i*classes:(i+1)*classes], 1/c.Temperature)
	}
	c.After = tempered.reliability()
	return c
}

func (j *judged) reliability() Reliability {
	var t trustTally
	classes := len(j.probs) / len(j.class)
	for i, class := range j.class {
		t.addAll(j.probs[i*classes:(i+1)*classes], int(class))
	}
	r := t.result()
	return Reliability{LogLoss: r.LogLoss, CalibrationError: r.CalibrationError}
}

// temper takes probabilities to a power and makes them sum to 1. It allocates nothing.
func temper(probs []float32, power float64) {
	sum := 0.0
	for i, p := range probs {
		e := expOf(float64(logFast(float64(max(p, leastTempered))) * power))
		probs[i] = float32(e)
		sum += e
	}
	for i, p := range probs {
		probs[i] = float32(float64(p) / sum)
	}
}

// untemper undoes temper, but for what was below leastTempered.
func untemper(probs []float32, temperature float64) {
	sum := 0.0
	for i, p := range probs {
		e := expOf(float64(logFast(float64(max(p, 1e-30))) * temperature))
		probs[i] = float32(e)
		sum += e
	}
	for i, p := range probs {
		probs[i] = float32(float64(p) / sum)
	}
}

// logFast is the natural logarithm of x > 0, within 1e-13 of it, the same on every processor.
func logFast(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	s := (m - 1) / (m + 1) // |s| <= 0.172
	s2 := float64(s * s)
	p := 0.0
	for n := 17; n > 0; n -= 2 {
		p = float64(p*s2) + 1/float64(n)
	}
	return float64(2*s*p) + float64(float64(e)*math.Ln2)
}

// calibrateNet makes a net's sums smaller by a temperature.
func calibrateNet(n *nn.Net, temperature float64) (*nn.Net, error) {
	params := slices.Clone(n.Params())
	layers := n.Layers()
	head := params[len(params)-len(layers[len(layers)-1].W):]
	for i := range head {
		head[i] = float32(float64(head[i]) / temperature)
	}
	return nn.FromParams(n.Spec, params)
}

// calibrateBoost makes the scores of boosted trees smaller by a temperature.
func calibrateBoost(m *boost, temperature float64) {
	scale := func(v []float32) {
		for i := range v {
			v[i] = float32(float64(v[i]) / temperature)
		}
	}
	scale(m.base)
	for i := range m.trees {
		scale(m.trees[i].values)
	}
}
