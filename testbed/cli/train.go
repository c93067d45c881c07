package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/plain"
)

type trainOptions struct {
	kind    string
	out     string
	classes string
	feats   string
	window  int
	seed    seedFlag
	json    bool
	unknown float64
	neural  neural.Options
}

func newTrain() *cobra.Command {
	var o trainOptions
	cmd := &cobra.Command{
		Use:   "train DATASET...",
		Short: "Train a model on datasets",
		Long: `Trains a model on the homes of datasets. Its input is what an observer on the WAN sees (port, protocol, direction,
length, interval), and the labels. Start-up and the gateway's own packets are left out. Features that are constant, as the
port is behind a tunnel, are dropped. Kinds of model:

  forest   random forest
  boost    gradient-boosted trees
  lstm     the paper's: 2 layers of 64 units; sees the past
  bilstm   the paper's, both directions: a label is available 63 packets later
  tcn      temporal convolution: sees 63 packets in both directions, and the time since packets of the same length

All kinds can also use the sequence of packets (--features sequence): bursts, the time since a packet of the same length,
the lengths before, counts over the last packets; tcn always does. Trees can also use the flow that a packet belongs to
(--features flow): its age, its first packet, the lengths before. Behind a tunnel there is one flow, and this adds nothing.

Probabilities are calibrated by a temperature (Guo et al. 2017), fitted on every sixth home of the training data: neural models are
not trained on these, and for trees a smaller model is trained without them. The predicted classes do not change; ` + "`score`" + ` reports the
calibration error.

With --unknown the model labels packets "unknown" that seem to come from a device outside its training data. The detector is fitted on
held-out homes, in which each class in turn is treated as unknown; for trees, a third of the homes is then held out. --unknown=0.1 accepts
that one known packet in ten is labelled unknown (the = is required). With too little training data the model never predicts "unknown":
this is reported by a warning, and by "tells_unknown" in the JSON.

Neural models stop when their loss on the held-out homes stops improving. After each epoch their state is written to
MODEL.checkpoint; the same command resumes from it.`,
		Example: `  glasshouse train home1 home2 home3 -m forest -o napt.model
  glasshouse train runs/* -m forest --classes category -o kinds.model --json
  glasshouse train learn -m boost --features sequence -o vpn.model
  glasshouse train learn -m tcn -o vpn.model
  glasshouse train learn -m forest --unknown -o wary.model
  glasshouse train learn -m boost --unknown=0.1 -o warier.model
  glasshouse train learn -m lstm --units 128 --dropout 0.2 --epochs 20 -o wide.model`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: completeDatasets(0, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runTrain(cmd.Context(), &o, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.kind, "model", "m", "forest", "`KIND` of model: "+strings.Join(model.Kinds(), ", "))
	_ = f.SetAnnotation("model", givenOnly, []string{}) // a file elsewhere: `run --model`
	f.StringVarP(&o.out, "output", "o", "", "`FILE` of the model (required)")
	f.StringVar(&o.classes, "classes", model.ClassPaper, "label to predict: "+strings.Join(model.ClassModes(), ", "))
	f.StringVar(&o.feats, "features", feature.Paper, "features that a model uses: paper (HomeMole's eleven numbers), onehot (one feature for each of the 50 most used ports), sequence (the eleven and the sequence of packets), flow (those and the flow that a packet belongs to)")
	f.IntVar(&o.window, "window", 100, "`PACKETS` of a window, for the score of device presence")
	f.Float64Var(&o.unknown, "unknown", 0, "label unknown devices \"unknown\"; `SHARE` of the known packets that may be labelled so, as in --unknown=0.1 (0.05 if none is given)")
	f.Lookup("unknown").NoOptDefVal = fmt.Sprint(train.DefaultFalseUnknown)
	o.seed.add(cmd)
	addNeural(f, &o.neural)
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	completeFlag(cmd, "model", model.Kinds())
	completeFlag(cmd, "classes", model.ClassModes())
	completeFlag(cmd, "features", feature.Sets())
	return cmd
}

// stoppable is a dataset whose reading ends with a context.
func stoppable(ctx context.Context, d *dataset.Dataset) *dataset.Dataset {
	return d.Watched(func(int64) error { return ctx.Err() })
}

// openSets opens datasets that are complete and have no home in common: a test or held-out home must not be in the training data under
// another name. Changed rows are only reported: they may have been changed on purpose.
func openSets(dirs []string, stderr io.Writer) ([]*dataset.Dataset, error) {
	var sets []*dataset.Dataset
	for _, dir := range dirs {
		d, err := dataset.Open(dir)
		if err != nil {
			return nil, usage(err)
		}
		if d.Manifest.State == dataset.StateRunning {
			return nil, usagef("%s: its run did not end; `glasshouse dataset verify --repair %s` repairs it", dir, dir)
		}
		sets = append(sets, d)
	}
	if err := dataset.CheckTwice(sets); err != nil {
		return nil, usage(err)
	}
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			if err := d.CheckFiles(h.Home, dataset.FilePackets); err != nil {
				fmt.Fprintf(stderr, "warning: %v\n", err)
			}
		}
	}
	return sets, nil
}

// openStoppable is openSets; the reading of the sets ends with a context.
func openStoppable(ctx context.Context, dirs []string, stderr io.Writer) ([]*dataset.Dataset, error) {
	sets, err := openSets(dirs, stderr)
	if err != nil {
		return nil, err
	}
	for i, d := range sets {
		sets[i] = stoppable(ctx, d)
	}
	return sets, ctx.Err()
}

func runTrain(ctx context.Context, o *trainOptions, dirs []string, stdout, stderr io.Writer) error {
	switch {
	case o.out == "":
		return usagef("-o FILE is missing: the file of the model")
	case o.window < 1:
		return usagef("--window must be 1 or more")
	case !(o.unknown >= 0 && o.unknown <= 0.5):
		return usagef("--unknown=%v: allowed: a share from 0 to 0.5", o.unknown)
	}
	if err := errors.Join(checkName("-m", o.kind, model.Kinds()), checkName("--classes", o.classes, model.ClassModes()),
		checkName("--features", o.feats, feature.Sets()), checkNeural(&o.neural)); err != nil {
		return err
	}
	if err := checkModelPath(o.out); err != nil {
		return usage(err)
	}
	sets, err := openStoppable(ctx, dirs, stderr)
	if err != nil {
		return o.kept(err)
	}
	began, bar := time.Now(), newProgress(stderr)
	o.neural.Workers, o.neural.Checkpoint, o.neural.Progress = runtime.NumCPU(), absolute(o.out)+".checkpoint", neuralProgress(bar)
	bar.announce("%s on %s, seed %d", o.kind, plain.Count(len(sets), "dataset"), o.seed.get())
	bar.open()
	m, err := train.Train(ctx, sets, train.Options{
		Kind: o.kind, Classes: o.classes, Features: o.feats, Window: o.window, Seed: o.seed.get(),
		Forest: tree.ForestOptions{Workers: runtime.NumCPU()},
		Boost:  tree.BoostOptions{Workers: runtime.NumCPU()},
		Neural: o.neural, Unknown: o.unknown, Activities: true, Progress: bar.phases,
	})
	bar.done(err)
	if err != nil {
		return o.kept(err)
	}
	if err := saveModel(m, o.out); err != nil {
		return err
	}
	_ = os.Remove(o.neural.Checkpoint) // there is none of a forest
	meta := m.Meta()
	if o.unknown > 0 {
		warnUnknown(stderr, meta)
	}
	if o.json {
		return writeJSON(stdout, map[string]any{
			"tells_unknown": meta.DetectsUnknown(),
			"model":         o.out, "kind": meta.Kind, "classes": meta.Classes, "features": meta.Features, "packets": meta.Packets, "homes": len(meta.TrainedOn),
			"path": meta.Path, "seed": meta.Seed, "wall_s": time.Since(began).Seconds(),
		})
	}
	fmt.Fprintf(stdout, "%s: %s, %s of %s (%s), classes %s\n", o.out, meta.Kind, plain.Count(meta.Packets, "packet"),
		plain.Count(len(meta.TrainedOn), "home"), meta.Path, strings.Join(meta.Classes, " "))
	return nil
}

// kept adds to the error of a stopped training what it leaves behind.
func (o *trainOptions) kept(err error) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	if _, e := os.Stat(o.neural.Checkpoint); e == nil {
		return fmt.Errorf("%w; the same command resumes from %s", err, o.neural.Checkpoint)
	}
	return fmt.Errorf("%w; no model was written", err)
}

// warnUnknown reports what a model with --unknown has too little training data for.
func warnUnknown(w io.Writer, m *model.Meta) {
	switch {
	case !m.DetectsUnknown():
		fmt.Fprintln(w, "--unknown: too few packets or homes to detect unknown devices: the model never predicts \"unknown\"")
	case m.Unknown.Window >= 1:
		fmt.Fprintf(w, "--unknown: too few windows of %d packets to detect unknown ones: the model labels packets unknown, never a window\n", m.WindowPackets())
	}
}

// checkModelPath checks before the work whether a model can be written there; it leaves nothing behind.
func checkModelPath(path string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return fmt.Errorf("%s is a directory; -o names the model's file", path)
	}
	return checkFilePath(path)
}

// checkFilePath checks before the work whether a file can be written there; it leaves nothing behind.
func checkFilePath(path string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return fmt.Errorf("%s is a directory; a file is needed", path)
	}
	dir := filepath.Dir(absolute(path))
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return fmt.Errorf("%s: there is no directory %s", path, dir)
	}
	f, err := os.CreateTemp(dir, ".glasshouse-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	_ = f.Close()
	return os.Remove(f.Name())
}

// saveModel writes a model to a new file, and puts it in its place when it is whole.
func saveModel(m model.Model, path string) error { return dataset.WriteFile(path, m.Save) }
