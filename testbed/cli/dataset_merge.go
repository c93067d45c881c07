package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/testbed/dataset"
)

func newDatasetMerge() *cobra.Command {
	var out string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "merge DIR... -o DIR", Short: "Join the shards of one run",
		Long: `Joins the shards of one run into a data set, whose digest is that of the run made in one piece. All must be complete, of the
same scenario, seed, duration and options, with homes of their own. Files are linked where the file system can, and copied
where it cannot, and their hashes checked; the shards stay as they are.`,
		Example: "  glasshouse dataset merge shard-1 shard-2 shard-3 shard-4 -o homes",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: completeDatasets(0, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("where to? -o DIR is missing; see %s --help", cmd.CommandPath())
			}
			c := newCounter(cmd.ErrOrStderr(), "homes")
			r, err := dataset.Merge(args, out, func(done, of int) { c.show(int64(done), int64(of)) })
			c.p.done()
			if err != nil {
				return input(err)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			return writeMerged(cmd.OutOrStdout(), r)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`DIR` for the data set: new or empty")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func writeMerged(w io.Writer, r *dataset.MergeResult) error {
	whole := ""
	if r.Homes < r.Of {
		whole = fmt.Sprintf(" of %d: %d are still missing", r.Of, r.Of-r.Homes)
	}
	_, err := fmt.Fprintf(w, "%s: %d homes%s, %d WAN packets\ndigest %s\n", r.Dataset, r.Homes, whole, r.Packets, r.Digest)
	return err
}

// input makes an error that is the caller's one of usage.
func input(err error) error {
	if _, ok := errors.AsType[*dataset.InputError](err); ok {
		return usage(err)
	}
	return err
}

// counter shows how far a piece of work is: one line that is written over on a terminal, a line now and then elsewhere.
type counter struct {
	p    *progress
	what string
	last time.Time
}

func newCounter(w io.Writer, what string) *counter {
	return &counter{p: newProgress(w), what: what, last: time.Now()}
}

func (c *counter) show(done, of int64) {
	every := sparse
	if c.p.terminal {
		every = 100 * time.Millisecond
	}
	if time.Since(c.last) < every {
		return
	}
	c.last = time.Now()
	if c.p.terminal {
		fmt.Fprintf(c.p.w, "\r\x1b[K%d of %d %s", done, of, c.what)
		c.p.shown = true
		return
	}
	fmt.Fprintf(c.p.w, "%d of %d %s\n", done, of, c.what)
}
