package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/plain"
)

type generateOptions struct {
	out       string
	homes     int
	duration  time.Duration
	seed      seedFlag
	workers   int
	shard     string
	snaplen   int
	noPcap    bool
	onlyWAN   bool
	timeScale float64
	json      bool
}

func newGenerate() *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate SCENARIO",
		Short: "Generate a labelled dataset in the virtual world",
		Long: `Simulates homes of a scenario (a built-in name or a YAML file) in the virtual world, without privileges, on any operating system, and
writes their dataset. Equal scenario, seed, homes, duration and kind of output give equal bytes, for any number of workers and
shards. The same command resumes a run that was stopped or killed; a complete one is not changed.`,
		Example: `  glasshouse generate noisy-napt -o week --duration 7d --seed 1
  glasshouse generate noisy-vpn -o many --homes 200 --duration 1d --seed 1 --no-pcap
  glasshouse generate noisy-vpn -o busy --homes 20 --duration 1h --time-scale 3 --seed 2
  glasshouse generate noisy-vpn -o part3 --homes 200 --duration 1d --seed 1 --no-pcap --shard 3/8`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeScenario(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runGenerate(cmd.Context(), &o, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "`DIR` of the dataset: new, empty, or of the same run (required)")
	f.IntVar(&o.homes, "homes", 1, "how many homes to draw from the seed")
	f.Var(durationFlag{&o.duration}, "duration", "simulated time of each home, as 90s, 10m, 2h, 1d, 1w (default the scenario's)")
	o.seed.add(cmd)
	f.IntVar(&o.workers, "workers", runtime.NumCPU(), "how many homes are simulated at once")
	f.StringVar(&o.shard, "shard", "1/1", "`I/N`: only every N-th home, from the I-th on; `dataset merge` joins them")
	f.IntVar(&o.snaplen, "snaplen", 0, "`BYTES` kept of a captured frame (default all)")
	f.BoolVar(&o.noPcap, "no-pcap", false, "no captures: packets and events only")
	f.BoolVar(&o.onlyWAN, "only-wan", false, "no capture of the LAN")
	addTimeScale(f, &o.timeScale)
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

// leastSnaplen is what an observer looks at of a frame, bytes: the headers, and the beginning of the payload.
const leastSnaplen = 64

func (o *generateOptions) check() (shard, of int, err error) {
	switch {
	case o.out == "":
		return 0, 0, errors.New("-o DIR is missing: the directory of the dataset")
	case o.homes < 1 || o.homes > 1e6:
		return 0, 0, fmt.Errorf("--homes %d is out of range; allowed: 1 to 1000000", o.homes)
	case o.workers < 1:
		return 0, 0, fmt.Errorf("--workers %d is out of range; allowed: 1 or more", o.workers)
	case o.snaplen != 0 && o.snaplen < leastSnaplen:
		return 0, 0, fmt.Errorf("--snaplen %d is out of range; allowed: %d or more, or 0 for all", o.snaplen, leastSnaplen)
	case o.noPcap && o.snaplen != 0:
		return 0, 0, errors.New("--snaplen cannot be used with --no-pcap, which writes no captures")
	}
	if err := checkTimeScale(o.timeScale); err != nil {
		return 0, 0, err
	}
	if n, err := fmt.Sscanf(o.shard, "%d/%d", &shard, &of); err != nil || n != 2 || fmt.Sprintf("%d/%d", shard, of) != o.shard {
		return 0, 0, fmt.Errorf("--shard %s: %w", o.shard, generate.ErrShard)
	}
	return shard, of, generate.CheckShard(shard, of, o.homes)
}

func runGenerate(ctx context.Context, o *generateOptions, scenario string, stdout, stderr io.Writer) error {
	shard, of, err := o.check()
	if err != nil {
		return usage(err)
	}
	sc, err := scenarios.Load(scenario)
	if err != nil {
		return usage(err)
	}
	captures := dataset.CapturesAll
	switch {
	case o.noPcap:
		captures = dataset.CapturesNone
	case o.onlyWAN:
		captures = dataset.CapturesWAN
	}
	collectSeldom(o.workers)
	if o.duration == 0 {
		o.duration = sc.Duration
	}
	bar := newProgress(stderr)
	bar.announce("%s, seed %d, %s, %s each, to %s", sc.Name, o.seed.get(), plain.Count(o.homes, "home"), o.duration, o.out)
	res, err := generate.Homes(ctx, generate.Options{
		Scenario: sc, Seed: o.seed.get(), Homes: o.homes, Duration: o.duration, Workers: o.workers, Shard: shard, Of: of,
		Out: absolute(o.out), Captures: captures, Snaplen: o.snaplen, TimeScale: o.timeScale, Progress: bar.generate,
	})
	if errors.Is(err, dataset.ErrOccupied) {
		err = usage(err)
	}
	bar.done(err)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("stopped; complete homes are in %s, and the same command resumes from there", o.out)
	case err != nil:
		return err
	}
	if o.json {
		if err := writeJSON(stdout, res); err != nil {
			return err
		}
	} else if err := writeGenerated(stdout, res); err != nil {
		return err
	}
	if !res.Valid {
		return &codeError{code: exitInvalid, err: fmt.Errorf("the dataset is not valid: %s", res.Reasons)}
	}
	return nil
}

// collectSeldom lets garbage grow to four times what is alive, within bounds, unless the user has said how much. A home keeps 10 to
// 20 MB alive; it saves a tenth of the time.
func collectSeldom(workers int) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(100<<20 + int64(workers)*60<<20)
}

func writeGenerated(w io.Writer, r *generate.Result) error {
	if r.Already {
		_, err := fmt.Fprintf(w, "complete: %s, %s, in %s\ndigest %s\n", plain.Count(r.Homes, "home"), plain.Count(r.Packets, "WAN packet"), r.Dataset, r.Digest)
		return err
	}
	if r.Resumed > 0 {
		fmt.Fprintf(w, "resumed: %s already complete\n", plain.Count(r.Resumed, "home|homes"))
	}
	_, err := fmt.Fprintf(w, "%s, %s: %s simulated in %.1f s, %.0f packets/s, at most %.0f MB\ndataset: %s\ndigest %s\n",
		plain.Count(r.Homes, "home"), plain.Count(r.Packets, "WAN packet"), time.Duration(r.SimulatedS*float64(time.Second)), r.WallS, r.PacketsPerS, r.PeakRSSMB, r.Dataset, r.Digest)
	return err
}
