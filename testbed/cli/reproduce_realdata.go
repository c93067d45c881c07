package cli

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/classifier/model"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/realdata"
	"glasshouse/testbed/reproduce"
)

type realdataOptions struct {
	out    string
	quick  bool
	models []string
	homes  []string
	seeds  int
	seed   seedFlag
	json   bool
}

func newReproduceRealdata() *cobra.Command {
	var o realdataOptions
	cmd := &cobra.Command{
		Use:   "realdata [CAPTURES] -o DIR",
		Short: "Score models of virtual homes on captures of real devices",
		Long: `Simulates virtual homes with the devices that have captures, trains models on some, and scores them on others and on the
real packets, behind NAPT and behind WireGuard. For comparison, a model trained on the first half of the real packets is scored on the
second half.

CAPTURES is the directory that the built-in lists look in (` + strings.Join(realdata.Library(), ", ") + `): published captures, which are not
part of this program. Missing ones are listed with their source. With --home you use your own list; see
"glasshouse dataset import --help" for its form, and for how real packets are turned into what a WAN observer sees: they are transformed, not
captured behind a NAPT or a tunnel. A list can configure the simulated homes: virtual: {duration: 1h, density: 1}.

A real home is one home: intervals are over its blocks of time, and do not generalise to other homes. The same command resumes
a run that was stopped.`,
		Example: `  glasshouse reproduce realdata captures -o realdata --seed 1
  glasshouse reproduce realdata captures -o first-look --quick --seed 1
  glasshouse reproduce realdata --home my-home.yaml -o mine --models forest,tcn --seed 1`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			captures := ""
			if len(args) > 0 {
				captures = args[0]
			}
			return runRealdata(cmd.Context(), &o, captures, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "`DIR` of homes and results: new, empty, or of the same experiment (required)")
	f.BoolVar(&o.quick, "quick", false, "fewer and shorter homes, one model of each kind: a first look")
	f.StringSliceVar(&o.models, "models", []string{"forest", "tcn"}, "`KINDS` of model")
	f.StringArrayVar(&o.homes, "home", nil, "a list of captures: a YAML `FILE`, or the name of a built-in one; can be repeated (default all built-in ones)")
	f.IntVar(&o.seeds, "seeds", 3, "models of each kind")
	o.seed.add(cmd)
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func runRealdata(ctx context.Context, o *realdataOptions, captures string, stdout, stderr io.Writer) error {
	switch {
	case o.out == "":
		return usagef("-o DIR is missing: the directory for homes and results")
	case o.seeds < 1 || o.seeds > 100:
		return usagef("--seeds %d: 1 to 100", o.seeds)
	case len(o.homes) == 0 && captures == "":
		return usagef("CAPTURES is missing: the directory of the captures for %s; or give --home with your own list", strings.Join(realdata.Library(), " and "))
	}
	for _, m := range o.models {
		if err := checkName("--models", m, model.Kinds()); err != nil {
			return err
		}
	}
	e := reproduce.RealDataOptions{
		Seed: o.seed.get(), Seeds: o.seeds, Kinds: o.models, Learn: 12, Unseen: 6, Short: 1, Epochs: 5, Blocks: 20, Out: o.out, Workers: runtime.NumCPU(), Now: time.Now,
	}
	if o.quick {
		e.Seeds, e.Learn, e.Unseen, e.Short, e.Epochs = 1, 4, 2, 4, 2
	}
	if len(o.homes) == 0 {
		o.homes = realdata.Library()
	}
	for _, name := range o.homes {
		h, err := realdata.Load(name, captures)
		if err != nil {
			return usage(err)
		}
		if slices.ContainsFunc(e.Homes, func(x *realdata.Home) bool { return x.Name == h.Name }) {
			return usagef("--home %s: a second home %q", name, h.Name)
		}
		e.Homes = append(e.Homes, h)
	}
	began := time.Now()
	bar := newProgress(stderr)
	bar.announce("seed %d", e.Seed)
	e.Tell = func(line string) { bar.result("%s: %s", time.Since(began).Round(time.Second), line) }
	r, err := reproduce.RunRealData(ctx, e)
	var missing *realdata.MissingError
	var input *frames.InputError
	if errors.As(err, &missing) || errors.As(err, &input) || errors.Is(err, realdata.ErrNothing) || errors.Is(err, reproduce.ErrOther) || errors.Is(err, dataset.ErrOccupied) {
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
