package train

import (
	"context"
	"errors"
	"testing"

	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/score"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Each phase begins at 0, does not decrease, and ends at its announced total.
func TestTrainProgress(t *testing.T) {
	sets := []*dataset.Dataset{classifiertest.Village(t, "napt", "virtual", 4)}
	for _, c := range []struct {
		name   string
		o      Options
		phases []string
	}{
		{"forest", Options{Kind: model.KindForest, Activities: true}, []string{PhaseRead, PhaseTrain, PhaseHeldBack, PhaseCalibrate, PhaseActivities}},
		{"boost", Options{Kind: model.KindBoost, Features: feature.OneHot, Boost: tree.BoostOptions{Rounds: 8}}, []string{PhaseRead, PhaseTrain, PhaseHeldBack, PhaseCalibrate}},
		{"unknown", Options{Kind: model.KindForest, Unknown: 0.1}, []string{PhaseRead, PhaseTrain, PhaseHeldBack, PhaseCalibrate, PhaseSignatures, PhaseUnknown}},
		{"neural", Options{Kind: model.KindTCN, Neural: neural.Options{Units: 16, Layers: 1, Epochs: 1}}, []string{PhaseRead, PhaseTrain, PhaseCalibrate}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var reports []Progress
			c.o.Progress = func(p Progress) {
				if n := len(reports); n > 0 && reports[n-1].Phase == p.Phase {
					if p.Done < reports[n-1].Done || p.Done > p.Of {
						t.Errorf("%v follows %v", p, reports[n-1])
					}
					reports[n-1] = p
					return
				}
				if p.Done != 0 {
					t.Errorf("phase starts at %v, not at 0", p)
				}
				reports = append(reports, p)
			}
			if _, err := Train(t.Context(), sets, c.o); err != nil {
				t.Fatal(err)
			}
			var phases []string
			for _, p := range reports {
				phases = append(phases, p.Phase)
				if p.Phase != PhaseUnknown && p.Done != p.Of || p.Of == 0 {
					t.Errorf("%s ends at %d of %d", p.Phase, p.Done, p.Of)
				}
			}
			if len(phases) != len(c.phases) {
				t.Fatalf("phases %q, want %q", phases, c.phases)
			}
			for i := range phases {
				if phases[i] != c.phases[i] {
					t.Errorf("phase %d is %s, want %s", i, phases[i], c.phases[i])
				}
			}
		})
	}
}

// An error of the watching function ends the reading.
func TestWatchedStops(t *testing.T) {
	d := classifiertest.Village(t, "napt", "virtual", 4)
	ctx, cancel := context.WithCancel(t.Context())
	m, err := Train(ctx, []*dataset.Dataset{d}, Options{Kind: model.KindForest, Uncalibrated: true})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := score.Evaluate(m, []*dataset.Dataset{d.Watched(func(int64) error { return ctx.Err() })}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the evaluation ends with %v", err)
	}
}
