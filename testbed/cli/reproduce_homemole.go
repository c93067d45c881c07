package cli

import (
	"context"
	"errors"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/classifier/model"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/reproduce"
)

type homemoleOptions struct {
	out      string
	quick    bool
	models   []string
	homes    int
	duration time.Duration
	scale    float64
	seed     seedFlag
	json     bool
}

func newReproduceHomemole() *cobra.Command {
	var o homemoleOptions
	cmd := &cobra.Command{
		Use:   "homemole -o DIR",
		Short: "Repeat the paper's experiment with each model and path",
		Long: `Simulates homes in the virtual world, trains each model on some and scores it on others, in three environments (one device per home;
IoT devices; IoT devices, phones and tablets) behind NAPT and behind WireGuard, and prints the results beside those reported in
the paper (arXiv 1909.00104): the order of its models, its Hamming loss, what the VPN cost, which devices were weakest. The
paper's table of accuracies is not included. The same command resumes a run that was stopped.`,
		Example: `  glasshouse reproduce homemole -o homemole --seed 1
  glasshouse reproduce homemole -o first-look --quick --seed 1
  glasshouse reproduce homemole -o trees --models forest,boost --homes 20 --duration 1h --seed 1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runHomemole(cmd.Context(), &o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "`DIR` of homes and results: new, empty, or of the same experiment (required)")
	f.BoolVar(&o.quick, "quick", false, "fewer and shorter homes, a first look")
	f.StringSliceVar(&o.models, "models", []string{"forest", "lstm", "bilstm", "tcn"}, "`KINDS` of model")
	f.IntVar(&o.homes, "homes", 0, "test homes of each environment and path; there are 1.5 times as many training homes (default 10, with --quick 4)")
	f.Var(durationFlag{&o.duration}, "duration", "how long each home is simulated (default 90m, with --quick 30m)")
	f.Float64Var(&o.scale, "time-scale", reproduce.HomeMoleTimeScale, "rate of user actions, relative to the normal rate; protocol timers are never scaled")
	o.seed.add(cmd)
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func runHomemole(ctx context.Context, o *homemoleOptions, stdout, stderr io.Writer) error {
	switch {
	case o.out == "":
		return usagef("-o DIR is missing: the directory for homes and results")
	case o.homes < 0 || o.homes == 1:
		return usagef("--homes %d: 2 or more", o.homes)
	}
	if err := checkTimeScale(o.scale); err != nil {
		return usage(err)
	}
	for _, m := range o.models {
		if err := checkName("--models", m, model.Kinds()); err != nil {
			return err
		}
	}
	e := reproduce.HomeMoleOptions{
		Seed: o.seed.get(), Kinds: o.models, Unseen: 10, Duration: 90 * time.Minute, TimeScale: o.scale, Epochs: 5, Out: o.out,
		Workers: runtime.NumCPU(), Now: time.Now,
	}
	if o.quick {
		e.Unseen, e.Duration, e.Epochs = 4, 30*time.Minute, 2
	}
	if o.homes > 0 {
		e.Unseen = o.homes
	}
	if o.duration > 0 {
		e.Duration = o.duration
	}
	e.Learn = e.Unseen + (e.Unseen+1)/2
	began := time.Now()
	bar := newProgress(stderr)
	bar.announce("seed %d", e.Seed)
	e.Tell = func(line string) { bar.result("%s: %s", time.Since(began).Round(time.Second), line) }
	r, err := reproduce.RunHomeMole(ctx, e)
	if errors.Is(err, reproduce.ErrOther) || errors.Is(err, dataset.ErrOccupied) {
		err = usage(err)
	}
	bar.done(err)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(stdout, r)
	}
	return r.Write(stdout)
}
