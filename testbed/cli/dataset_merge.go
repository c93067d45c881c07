package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/merge"
	"glasshouse/testbed/plain"
)

func newDatasetMerge() *cobra.Command {
	var out string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "merge DIR... -o DIR", Short: "Merge the shards of one run",
		Long: `Merges the shards of one run into one dataset, with the digest of the same run made without shards. All must be complete, of the
same scenario, seed, duration and options, and have no home in common. Files are hard-linked where the file system supports it,
copied elsewhere, and their hashes are checked; the shards are not changed.`,
		Example: "  glasshouse dataset merge shard-1 shard-2 shard-3 shard-4 -o homes",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: completeDatasets(0, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("-o DIR is missing: the output directory; see %s --help", cmd.CommandPath())
			}
			bar := newProgress(cmd.ErrOrStderr())
			show := bar.count("home")
			r, err := merge.Run(args, out, func(done, of int) { show(int64(done), int64(of)) })
			bar.done(err)
			if err != nil {
				return input(err)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			return writeMerged(cmd.OutOrStdout(), r)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`DIR` for the dataset: new or empty")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func writeMerged(w io.Writer, r *merge.Result) error {
	whole := ""
	if r.Homes < r.Of {
		whole = fmt.Sprintf(" of %d: %s missing", r.Of, plain.Count(r.Of-r.Homes, "is|are"))
	}
	_, err := fmt.Fprintf(w, "%s: %s%s, %s\ndigest %s\n", r.Dataset, plain.Count(r.Homes, "home"), whole, plain.Count(r.Packets, "WAN packet"), r.Digest)
	return err
}

// input marks an error in the caller's input as a usage error.
func input(err error) error {
	if _, ok := errors.AsType[*dataset.InputError](err); ok {
		return usage(err)
	}
	return err
}
