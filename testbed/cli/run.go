package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"glasshouse/classifier"
	"glasshouse/classifier/model"
	"glasshouse/classifier/score"
	"glasshouse/scenarios"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/live"
	"glasshouse/testbed/live/doctor"
	"glasshouse/testbed/plain"
	"glasshouse/testbed/report"
	"glasshouse/testbed/run"
)

// worlds are the values of --world.
func worlds() []string { return []string{"live", "virtual", "both"} }

type runOptions struct {
	world     string
	duration  time.Duration
	seed      seedFlag
	home      int
	out       string
	model     string
	pairs     int
	timeScale float64
	json      bool
	virtually string // the same command in the virtual world
}

func newRun() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Run a home and record it, labelled",
		Long: `Runs one home of a scenario (a built-in name or a YAML file) and writes its dataset: captures of the LAN and the WAN,
a label for every WAN packet, and the events behind them. With a model, each packet is labelled as it passes and the
model is scored at the end. With --world both, the same homes are run live and virtually, and compared: scripted activities,
the contents of each connection, the distributions of times. While a live home runs, "glasshouse shell gateway" opens a shell inside it.`,
		Example: `  glasshouse run noisy-napt --duration 5m -o home1
  glasshouse run single-echo-dot --duration 2m --time-scale 60 --seed 7 --json
  glasshouse run noisy-vpn --world virtual --duration 1d -o day1
  glasshouse run noisy-napt --world both --duration 5m --pairs 6 --seed 1 -o parity
  glasshouse run noisy-vpn --model vpn.model -o watched`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeScenario(),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.virtually = virtually(cmd, args)
			return runRun(cmd.Context(), &o, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.world, "world", "live", "`WORLD` to run in: live (real time, real sockets), virtual (simulated time, the same bytes from the same seed), both (run and compare)")
	f.IntVar(&o.pairs, "pairs", 1, "with --world both: how many seeds, from --seed on; with two or more a classifier tries to distinguish the worlds, with six or more a model trained on virtual homes is scored on live ones")
	f.Var(durationFlag{&o.duration}, "duration", "duration of the run, as 90s, 10m, 2h, 1d (default the scenario's)")
	o.seed.add(cmd)
	f.IntVar(&o.home, "home", 0, "`INDEX` of the home to draw from the seed")
	f.StringVarP(&o.out, "output", "o", "", "`DIR` of the dataset, new or empty (default glasshouse-runs/SCENARIO-SEED)")
	f.StringVar(&o.model, "model", "", "`FILE` of a model that labels packets as they pass")
	addTimeScale(f, &o.timeScale)
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	completeFlag(cmd, "world", worlds())
	return cmd
}

func runRun(ctx context.Context, o *runOptions, scenario string, stdout, stderr io.Writer) error {
	if err := checkName("--world", o.world, worlds()); err != nil {
		return err
	}
	switch both := o.world == "both"; {
	case o.pairs < 1 || (o.pairs > 1 && !both):
		return usagef("--pairs %d: 1 or more, with --world both", o.pairs)
	case both && o.model != "":
		return usagef("--model cannot be used with --world both")
	}
	if o.home < 0 {
		return usagef("--home %d: expected an index of 0 or more", o.home)
	}
	if err := checkTimeScale(o.timeScale); err != nil {
		return usage(err)
	}
	sc, err := scenarios.Load(scenario)
	if err != nil {
		return usage(err)
	}
	seed := o.seed.get()
	if o.out == "" {
		o.out = filepath.Join("glasshouse-runs", fmt.Sprintf("%s-%d", sc.Name, seed))
	}
	if err := dataset.CheckEmpty(absolute(o.out)); err != nil {
		return usage(err)
	}
	if o.world != "virtual" {
		if err := needLive(); err != nil {
			return fmt.Errorf("%w\nthe virtual world needs no privileges: %s", err, o.virtually)
		}
	}
	if o.world == "both" {
		fmt.Fprintf(stderr, "%s in both worlds, seeds %d to %d, to %s\n", sc.Name, seed, seed+uint64(o.pairs-1), o.out)
		return runBoth(ctx, o, sc, stdout, stderr)
	}
	opt := run.Options{Scenario: sc, Seed: seed, Home: o.home, Duration: o.duration, World: o.world, Out: o.out, TimeScale: o.timeScale}
	bar := newProgress(stderr)
	bar.announce("%s, seed %d, %s world, to %s", sc.Name, seed, o.world, o.out)
	opt.Progress = bar.run
	var m model.Model
	if o.model != "" {
		if m, err = classifier.LoadFile(o.model); err != nil {
			return usage(err)
		}
		if slices.Contains(m.Meta().TrainedOn, model.HomeID{ScenarioDigest: sc.Digest(), Seed: seed, Home: o.home}) {
			return usagef("%s, seed %d, home %d: %w; choose another seed", sc.Name, seed, o.home, score.ErrSeen)
		}
		if w := pathWarning(m.Meta().Path, string(sc.Path)); w != "" {
			fmt.Fprintln(stderr, "warning:", w)
		}
	}
	out := newRunOutput(o.world, stdout, stderr)
	bar.w = out.log
	var watch *watcher
	if m != nil {
		watch = newWatcher(m, out.lines, !o.json)
		opt.OnRow = func(r *dataset.Row) { _ = watch.label.Step(&r.Observation, *r) } // it fails only for a faulty model, which Evaluate reports
	}
	res, err := testbed.Run(ctx, opt)
	if err != nil {
		err = explain(err)
	}
	bar.done(err)
	if watch != nil {
		_ = watch.label.Flush()
	}
	dropped, outErr := out.close()
	if err != nil {
		return err
	}
	if outErr != nil {
		return outErr
	}
	if res.NotShown += dropped; res.NotShown > 0 {
		fmt.Fprintf(stderr, "%d packets were not shown: the reader of the output was too slow; the dataset contains them\n", res.NotShown)
	}
	if err := writeRun(o, res, watch, stdout); err != nil {
		return err
	}
	return verdict(res)
}

func writeRun(o *runOptions, res *run.Result, watch *watcher, stdout io.Writer) error {
	var scored *score.Score
	if watch != nil {
		d, err := dataset.Open(res.Dataset)
		if err != nil {
			return err
		}
		if scored, err = score.Evaluate(watch.model, []*dataset.Dataset{d}, nil); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(stdout, struct {
			*run.Result
			Score *score.Score `json:"score,omitempty"`
		}{res, scored})
	}
	p := res.Packets
	fmt.Fprintf(stdout, "%s, seed %d: %.0f s, %s (%d up, %d down), %s, %s, %d not attributed\n", res.Scenario, res.Seed, res.SimulatedS,
		plain.Count(p.WAN, "WAN packet"), p.Up, p.Down, plain.Count(p.LAN, "LAN frame"), plain.Count(res.Events, "event"), p.Unattributed)
	fmt.Fprintf(stdout, "dataset: %s\n", res.Dataset)
	if scored != nil {
		fmt.Fprintln(stdout)
		return report.WriteScore(stdout, scored)
	}
	return nil
}

// verdict turns a run that is not valid, or was cut, into the exit code.
func verdict(res *run.Result) error {
	switch {
	case !res.Valid:
		return &codeError{code: exitInvalid, err: fmt.Errorf("the run is not valid: %s", strings.Join(res.Reasons, "; "))}
	case res.Cut:
		return &codeError{code: exitFailed, err: fmt.Errorf("the run was cut short; what was captured is in %s", res.Dataset)}
	}
	return nil
}

// needLive reports in one line what to change on a machine that cannot run a live home.
func needLive() error {
	if r := doctor.Examine(); !r.Live {
		return fmt.Errorf("a live home cannot run on this machine in its current configuration: %s", r.FirstFix())
	}
	return nil
}

// virtually returns the command line of the same run in the virtual world.
func virtually(cmd *cobra.Command, args []string) string {
	words := append([]string{"glasshouse", "run"}, args...)
	words = append(words, "--world", "virtual")
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case f.Name == "world" || f.Name == "pairs":
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name+"="+f.Value.String())
		default:
			words = append(words, "--"+f.Name, f.Value.String())
		}
	})
	for i, w := range words {
		if strings.ContainsFunc(w, func(r rune) bool {
			return !strings.ContainsRune("-_./=:,+@%", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// explain adds what to do to an error of a live run.
func explain(err error) error {
	if errors.Is(err, dataset.ErrOccupied) {
		return usage(err)
	}
	if errors.Is(err, live.ErrCannotIsolate) {
		if fix := doctor.Examine().FirstFix(); fix != "" {
			return fmt.Errorf("%w\n%s", err, fix)
		}
	}
	return err
}

func absolute(path string) string {
	if p, err := filepath.Abs(path); err == nil {
		return p
	}
	return path
}

// watcher labels packets as they pass and prints them beside the truth.
type watcher struct {
	model model.Model
	label *model.Labeller[dataset.Row]
}

func newWatcher(m model.Model, out io.Writer, print bool) *watcher {
	return &watcher{model: m, label: model.NewLabeller(m, func(r dataset.Row, guess string, p float32) error {
		if print {
			fmt.Fprintln(out, guessLine(&r, guess, p, r.Class))
		}
		return nil
	})}
}

// guessLine shows a packet as the observer sees it, the model's label, and the truth.
func guessLine(r *dataset.Row, guess string, p float32, truth string) string {
	mark := "✗"
	switch {
	case guess == truth:
		mark = "✓"
	case r.Kind == "infrastructure":
		mark = "·"
	}
	return fmt.Sprintf("%s  %-15s %3.0f %%  %s %s", packetLine(r), guess, 100*p, mark, truth)
}

// packetLine shows what the observer sees of a packet.
func packetLine(r *dataset.Row) string {
	arrow := "→"
	if r.Dir < 0 {
		arrow = "←"
	}
	return fmt.Sprintf("%s %s %-15s :%-5d %-9s %5d B", time.Unix(0, r.TsNs).UTC().Format("15:04:05.000"), arrow, r.RemoteAddr, r.RemotePort, protocol(r), r.Length)
}

// protocol names what a packet's own bytes show: an application protocol, or else the transport's.
func protocol(r *dataset.Row) string {
	if r.AppProto != dataset.AppNone {
		return r.AppProto
	}
	switch r.IPProto {
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 1:
		return "icmp"
	}
	return r.AppProto
}
