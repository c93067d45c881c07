package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
)

// demoRecipe is how the model of a path is trained.
type demoRecipe struct {
	homes    int
	options  train.Options
	features string // for people
}

// recipeOf returns the recipe of a path. They were chosen on virtual homes of other seeds, of the demo's duration and time scale (30 test
// homes; median macro-F1 per home). Behind NAPT, HomeMole's eleven numbers gave 0.73 and the sequence 0.79, for the packets of one large
// transfer look like those of another; the flow tells them apart (1.00). Behind WireGuard, where there is one flow, leaves of 57 packets
// left out the plugs, which send ten packets a minute: 0.44 with the eleven numbers, 0.52 with the sequence and leaves of 3 packets, 0.63 with
// more features drawn per split, 0.68 with 100 homes. On ten live homes (the sixth score from below) 100 homes and leaves of two packets gave
// 0.59, 200 such homes 0.62, 150 homes and leaves of one packet 0.64. A temporal convolution of as much training gave 0.79 and 0.46 on the
// virtual homes.
func recipeOf(path string) demoRecipe {
	if path == "vpn" {
		return demoRecipe{homes: 150, features: "the sequence of packets", options: train.Options{
			Kind: model.KindForest, Features: feature.Sequence, Uncalibrated: true,
			Forest: tree.ForestOptions{Trees: 16, MinLeaf: 1, Draw: 16},
		}}
	}
	return demoRecipe{homes: 40, features: "the sequence of packets and their flows", options: train.Options{
		Kind: model.KindForest, Features: feature.Flow, Uncalibrated: true,
		Forest: tree.ForestOptions{Trees: 30, MinLeaf: 3},
	}}
}

// demoTraining makes the model of one path while the watched homes run.
type demoTraining struct {
	home   *demoHome
	recipe demoRecipe
	over   chan struct{}

	model               model.Model
	generated, training time.Duration
	err                 error
}

// train starts the trainings when the watched homes' processes are there. These are to keep their pace: a training has one core, and this
// process a lower priority.
func (d *demo) train(ctx context.Context, wait *sync.WaitGroup) {
	for _, h := range d.homes() {
		t := &demoTraining{home: h, recipe: recipeOf(h.name), over: make(chan struct{})}
		d.trainings[h.name] = t
	}
	wait.Go(func() {
		for _, h := range d.homes() {
			select {
			case <-h.begun:
			case <-ctx.Done():
			}
		}
		if d.world == "live" {
			lowerPriority()
		}
		for _, t := range d.trainings {
			wait.Go(func() {
				defer close(t.over)
				t.err = t.run(ctx, d)
			})
		}
	})
}

func (t *demoTraining) run(ctx context.Context, d *demo) error {
	began := time.Now()
	out := filepath.Join(d.dir, "train-"+t.home.name)
	// The seeds of training homes are far from the watched home's, which is one of those from the given seed on.
	res, err := generate.Homes(ctx, generate.Options{
		Scenario: t.home.sc, Seed: d.seed + 1_000_000, Homes: t.recipe.homes, Duration: demoWatched, Workers: 1, Shard: 1, Of: 1,
		Out: out, Captures: dataset.CapturesNone, TimeScale: demoTimeScale,
	})
	if err != nil {
		return err
	}
	if !res.Valid {
		return fmt.Errorf("%s: %s", out, strings.Join(res.Reasons, "; "))
	}
	t.generated = time.Since(began)
	sets, err := openSets([]string{out}, io.Discard)
	if err != nil {
		return err
	}
	o := t.recipe.options
	o.Seed = d.seed
	if t.model, err = train.Train(ctx, sets, o); err != nil {
		return err
	}
	t.training = time.Since(began) - t.generated
	return saveModel(t.model, filepath.Join(d.dir, t.home.name+".model"))
}

// trained waits for the model of a path, and says on stderr that it does.
func (s *scenes) trained(ctx context.Context, t *demoTraining) (model.Model, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-t.over:
			s.clear()
			return t.model, t.err
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
			s.status("  training the model for %s, %s", pathName(t.home.name), time.Since(began).Round(time.Second))
		}
	}
}

// pathName is the name of a path for people.
func pathName(path string) string {
	if path == "vpn" {
		return "WireGuard"
	}
	return "NAPT"
}
