package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/testbed/plain"
)

// usageTemplate makes cobra's template wrap flags.
func usageTemplate(of string) string {
	wrapped := fmt.Sprintf("Flags.FlagUsagesWrapped %d | trim", plain.Width)
	of = strings.ReplaceAll(of, "Flags.FlagUsages | trim", wrapped)
	return strings.ReplaceAll(of, " for more information about a command.", " shows more.")
}

// showHelp prints a command's help, its text in lines that fit.
func showHelp(cmd *cobra.Command, _ []string) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s", strings.TrimSpace(plain.Paragraphs(text, plain.Width)), cmd.UsageString())
}
