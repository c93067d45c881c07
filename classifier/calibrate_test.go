package classifier

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/exact"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/stat"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/need"
)

func TestTemperKeepsThePredictionAndIsInvertible(t *testing.T) {
	for _, temperature := range []float64{0.4, 1, 2.5} {
		p := []float32{0.05, 0.6, 0.3, 0.05}
		model.Temper(p, 1/temperature)
		if stat.Argmax(p) != 1 || math.Abs(float64(p[0]+p[1]+p[2]+p[3])-1) > 1e-6 || (temperature > 1) != (p[1] < 0.6) && temperature != 1 {
			t.Errorf("temperature %v: %v", temperature, p)
		}
		model.Untemper(p, temperature)
		if math.Abs(float64(p[1])-0.6) > 1e-5 || math.Abs(float64(p[0])-0.05) > 1e-5 {
			t.Errorf("temperature %v undone: %v", temperature, p)
		}
	}
	for _, x := range []float64{1e-30, 1e-4, 0.3, 1, 7, 1e9} {
		if got := exact.LogFast(x); math.Abs(got-math.Log(x)) > 1e-12*max(1, math.Abs(got)) {
			t.Errorf("log %v is %v, not %v", x, got, math.Log(x))
		}
	}
}

// calibrated returns a model of each kind with the given temperature.
func calibrated(t *testing.T, temperature float64) []model.Model {
	t.Helper()
	c := &model.Calibration{Method: model.CalibrateTemperature, Temperature: temperature, Homes: 1, Packets: 1000}
	f, b := trees(t), boosted(t)
	f.SetCalibration(c)
	b.SetCalibration(c)
	n := mustTrain(t, exchangeCorpus(4, 800, neural.InputsPaper, false), neuralOptions(model.KindLSTM, 3))
	if err := n.SetCalibration(c); err != nil {
		t.Fatal(err)
	}
	return []model.Model{f, b, n}
}

// The temperature is applied when packets are labelled and is stored in the model file; the result equals tempering an uncalibrated model.
func TestCalibrationIsAppliedAndStored(t *testing.T) {
	const temperature = 1.7
	plain := []model.Model{trees(t), boosted(t), mustTrain(t, exchangeCorpus(4, 800, neural.InputsPaper, false), neuralOptions(model.KindLSTM, 3))}
	for i, m := range calibrated(t, temperature) {
		kind := m.Meta().Kind
		loaded, err := Load(saved(t, m))
		if err != nil {
			t.Fatal(err)
		}
		if c := loaded.Meta().Calibration; c == nil || c.Temperature != temperature {
			t.Errorf("%s: %+v", kind, c)
		}
		a, b, l := plain[i].Stream(), m.Stream(), loaded.Stream()
		want, got, again := make([]float32, len(m.Classes())), make([]float32, len(m.Classes())), make([]float32, len(m.Classes()))
		exchanges(9, 200, func(o *dataset.Observation, _ int16) {
			a.Step(o, want)
			b.Step(o, got)
			l.Step(o, again)
			if !slices.Equal(got, again) {
				t.Fatalf("%s: the loaded model gives other probabilities", kind)
			}
			model.Temper(want, 1/temperature)
			for c := range want {
				if want[c] > 0.01 && math.Abs(float64(want[c]-got[c])) > 2e-3 {
					t.Fatalf("%s: %v, not %v", kind, got, want)
				}
			}
		})
	}
}

func TestExportedCalibrationAgreesWithONNXRuntime(t *testing.T) {
	env := need.NPM(t, "onnxruntime-node")
	m := calibrated(t, 1.7)[0].(*model.Trees)
	x, _ := classifiertest.Clusters(300, 6, 0, 5)
	x = x[:len(x)/len(m.Meta().Features)*len(m.Meta().Features)]
	var want []float32
	probs := make([]float32, len(m.Meta().Classes))
	for at := 0; at < len(x); at += len(m.Meta().Features) {
		m.Predictor().Predict(x[at:at+len(m.Meta().Features)], probs)
		model.Temper(probs, m.Power())
		want = append(want, probs...)
	}
	labels, got := runONNX(t, env, m, x)
	agree(t, m, labels, got, want)
}

// Version 1 is read; later versions and invalid calibrations are rejected.
func TestModelFileVersions(t *testing.T) {
	reseal := func(b []byte) []byte {
		b = b[:len(b)-sha256.Size]
		sum := sha256.Sum256(b)
		return append(b, sum[:]...)
	}
	b := saved(t, trees(t))
	old := reseal(append([]byte(model.FirstMagic), b[len(model.ModelMagic):]...))
	if m, err := Load(old); err != nil || m.Meta().Calibration != nil {
		t.Errorf("a file of version 1: %v", err)
	}
	if _, err := Load(append([]byte(model.AnyMagic+"3\n"), b[len(model.ModelMagic):]...)); !errors.Is(err, tree.ErrNotModel) || !strings.Contains(err.Error(), "versions 1 and 2") {
		t.Errorf("a file of version 3: %v", err)
	}
	m := trees(t)
	for _, c := range []model.Calibration{{Method: "guess", Temperature: 1}, {Method: model.CalibrateTemperature}, {Method: model.CalibrateTemperature, Temperature: 1e9}} {
		m.Meta().Calibration = &c
		if _, err := Load(bytes.Clone(saved(t, m))); !errors.Is(err, tree.ErrNotModel) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
