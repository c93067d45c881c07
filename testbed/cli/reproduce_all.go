package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"glasshouse/classifier/model"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/live/doctor"
	"glasshouse/testbed/reproduce/parts"
	"glasshouse/testbed/reproduce/results"
	"glasshouse/testbed/run"
)

// publishedResults is where the repository keeps the file that --write is for.
const publishedResults = "testbed/reproduce/RESULTS.md"

type reproduceAllOptions struct {
	out, write, check, captures string
	parts                       []string
	quick                       bool
	budget                      parts.Budget // what is set overrides the full or the quick one
	seed                        seedFlag
	json                        bool
	given                       string // the flags that say what is run, as they were given
}

func newReproduceAll() *cobra.Command {
	var o reproduceAllOptions
	cmd := &cobra.Command{
		Use:   "all -o DIR",
		Short: "Run all experiments and write DIR/RESULTS.md",
		Long: `Run every experiment whose results the project publishes, and write DIR/RESULTS.md: build, device
catalogue, machine, date, seed and command, then a section for each part with what was measured, the command that repeats it alone, and
its tables. It takes under 90 minutes on two cores, with --quick under 10.

Parts: ` + strings.Join(parts.Names(), ", ") + `.

DIR keeps the result of each part as JSON with its build, catalogue digest, seed and options. When the command is run again, a part
whose result is there and of the same state is not run again; one that was stopped loses at most the part that it was in. A part that
cannot run on this machine, or that needs captures that are not there, has the reason in its section. Parts that fail do not stop the
others; the exit code is then 1, or 3 where a live run was not valid.

--duration, --homes, --seeds, --epochs and --models scale all parts: a row of table 1 lasts 32 times the duration, homes for forests alone a
quarter of it; three fifths as many homes train as test.

--check reads a RESULTS.md. It fails if the file was edited after it was written, and prints a notice where it is of another
device catalogue or commit than this build, or of a quick run.`,
		Example: `  glasshouse reproduce all -o results
  glasshouse reproduce all -o results --quick --seed 1
  glasshouse reproduce all -o results --parts models-vpn,unknown-vpn --seed 1
  glasshouse reproduce all -o results --captures captures --write testbed/reproduce/RESULTS.md
  glasshouse reproduce all --check`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.given = givenFlags(cmd.Flags(), "output", "write", "check", "parts", "seed", "json", "verbose", "config")
			if o.check != "" {
				return runCheckResults(&o, cmd.OutOrStdout())
			}
			return runReproduceAll(cmd.Context(), &o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "`DIR` of results: new, empty, or of an earlier call (required)")
	f.BoolVar(&o.quick, "quick", false, "fewer and shorter homes, fewer models: under 10 minutes on two cores")
	f.StringSliceVar(&o.parts, "parts", nil, "run only these `PARTS`, joined by commas; results of the others are kept")
	f.StringVar(&o.captures, "captures", "", "`DIR` of captures of real devices, for the parts realdata and devices")
	f.StringVar(&o.write, "write", "", "write RESULTS.md to this `FILE`, too; only if every part was run")
	f.StringVar(&o.check, "check", "", "check a RESULTS.md instead of running anything: --check or --check=`FILE`")
	f.Lookup("check").NoOptDefVal = publishedResults
	f.StringSliceVar(&o.budget.Kinds, "models", nil, "`KINDS` of model (default "+strings.Join(parts.Full().Kinds, ", ")+")")
	f.IntVar(&o.budget.Seeds, "seeds", 0, "models of each kind (default 3, with --quick 2)")
	f.IntVar(&o.budget.Homes, "homes", 0, "homes that test models (default 16, with --quick 8)")
	f.Var(durationFlag{&o.budget.Duration}, "duration", "how long each home is simulated (default 45m, with --quick 10m)")
	f.IntVar(&o.budget.Epochs, "epochs", 0, "most `TIMES` that a neural model goes through the homes (default 5, with --quick 1)")
	f.Var(durationFlag{&o.budget.Live}, "live-duration", "how long each live home runs (default 3m, with --quick 30s)")
	f.IntVar(&o.budget.Pairs, "pairs", 0, "homes that are run in both worlds (default 6, with --quick 2)")
	o.seed.add(cmd)
	f.BoolVar(&o.json, "json", false, "print all results as JSON")
	completeFlag(cmd, "parts", parts.Names())
	completeFlag(cmd, "models", model.Kinds())
	return cmd
}

// givenFlags writes the flags that were given as on a command line, but for some.
func givenFlags(f *pflag.FlagSet, but ...string) string {
	var b strings.Builder
	f.Visit(func(x *pflag.Flag) {
		if slices.Contains(but, x.Name) {
			return
		}
		b.WriteString(" --" + x.Name)
		if v := strings.Trim(x.Value.String(), "[]"); x.Value.Type() != "bool" {
			b.WriteString(" " + v)
		}
	})
	return b.String()
}

// shortest is how long a home must be at least: longer than the start-up of the built-in scenarios, which does not count.
const shortest = 3 * time.Minute

// plan checks the options and returns the budget.
func (o *reproduceAllOptions) plan() (parts.Budget, error) {
	b := parts.Full()
	if o.quick {
		b = parts.Quick()
	}
	g := &o.budget
	for _, x := range []struct {
		flag  string
		given int
		least int
		to    *int
	}{
		{"--seeds", g.Seeds, 1, &b.Seeds}, {"--homes", g.Homes, 2, &b.Homes}, {"--epochs", g.Epochs, 1, &b.Epochs}, {"--pairs", g.Pairs, 1, &b.Pairs},
	} {
		switch {
		case x.given == 0:
		case x.given < x.least || x.given > 1000:
			return b, usagef("%s %d is out of range; allowed: %d to 1000", x.flag, x.given, x.least)
		default:
			*x.to = x.given
		}
	}
	if g.Duration > 0 {
		if b.Duration = g.Duration; b.Duration < shortest {
			return b, usagef("--duration %s is too short; allowed: %s or more", b.Duration, shortest)
		}
	}
	if g.Live > 0 {
		b.Live = g.Live
	}
	if len(g.Kinds) > 0 {
		b.Kinds = g.Kinds
	}
	for _, m := range b.Kinds {
		if err := checkName("--models", m, model.Kinds()); err != nil {
			return b, err
		}
	}
	for _, p := range o.parts {
		if err := checkName("--parts", p, parts.Names()); err != nil {
			return b, err
		}
	}
	if o.captures != "" {
		if st, err := os.Stat(o.captures); err != nil || !st.IsDir() {
			return b, usagef("--captures %s is not a directory", o.captures)
		}
	}
	if o.write != "" {
		if st, err := os.Stat(filepath.Dir(absolute(o.write))); err != nil || !st.IsDir() {
			return b, usagef("--write %s: its directory does not exist", o.write)
		}
	}
	return b, nil
}

func runReproduceAll(ctx context.Context, o *reproduceAllOptions, stdout, stderr io.Writer) error {
	if o.out == "" {
		return usagef("-o DIR is needed: where results are kept")
	}
	budget, err := o.plan()
	if err != nil {
		return err
	}
	var given *uint64
	if o.seed.given {
		given = &o.seed.value
	}
	seed, err := results.ClaimDir(absolute(o.out), given, o.seed.get)
	if err != nil {
		return usage(err)
	}
	v, err := version()
	if err != nil {
		return err
	}
	build := results.Build{Version: v.Version, Commit: v.Commit, Go: v.Go}
	if err := build.Identify(); err != nil {
		return err
	}
	command := func(part string) string {
		if part != "" {
			part = " --parts " + part
		}
		return fmt.Sprintf("glasshouse reproduce all -o %s%s --seed %d%s", o.out, part, seed, o.given)
	}
	began := time.Now()
	env := &parts.Env{
		Budget: budget, Seed: seed, Workers: runtime.NumCPU(), Captures: o.captures, Now: time.Now, Command: command,
		Tell:  func(line string) { fmt.Fprintf(stderr, "  %s: %s\n", time.Since(began).Round(time.Second), line) },
		Twins: orderTwins, Generate: generateApart,
	}
	if d := doctor.Examine(); !d.Live {
		env.LiveProblem = d.FirstFix()
	}
	fmt.Fprintf(stderr, "seed %d\n", seed)
	plan := &results.Plan{
		Dir: absolute(o.out), Parts: parts.All(env), Only: o.parts, Command: command(""), Quick: o.quick, Build: build, Catalogue: v.Catalogue,
		Machine: results.ThisMachine(), Seed: seed, Now: time.Now, CPU: results.CPUTime, Tell: func(p results.Progress) { tellPart(stderr, p) },
	}
	r, failed := plan.Run(ctx)
	if r == nil {
		if ctx.Err() != nil {
			return fmt.Errorf("stopped; finished parts are in %s, and the same command goes on from there", o.out)
		}
		return failed
	}
	return errors.Join(o.show(r, stdout), failed, invalidPart(r))
}

// tellPart prints a line when a part begins and when it ends.
func tellPart(w io.Writer, p results.Progress) {
	round := func(d time.Duration) time.Duration { return d.Round(time.Second) }
	switch {
	case p.Kept:
		fmt.Fprintf(w, "%s: kept, it took %s\n", p.Part, round(p.Took))
	case p.Missing != "":
		first, _, _ := strings.Cut(p.Missing, "\n")
		fmt.Fprintf(w, "%s: no result. %s\n", p.Part, first)
	case p.Done:
		fmt.Fprintf(w, "%s: done in %s; about %s left\n", p.Part, round(p.Took), round(p.Left))
	default:
		fmt.Fprintf(w, "%s (%d of %d): about %s; about %s left in all\n", p.Part, p.Nth, p.Of, round(p.Estimate), round(p.Left))
	}
}

// show writes RESULTS.md and prints where it is, or prints all as JSON.
func (o *reproduceAllOptions) show(r *results.Results, stdout io.Writer) error {
	file := filepath.Join(o.out, results.FileResult)
	if err := dataset.WriteFile(file, r.Markdown); err != nil {
		return err
	}
	if o.write != "" {
		if open := r.Open(); len(open) > 0 {
			return fmt.Errorf("%s was not written: no result of %s", o.write, strings.Join(open, ", "))
		}
		if err := dataset.WriteFile(o.write, r.Markdown); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(stdout, r)
	}
	n := 0
	for _, s := range r.Sections {
		if s.Content != nil {
			n++
		}
	}
	fmt.Fprintf(stdout, "%s: results of %d of %d parts\n", file, n, len(r.Sections))
	for _, s := range r.Sections {
		if s.Content == nil {
			first, _, _ := strings.Cut(s.Missing, "\n")
			fmt.Fprintf(stdout, "  without: %s. %s\n", s.Part, first)
		}
	}
	return nil
}

// invalidPart is the error of results in which a run was not valid.
func invalidPart(r *results.Results) error {
	for _, s := range r.Sections {
		if s.Invalid {
			return &codeError{code: exitInvalid, err: fmt.Errorf("%s: %s", s.Part, s.Missing)}
		}
	}
	return nil
}

// orderTwins runs homes in both worlds.
func orderTwins(ctx context.Context, o parts.TwinOrder) ([]parts.Twin, error) {
	twins := make([]twin, len(o.Seeds))
	for i, s := range o.Seeds {
		twins[i].seed = s
	}
	err := runTwins(ctx, twins, func(ctx context.Context, world string, seed uint64) (*run.Result, error) {
		out := filepath.Join(o.Out, fmt.Sprintf("%s-%d", world, seed))
		if err := os.RemoveAll(out); err != nil { // of a call that was stopped
			return nil, err
		}
		r, err := testbed.Run(ctx, run.Options{
			Scenario: o.Scenario, Seed: seed, Duration: o.Duration, World: world, TimeScale: o.TimeScale, Out: out,
			Lab: fmt.Sprintf("reproduce-%d", seed),
		})
		if err != nil {
			return nil, fmt.Errorf("seed %d, %s: %w", seed, world, explain(err))
		}
		return r, nil
	})
	out := make([]parts.Twin, len(twins))
	for i, t := range twins {
		out[i] = parts.Twin{Live: t.live, Virtual: t.virtual}
	}
	return out, err
}

// generateApart runs `generate` in a process of its own, and returns its result.
func generateApart(ctx context.Context, args ...string) (*generate.Result, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, program, append([]string{"generate", "--json"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("glasshouse %s: %w\n%s", strings.Join(cmd.Args[1:], " "), err, strings.TrimSpace(stderr.String()))
	}
	r := &generate.Result{}
	return r, json.Unmarshal(out, r)
}

// runCheckResults checks a RESULTS.md.
func runCheckResults(o *reproduceAllOptions, stdout io.Writer) error {
	b, err := os.ReadFile(o.check)
	if err != nil {
		return usage(err)
	}
	v, err := version()
	if err != nil {
		return err
	}
	s, err := results.Check(string(b))
	if err != nil {
		return fmt.Errorf("%s: %w", o.check, err)
	}
	notices := s.Notices(results.Build{Commit: v.Commit}, v.Catalogue)
	if o.json {
		return writeJSON(stdout, struct {
			*results.Sealed
			Notices []string `json:"notices"`
		}{s, append([]string{}, notices...)})
	}
	fmt.Fprintf(stdout, "%s: as it was written\n", o.check)
	for _, n := range notices {
		fmt.Fprintf(stdout, "notice: %s\n", n)
	}
	return nil
}
