package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newValidate makes the command that checks files of a kind: all errors of all of them at once.
func newValidate(use, short, example, kind string, load func(nameOrFile string) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all := make([]map[string]any, 0, len(args))
			bad := 0
			for _, a := range args {
				o := map[string]any{kind: a, "ok": true}
				if err := load(a); err != nil {
					o["ok"], o["error"] = false, strings.TrimSpace(err.Error())
					bad++
				}
				all = append(all, o)
			}
			if asJSON {
				if err := writeJSON(cmd.OutOrStdout(), all); err != nil {
					return err
				}
			} else {
				for _, o := range all {
					if o["ok"] == true {
						fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", o[kind])
					} else {
						fmt.Fprintln(cmd.ErrOrStderr(), o["error"])
					}
				}
			}
			if bad > 0 {
				return &codeError{code: exitUsage, err: fmt.Errorf("%d of %d %ss are not valid", bad, len(args), kind)}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// newSchema makes the command that prints a JSON schema.
func newSchema(what, example string, schema func() ([]byte, error)) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON schema of " + what, Example: example, Args: cobra.NoArgs,
		Long: "Print the JSON schema of " + what + ". An editor with a YAML language server completes and checks a file that begins with\n" +
			"\n  # yaml-language-server: $schema=FILE\n\nThe schema knows keys, shapes and vocabularies; validate also checks references and ranges, and lists the allowed values.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(b)
			return err
		},
	}
}
