// Package reproduce repeats experiments of the paper behind the project on emulated homes, and sets the paper's known results
// beside ours.
//
// Each step leaves a file behind, and a run that was stopped goes on after the last one. Nothing is tuned to the paper's
// results: the profiles' digest is written down before the first home is lived. Called by the command line.
package reproduce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"glasshouse/classifier/neural"
	"glasshouse/classifier/score"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/devices/catalogue"
	"glasshouse/devices/draw"
	"glasshouse/scenarios"
	"glasshouse/testbed/buildinfo"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
)

// Environments of the paper's experiment.
const (
	EnvSingle = "single" // one IoT device a home: nothing interleaves
	EnvIoT    = "iot"    // IoT devices together
	EnvNoisy  = "noisy"  // with phones and tablets
)

// HomeMoleOptions say how much of the experiment is run. They are kept with the results: a directory holds one experiment.
type HomeMoleOptions struct {
	Seed     uint64        `json:"seed"`
	Kinds    []string      `json:"models"`
	Learn    int           `json:"learn_homes"`  // of each environment and path; in "single", of each device
	Unseen   int           `json:"unseen_homes"` // likewise
	Duration time.Duration `json:"duration_ns"`  // of each home
	Epochs   int           `json:"epochs"`       // of neural models, at most; of few packets more: see epochs

	// TimeScale is how often people act, relative to life; 0 = as the scenarios say.
	TimeScale float64 `json:"time_scale"`

	Out     string            `json:"-"`
	Workers int               `json:"-"`
	Tell    func(line string) `json:"-"` // progress
	Now     func() time.Time  `json:"-"` // wall time, to say how long things took
}

// HomeMoleTimeScale is how often people act in the experiment's homes, relative to life: an hour of a home at life's rate has too few
// user actions for models to train and be scored on.
const HomeMoleTimeScale = 3

// Cell is one model in one environment on one path.
type Cell struct {
	Environment string       `json:"environment"`
	Path        string       `json:"path"`
	Model       string       `json:"model"`
	Learned     int          `json:"learned_packets"`
	TrainS      float64      `json:"train_s"`
	Version     string       `json:"version"` // of Glasshouse, when the model was trained
	Score       *score.Score `json:"score"`
}

// HomeMole is the experiment's result.
type HomeMole struct {
	Options  HomeMoleOptions   `json:"options"`
	Profiles string            `json:"profiles_digest"` // SHA-256 over the profiles of all devices, before the experiment
	Made     map[string]string `json:"versions"`        // of Glasshouse, when the result was put together
	Cells    []Cell            `json:"cells"`
	Findings []Finding         `json:"findings"`
	WallS    float64           `json:"wall_s"` // of this call
}

// ErrOther means that a directory holds another experiment.
var ErrOther = errors.New("holds another experiment")

const (
	fileOptions = "options.json"
	fileResult  = "homemole.json"
	unseenSeed  = 1 << 32 // added to the seed: other homes of the same generator
)

// RunHomeMole runs the experiment, or what is left of it.
func RunHomeMole(ctx context.Context, o HomeMoleOptions) (*HomeMole, error) {
	began := o.Now()
	r := &HomeMole{Options: o, Made: buildinfo.Versions()}
	var err error
	if r.Profiles, err = catalogue.Digest(); err != nil {
		return nil, err
	}
	if err := claim(&o, r.Profiles); err != nil {
		return nil, err
	}
	for _, env := range []string{EnvSingle, EnvIoT, EnvNoisy} {
		for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
			cells, err := o.cells(ctx, env, path)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", env, path, err)
			}
			r.Cells = append(r.Cells, cells...)
		}
	}
	r.Findings = findings(r.Cells)
	r.WallS = o.Now().Sub(began).Seconds()
	return r, writeJSON(filepath.Join(o.Out, fileResult), r)
}

// claim takes a directory for an experiment, or finds the same one in it.
func claim(o *HomeMoleOptions, profiles string) error {
	return claimDir(o.Out, struct {
		*HomeMoleOptions
		Profiles string `json:"profiles_digest"`
	}{o, profiles})
}

// cells runs all models in one environment on one path.
func (o *HomeMoleOptions) cells(ctx context.Context, env string, path scenarios.Path) ([]Cell, error) {
	dir := filepath.Join(o.Out, env+"-"+string(path))
	out := make([]Cell, len(o.Kinds))
	open := false
	for i, kind := range o.Kinds {
		out[i] = Cell{Environment: env, Path: string(path), Model: kind}
		open = readJSON(filepath.Join(dir, kind+".json"), &out[i]) != nil || open
	}
	if !open {
		return out, nil
	}
	learn, err := o.homes(ctx, filepath.Join(dir, "learn"), env, path, o.Seed, o.Learn)
	if err != nil {
		return nil, err
	}
	unseen, err := o.homes(ctx, filepath.Join(dir, "unseen"), env, path, o.Seed+unseenSeed, o.Unseen)
	if err != nil {
		return nil, err
	}
	if err := score.CheckApart(learn, unseen); err != nil {
		return nil, err
	}
	for i, kind := range o.Kinds {
		if out[i].Score != nil {
			continue
		}
		if err := o.judge(ctx, &out[i], filepath.Join(dir, kind), learn, unseen); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
	}
	return out, nil
}

// judge trains a model and scores it.
func (o *HomeMoleOptions) judge(ctx context.Context, c *Cell, file string, learn, unseen []*dataset.Dataset) error {
	began := o.Now()
	m, err := train.Train(ctx, learn, train.Options{
		Kind: c.Model, Seed: o.Seed, Forest: tree.ForestOptions{Workers: o.Workers}, Boost: tree.BoostOptions{Workers: o.Workers},
		Neural: neural.Options{Workers: o.Workers, Epochs: o.epochs(learn), Checkpoint: file + ".checkpoint"},
	})
	if err != nil {
		return err
	}
	_ = os.Remove(file + ".checkpoint") // there is none of trees
	c.Version = buildinfo.Version()
	c.Learned, c.TrainS = m.Meta().Packets, o.Now().Sub(began).Seconds()
	if c.Score, err = score.Evaluate(m, unseen, nil); err != nil {
		return err
	}
	o.Tell(fmt.Sprintf("%s, %s, %s: learned from %d packets in %.0f s, right %.1f %% of %d", c.Environment, c.Path, c.Model, c.Learned, c.TrainS, 100*c.Score.Accuracy, c.Score.N))
	return writeJSON(file+".json", c)
}

// Neural models go through few packets more often: until they have seen so many, or so many times.
const (
	seenAtLeast = 450_000
	mostEpochs  = 10
)

// epochs is how often neural models go through homes.
func (o *HomeMoleOptions) epochs(learn []*dataset.Dataset) int { return Epochs(o.Epochs, learn) }

// Epochs is how often a neural model goes through homes: least times, and more where they have few packets.
func Epochs(least int, learn []*dataset.Dataset) int {
	packets := 1
	for _, d := range learn {
		for _, h := range d.Manifest.Homes {
			packets += int(h.Packets)
		}
	}
	return EpochsOf(least, packets)
}

// EpochsOf is the same of so many packets.
func EpochsOf(least, packets int) int {
	return max(least, min(mostEpochs, (seenAtLeast+packets-1)/max(packets, 1)))
}

// homes lives the homes of an environment; what is there is left alone.
func (o *HomeMoleOptions) homes(ctx context.Context, dir, env string, path scenarios.Path, seed uint64, n int) ([]*dataset.Dataset, error) {
	list, err := environment(env, path)
	if err != nil {
		return nil, err
	}
	var out []*dataset.Dataset
	for _, sc := range list {
		at := filepath.Join(dir, sc.Name)
		if _, err := generate.Homes(ctx, generate.Options{
			Scenario: sc, Seed: seed, Homes: n, Duration: o.Duration, TimeScale: o.TimeScale, Workers: o.Workers, Shard: 1, Of: 1, Out: at,
			Captures: dataset.CapturesNone,
		}); err != nil {
			return nil, err
		}
		d, err := dataset.Open(at)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// environment lists the scenarios of an environment: one, or one for each IoT device of the paper that there is.
func environment(env string, path scenarios.Path) ([]*scenarios.Scenario, error) {
	if env != EnvSingle {
		sc, err := scenarios.Load(env + "-" + string(path))
		return []*scenarios.Scenario{sc}, err
	}
	together, err := scenarios.Load(EnvIoT + "-" + string(path))
	if err != nil {
		return nil, err
	}
	var out []*scenarios.Scenario
	for _, p := range together.Profiles() {
		one := *together
		one.Name, one.About = "single-"+p.Device+"-"+string(path), "One device alone: "+p.Device+"."
		one.Household.AtLeast, one.Household.PhonesAtLeast = 1, 0
		one.Devices = slices.DeleteFunc(slices.Clone(together.Devices), func(e scenarios.Entry) bool { return e.Profile.Device != p.Device })
		for i := range one.Devices {
			one.Devices[i].Present, one.Devices[i].Units = 1e6, draw.Range{Min: 1, Max: 1}
		}
		out = append(out, &one)
	}
	return out, nil
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// writeJSON writes a file that is whole or not there.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return dataset.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}
