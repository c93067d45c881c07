package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/testbed/live/doctor"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Report whether this machine can run a live home",
		Example: "  glasshouse doctor\n  glasshouse doctor --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := doctor.Examine()
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			for _, c := range r.Checks {
				mark := "✓"
				if !c.OK {
					mark = "✗"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", mark, strings.Join(wrapped(c.Name, " "), "\n  "))
				if c.OK {
					continue
				}
				for _, line := range fixLines(c.Fix) {
					fmt.Fprintf(cmd.OutOrStdout(), "    %s\n", line)
				}
			}
			if !r.Live {
				return &codeError{code: exitFailed, err: fmt.Errorf("live homes cannot run on this machine in its current configuration")}
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "live homes can run here")
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// fixWidth leaves room for doctor's indentation in 80 columns.
const fixWidth = 76

// fixLines breaks a fix into lines: the remark in brackets after a command has its own lines, and a command is broken only after
// "&&", where a shell continues on the next line.
func fixLines(fix string) []string {
	command, remark, _ := strings.Cut(fix, "   (")
	lines := wrapped(command, " ")
	if strings.HasPrefix(command, "sudo ") {
		lines = wrapped(command, " && ")
	}
	if remark != "" {
		lines = append(lines, wrapped("("+remark, " ")...)
	}
	return lines
}

// wrapped breaks a text at a separator, of which all but the last space stays at the end of the line.
func wrapped(text, sep string) []string {
	var lines []string
	line := ""
	for part := range strings.SplitSeq(text, sep) {
		switch {
		case line == "":
			line = part
		case len(line)+len(sep)+len(part) > fixWidth-len(sep):
			lines = append(lines, strings.TrimRight(line+sep, " "))
			line = part
		default:
			line += sep + part
		}
	}
	return append(lines, line)
}
