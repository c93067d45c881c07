package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"glasshouse/testbed"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say whether this machine can run a live home, and what to change if not",
		Example: "  glasshouse doctor\n  glasshouse doctor --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := testbed.Doctor()
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			for _, c := range r.Checks {
				mark := "✓"
				if !c.OK {
					mark = "✗"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", mark, c.Name)
				if !c.OK && c.Fix != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "    %s\n", c.Fix)
				}
			}
			if !r.Live {
				return &codeError{code: exitFailed, err: fmt.Errorf("live homes cannot run on this machine as it is")}
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "live homes can run here")
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
