package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/prediction"
	"glasshouse/testbed/plain"
	"glasshouse/testbed/program"
	"glasshouse/testbed/sweep"
)

type sweepOptions struct {
	vary      []string
	targets   []string
	attackers []string
	out       string
	homes     int
	unseen    int
	duration  time.Duration
	timeScale float64
	packets   int
	trees     int
	workers   int
	programs  []string
	labels    string
	limit     time.Duration
	csv       string
	plot      string
	seed      seedFlag
	json      bool
}

func newSweep() *cobra.Command {
	var o sweepOptions
	cmd := &cobra.Command{
		Use:   "sweep SCENARIO --vary NAME=A..B[,STEP]",
		Short: "Measure an attacker against devices, phones, loss and delay",
		Long: `Simulates homes in the virtual world, varies one or more parameters, and reports how well an attacker labels packets at each point of
the grid. The attacker is trained at each point, on homes of that point, and scored on others. All else is held fixed:
the classes (the target devices, and "other"), the training packets of each class, and the behaviour of the targets: home
number i has the same targets with the same habits at every point, and the same people and internet connection. Points are
therefore compared home by home, and their differences have their own confidence intervals.

Parameters:

  devices     IoT devices in a home, 1 to 100: targets, and others of the scenario and the catalogue. Where they are fewer than
              the targets, the targets are distributed over several homes
  phones      phones and tablets in a home, 0 to 50
  intensity   how often people use phones and tablets, as a factor
  loss        percent of packets, in each direction
  delay       of the internet connection, one way
  path        napt, vpn

Values are A..B, A..B,STEP or A,B,C. A range without a step has all of up to nine whole numbers, or else some that are spread over it
(intensity doubles at each step). Other parameters are as in the scenario; the default for devices is two more than the targets, for
phones the average of its homes.

With --model-command your own program is one more attacker, trained and scored on the same homes and packets. It is run at each
point with three more arguments, LEARN.csv UNSEEN.csv GUESSES.csv. The first two list what an observer sees of each packet: home, ts_ns, frame,
dir, length, ip_proto, local_port, remote_port, tcp_flags, remote_addr, payload_length, app_proto, as in a dataset's packets, and
remote_name, the name of the remote endpoint from DNS or TLS. In LEARN.csv the last column is label_class, empty for packets that no
attacker trains on (with --model-labels all, every packet that counts has a label). UNSEEN.csv has other homes, without labels. The program
writes GUESSES.csv, as for score --predictions: home, frame, class and, optionally, probability, one row for each packet of UNSEEN.csv. Its
output is cached in DIR, keyed by the command line and the contents of the files named in it, so a changed program is run again.

If a program fails at a point, the other results are kept, the table reports the failure, and the exit code is 1, or 2 if
its predictions are invalid.

With -o DIR finished points are kept, the same command resumes a stopped sweep, and DIR contains the result as JSON, CSV and a plot.`,
		Example: `  glasshouse sweep noisy-vpn --vary devices=1..30 --time-scale 3 --seed 1
  glasshouse sweep noisy-vpn --vary phones=0..8,4 --vary intensity=0.25..4 --time-scale 3 --seed 1 -o noise
  glasshouse sweep noisy-vpn --vary devices=2,12,30 --seed 1 -o mine --model-command "python3 my.py"
  glasshouse sweep noisy-napt --vary loss=0,0.1,1,5 --vary path=napt,vpn --targets echo-dot,orvibo-plug --json`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeScenario(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSweep(cmd.Context(), &o, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.vary, "vary", nil, "a parameter and its `VALUES`; repeat for a grid (required)")
	f.StringSliceVar(&o.targets, "targets", nil, "IoT `DEVICES` of the scenario that the attacker identifies (default all)")
	f.StringSliceVar(&o.attackers, "attackers", sweep.Attackers(), "`KINDS` of attacker: "+strings.Join(sweep.Attackers(), ", "))
	f.StringVarP(&o.out, "output", "o", "", "`DIR` of finished points and results: new, empty, or of the same sweep")
	f.IntVar(&o.homes, "homes", 12, "training homes at each point")
	f.IntVar(&o.unseen, "unseen", 0, "test homes at each point (default the number of training homes)")
	o.duration = time.Hour
	f.Var(durationFlag{&o.duration}, "duration", "how long each home is simulated")
	addTimeScale(f, &o.timeScale)
	f.IntVar(&o.packets, "packets", 0, "training packets of each class (default the number that the quietest target is certain to have, at most 1000)")
	f.IntVar(&o.trees, "trees", 60, "trees of the forest that is trained at each point")
	f.IntVar(&o.workers, "workers", runtime.NumCPU(), "how many homes are simulated at once; the result does not depend on it")
	f.StringArrayVar(&o.programs, "model-command", nil, "`COMMAND` of your own model, or NAME=COMMAND; can be repeated")
	f.StringVar(&o.labels, "model-labels", sweep.LabelsSame, "which training packets have labels for it: same (those that the other attackers train on) or all")
	o.limit = 30 * time.Minute
	f.Var(durationFlag{&o.limit}, "model-timeout", "time limit of the command at each point")
	f.StringVar(&o.csv, "csv", "", "also write the points to a CSV `FILE`")
	f.StringVar(&o.plot, "plot", "", "also plot balanced accuracy to an SVG `FILE`")
	o.seed.add(cmd)
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func (o *sweepOptions) check() ([]sweep.Axis, error) {
	axes, err := sweep.ParseAxes(o.vary)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--vary %w", err)
	case o.homes < 1 || o.homes > 10_000:
		return nil, fmt.Errorf("--homes %d: from 1 to 10000", o.homes)
	case o.unseen < 0 || o.unseen > 10_000:
		return nil, fmt.Errorf("--unseen %d: from 1 to 10000", o.unseen)
	case o.packets < 0 || o.packets > 100_000:
		return nil, fmt.Errorf("--packets %d: from 1 to 100000", o.packets)
	case o.trees < 1 || o.trees > 10_000:
		return nil, fmt.Errorf("--trees %d: from 1 to 10000", o.trees)
	case o.workers < 1:
		return nil, fmt.Errorf("--workers %d: 1 or more", o.workers)
	case len(o.attackers) == 0:
		return nil, errors.New("--attackers: expected at least one")
	case o.limit <= 0:
		return nil, errors.New("--model-timeout: expected a duration above zero")
	}
	if err := checkTimeScale(o.timeScale); err != nil {
		return nil, err
	}
	for i, a := range o.attackers {
		if err := checkName("--attackers", a, sweep.Attackers()); err != nil {
			return nil, err
		}
		if slices.Contains(o.attackers[:i], a) {
			return nil, fmt.Errorf("--attackers names %s twice", a)
		}
	}
	return axes, checkName("--model-labels", o.labels, []string{sweep.LabelsSame, sweep.LabelsAll})
}

func runSweep(ctx context.Context, o *sweepOptions, scenario string, stdout, stderr io.Writer) error {
	axes, err := o.check()
	if err != nil {
		return usage(err)
	}
	sc, err := scenarios.Load(scenario)
	if err != nil {
		return usage(err)
	}
	if o.duration <= sc.WarmUp {
		return usagef("invalid --duration %s: expected more than the scenario's start-up of %s, which is not scored", o.duration, sc.WarmUp)
	}
	if o.timeScale > 0 {
		sc.Household.Density = o.timeScale
	}
	if o.unseen == 0 {
		o.unseen = o.homes
	}
	if err := o.checkFiles(); err != nil {
		return usage(err)
	}
	programs, err := o.commands()
	if err != nil {
		return usage(err)
	}
	points := 1
	var head strings.Builder
	for i := range axes {
		points *= len(axes[i].Values)
		fmt.Fprintf(&head, "%s: %s\n", axes[i].Name, axes[i].List())
	}
	collectSeldom(o.workers)
	bar := newProgress(stderr)
	bar.announce("%s%s, seed %d, %s", head.String(), sc.Name, o.seed.get(), plain.Count(points, "point"))
	r, err := sweep.Run(ctx, sweep.Options{
		Scenario: sc, Axes: axes, Targets: o.targets, Attackers: o.attackers, Seed: o.seed.get(), Learn: o.homes, Unseen: o.unseen,
		Duration: o.duration, Packets: o.packets, Trees: o.trees, Programs: programs, Labels: o.labels, Limit: o.limit, Out: o.out, Workers: o.workers,
		Tell: bar.sweep,
	})
	if errors.Is(err, sweep.ErrTargets) || errors.Is(err, sweep.ErrOther) || errors.Is(err, dataset.ErrOccupied) {
		err = usage(err)
	}
	bar.done(err)
	switch {
	case errors.Is(err, context.Canceled) && o.out != "":
		return fmt.Errorf("stopped; finished points are in %s, and the same command resumes from there", o.out)
	case errors.Is(err, context.Canceled):
		return errors.New("stopped; with -o DIR finished points are kept")
	}
	if _, ok := errors.AsType[*sweep.FailedError](err); ok { // all else has its figures
		return errors.Join(o.show(r, stdout), o.ofProgram(err))
	}
	if err != nil {
		return err
	}
	return o.show(r, stdout)
}

// commands reads --model-command.
func (o *sweepOptions) commands() ([]*program.Command, error) {
	var out []*program.Command
	for _, text := range o.programs {
		c, err := program.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("--model-command %w", err)
		}
		if sweep.IsAttacker(c.Name) || slices.ContainsFunc(out, func(p *program.Command) bool { return p.Name == c.Name }) {
			return nil, fmt.Errorf("--model-command %q: an attacker is called %s already; NAME=COMMAND gives another name", text, c.Name)
		}
		out = append(out, c)
	}
	return out, nil
}

// ofProgram adds to the error of a program that failed, or whose predictions are invalid, how to run it by hand.
func (o *sweepOptions) ofProgram(err error) error {
	_, wrong := errors.AsType[*prediction.Error](err)
	switch {
	case o.out != "":
		err = fmt.Errorf("%w\nits input is in %s", err, filepath.Join(o.out, sweep.DirWork))
	default:
		err = fmt.Errorf("%w\nwith -o DIR its input is kept", err)
	}
	if wrong {
		return usage(err)
	}
	return err
}

// checkFiles checks before the work whether --csv and --plot can be written; it leaves no file behind.
func (o *sweepOptions) checkFiles() error {
	for _, f := range []struct{ flag, path string }{{"--csv", o.csv}, {"--plot", o.plot}} {
		if f.path == "" || o.out != "" && filepath.Dir(absolute(f.path)) == absolute(o.out) { // the sweep makes its directory first
			continue
		}
		if special(f.path) {
			continue
		}
		if err := checkFilePath(f.path); err != nil {
			return fmt.Errorf("%s %w", f.flag, err)
		}
	}
	if o.csv != "" && o.plot != "" && absolute(o.csv) == absolute(o.plot) {
		return fmt.Errorf("--csv and --plot are both %s", o.csv)
	}
	return nil
}

// show prints a result, then writes the files that were asked for.
func (o *sweepOptions) show(r *sweep.Result, stdout io.Writer) error {
	var err error
	if o.json {
		err = writeJSON(stdout, r)
	} else {
		err = r.Write(stdout)
	}
	if err := errors.Join(err, writeTo(o.csv, r.WriteCSV), writeTo(o.plot, r.Plot)); err != nil {
		return err
	}
	for _, p := range r.Points {
		if p.Reason != "" {
			return &codeError{code: exitInvalid, err: fmt.Errorf("%s: %s; --packets asks for fewer, --homes and --duration give more", p.Point, p.Reason)}
		}
	}
	return nil
}

// writeTo writes a file, if one is named.
func writeTo(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
