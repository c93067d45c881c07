package parts

import (
	"context"
	"fmt"
	"slices"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/score"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/reproduce"
	"glasshouse/testbed/reproduce/results"
)

// trainCost is how many processor seconds a model of a kind takes for each home-hour that trains it, a neural one for each epoch, too;
// testCost for each that it is tested on. They are what quick runs took.
var trainCost = map[string]float64{"forest": 4, "boost": 20, "lstm": 2.5, "bilstm": 5.5, "tcn": 3}

const (
	sequenceCost   = 1.5 // that the sequence's features take, of the paper's
	testCost       = 1
	packetsPerHour = 110_000 // of a noisy home
)

// cost estimates the processor seconds of a model.
func (b *Budget) cost(kind, features string, trained, tested float64) float64 {
	c := trainCost[kind] * trained
	if slices.Contains(model.NeuralKinds(), kind) {
		c *= float64(reproduce.EpochsOf(b.Epochs, int(packetsPerHour*trained)))
	}
	if features == feature.Sequence {
		c *= sequenceCost
	}
	return c + testCost*tested
}

// entry is one row of the models' table.
type entry struct {
	Model    string           `json:"model"`
	Features string           `json:"features"`
	Packets  int              `json:"train_packets"`
	TrainS   []float64        `json:"train_s"`
	Pooled   *score.Pooled    `json:"pooled"` // of all seeds
	Against  *score.Loss      `json:"against_first,omitempty"`
	Trust    []*score.Trust   `json:"trust"` // of each seed
	Presence []score.Presence `json:"presence"`
	Baseline score.Baselines  `json:"baseline"`
	scores   []*score.Score
}

// entries lists the models of a budget: trees with the paper's features, and with the sequence's, too.
func (b *Budget) entries() []entry {
	var out []entry
	for _, k := range b.Kinds {
		out = append(out, entry{Model: k, Features: feature.Paper})
	}
	for _, k := range b.Kinds {
		if !slices.Contains(model.NeuralKinds(), k) {
			out = append(out, entry{Model: k, Features: feature.Sequence})
		}
	}
	return out
}

func models(e *Env, path scenarios.Path) spec {
	cpu := 0.0
	for _, x := range e.entries() {
		cpu += e.cost(x.Model, x.Features, e.hours(e.train(), e.Duration), e.hours(e.Homes, e.Duration))
	}
	return spec{
		name: "models-" + string(path), title: "Models on unseen homes behind " + pathTitle(path), options: e.Budget,
		measures: fmt.Sprintf("Each model labels every packet of %s of %s behind %s with the device that sent or received it (ten IoT "+
			"devices, or "+
			"\"noise\" for phones and tablets). It was trained on %s other homes of the same scenario, noisy-%s, in which people act %d times "+
			"as often as in "+
			"life. Figures are means over %s. Beside them stand baselines that any model must beat. The second table compares models on the "+
			"same homes, the third says "+
			"what the models' probabilities are worth with and without calibration.",
			plural(e.Homes, "unseen home"), e.Duration, pathTitle(path), fmt.Sprint(e.train()), path, timeScale, plural(e.Seeds,
				"model")+" of each kind"),
		cpu: cpu * float64(e.Seeds),
		run: func(ctx context.Context, e *Env, dir string) (*results.Content, error) {
			return runModels(ctx, e, dir, path)
		},
	}
}

func runModels(ctx context.Context, e *Env, dir string, path scenarios.Path) (*results.Content, error) {
	h, err := e.homesOf(ctx, dir, path, e.Duration)
	if err != nil {
		return nil, err
	}
	entries := e.entries()
	for i := range entries {
		x := &entries[i]
		for s := range e.Seeds {
			if err := x.add(ctx, e, h, e.Seed+uint64(s)); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", x.Model, x.Features, err)
			}
		}
		if x.Pooled, err = score.Pool(x.scores); err != nil {
			return nil, err
		}
		if i > 0 {
			if x.Against, err = score.LossOf(x.scores, entries[0].scores, true); err != nil {
				return nil, err
			}
		}
	}
	return modelsContent(entries, h.test), nil
}

// add trains and scores one more model.
func (x *entry) add(ctx context.Context, e *Env, h *homes, seed uint64) error {
	began := e.Now()
	m, err := e.fit(ctx, h.train, x.Model, x.Features, seed)
	if err != nil {
		return err
	}
	took := e.Now().Sub(began).Seconds()
	s, err := score.Evaluate(m, h.test, nil)
	if err != nil {
		return err
	}
	e.Tell(fmt.Sprintf("%s, %s features, seed %d: trained in %.0f s, %.1f %% of %d packets right", x.Model, x.Features, seed, took,
		100*s.Accuracy, s.N))
	x.Packets, x.TrainS, x.scores = m.Meta().Packets, append(x.TrainS, took), append(x.scores, s)
	x.Trust, x.Presence, x.Baseline = append(x.Trust, s.Trust), append(x.Presence, s.Presence), s.Baseline
	return nil
}

func modelsContent(entries []entry, test []*dataset.Dataset) *results.Content {
	first := &entries[0]
	figures := results.Table{Columns: []string{
		"model", "features", "accuracy, %", "balanced accuracy, %", "macro-F1",
		"Hamming loss of presence", "training, s",
	}}
	p := first.Presence[0]
	figures.Rows = append(figures.Rows,
		[]string{"majority-class baseline", "", fmt.Sprintf("%.1f", 100*first.Baseline.Majority.Accuracy), "", fmt.Sprintf("%.3f",
			first.Baseline.Majority.MacroF1), "", ""},
		[]string{"packet-length baseline", "", fmt.Sprintf("%.1f", 100*first.Baseline.LengthLookup.Accuracy), "", fmt.Sprintf("%.3f",
			first.Baseline.LengthLookup.MacroF1), "", ""},
		[]string{"all-absent baseline", "", "", "", "", fmt.Sprintf("%.3f", p.BaselineAbsent), ""},
		[]string{"best constant set of devices", "", "", "", "", fmt.Sprintf("%.3f", p.BaselineConstant), ""})
	pairs := results.Table{
		Title:   fmt.Sprintf("What each model has more than the %s with the paper's features, on the same homes, in points.", first.Model),
		Columns: []string{"model", "features", "accuracy", "balanced accuracy", "macro-F1"},
	}
	trust := results.Table{
		Title: "Probabilities: expected calibration error over 15 bins, and log loss, without and with calibration (a temperature fitted on " +
			"homes held back from training).",
		Columns: []string{
			"model", "features", "calibration error without", "with", "log loss without", "with",
		},
	}
	for i := range entries {
		x := &entries[i]
		figures.Rows = append(figures.Rows, []string{
			x.Model, x.Features, percent(x.Pooled.Accuracy), percent(x.Pooled.Balanced), share(x.Pooled.MacroF1), share(x.Pooled.Hamming),
			fmt.Sprintf("%.0f", mean(x.TrainS)),
		})
		if x.Against != nil {
			pairs.Rows = append(pairs.Rows, []string{
				x.Model, x.Features, points(x.Against.Accuracy), points(x.Against.Balanced),
				points(x.Against.MacroF1),
			})
		}
		trust.Rows = append(trust.Rows, append([]string{x.Model, x.Features}, trusts(x.Trust)...))
	}
	c := &results.Content{Tables: []results.Table{figures}, Data: entries}
	if len(pairs.Rows) > 0 {
		c.Tables = append(c.Tables, pairs)
	}
	c.Tables = append(c.Tables, trust)
	c.Notes = append(c.Notes, fmt.Sprintf("%d packets of %s were scored; models were trained on %d.", first.Pooled.Packets,
		plural(first.Pooled.Homes, "home"), first.Packets))
	c.Notes = append(c.Notes, caution(len(test[0].Manifest.Homes))...)
	return c
}

// points writes a difference in points.
func points(d score.Difference) string {
	return withInterval(100*d.Mean, d.Interval, "%+.1f", 100)
}

// trusts are calibration errors and log losses without and with calibration, as means over models that have them.
func trusts(all []*score.Trust) []string {
	var v [4][]float64
	for _, t := range all {
		if t == nil {
			continue
		}
		if t.Before != nil {
			v[0], v[2] = append(v[0], t.Before.CalibrationError), append(v[2], t.Before.LogLoss)
		}
		v[1], v[3] = append(v[1], t.CalibrationError), append(v[3], t.LogLoss)
	}
	out := make([]string, len(v))
	for i := range v {
		if out[i] = "-"; len(v[i]) > 0 {
			out[i] = fmt.Sprintf("%.3f", mean(v[i]))
		}
	}
	return out
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(max(len(v), 1))
}
