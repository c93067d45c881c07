package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/report"
	"glasshouse/testbed/reproduce/table1"
)

func newReproduce() *cobra.Command {
	return group("reproduce", "Repeat the paper's experiments and those on real devices",
		newReproduceAll(), newReproduceTable1(), newReproduceHomemole(), newReproduceRealdata())
}

// Table 1 is measured over a day; quickly, over so much of it.
const (
	table1Day   = 24 * time.Hour
	table1Quick = 3 * time.Hour
)

type table1Options struct {
	seed     seedFlag
	duration time.Duration
	quick    bool
	out      string
	rows     string
	json     bool
}

func newReproduceTable1() *cobra.Command {
	var o table1Options
	cmd := &cobra.Command{
		Use:   "table1",
		Short: "Repeat table 1: the protocols of each device's packets",
		Long: `Simulates a day of each of the paper's devices in a scenario that mimics its capture, a device in use (table1-ROW in
"glasshouse scenarios list"), and counts the frames in lan.pcapng by protocol: those to or from the device alone, and its own
broadcasts. A frame is what tshark 4.0 says of it by default. O is what is not IPv4.

Table 1 is a marginal: it is no evidence about timing.`,
		Example: "  glasshouse reproduce table1\n  glasshouse reproduce table1 --seed 7 -o table1 --json\n  glasshouse reproduce table1 --rows echo-dot,tplink-plug",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runTable1(cmd.Context(), &o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	o.seed.add(cmd)
	f.Var(durationFlag{&o.duration}, "duration", "how long each device is observed (default 1d; below about 12h random variation is visible)")
	f.BoolVar(&o.quick, "quick", false, "three hours instead of a day")
	f.StringVarP(&o.out, "output", "o", "", "`DIR` for the datasets, one per row (default: they are deleted)")
	f.StringVar(&o.rows, "rows", "", "only these `ROWS`, joined by commas")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func runTable1(ctx context.Context, o *table1Options, stdout, stderr io.Writer) error {
	x := table1.Options{Seed: o.seed.get(), Duration: o.duration, Workers: runtime.NumCPU()}
	switch {
	case o.duration > 0 && o.quick:
		return usage(errors.New("--duration or --quick, not both"))
	case o.quick:
		x.Duration = table1Quick
	case o.duration == 0:
		x.Duration = table1Day
	}
	known := make([]string, 0)
	for _, r := range table1.Paper() {
		known = append(known, r.Device)
	}
	if o.rows != "" {
		x.Rows = strings.Split(o.rows, ",")
		for _, r := range x.Rows {
			if err := checkName("--rows", r, known); err != nil {
				return err
			}
		}
	}
	if o.out != "" {
		x.Out = absolute(o.out)
		if err := dataset.CheckEmpty(x.Out); err != nil {
			return usage(err)
		}
	}
	fmt.Fprintf(stderr, "table 1, seed %d, %s of each row\n", x.Seed, x.Duration)
	x.Progress = func(row string) { fmt.Fprintf(stderr, "  %s counted\n", row) }
	t, err := table1.Measure(ctx, x)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(stdout, t)
	}
	return report.WriteTable1(stdout, t)
}
