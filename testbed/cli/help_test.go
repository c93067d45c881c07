package cli

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-shellwords"
	"github.com/spf13/cobra"

	"glasshouse/testbed/plain"
)

// eachCommand gives every command that does something itself, hidden ones aside.
func eachCommand(c *cobra.Command, yield func(*cobra.Command)) {
	if c.Hidden {
		return
	}
	yield(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, yield)
	}
}

// TestHelp: every command has a sentence that fits beside its name, examples of itself whose arguments and flags it takes, and a help that
// fits a terminal.
func TestHelp(t *testing.T) {
	eachCommand(newRoot(), func(c *cobra.Command) {
		t.Run(strings.ReplaceAll(c.CommandPath(), " ", "_"), func(t *testing.T) {
			if n := 14 + utf8.RuneCountInString(c.Short); n > plain.Width {
				t.Errorf("its short help makes a line of %d columns: %s", n, c.Short)
			}
			if r, _ := utf8.DecodeRuneInString(c.Short); !unicode.IsUpper(r) || strings.HasSuffix(c.Short, ".") {
				t.Errorf("its short help is no imperative that begins with a capital: %s", c.Short)
			}
			var out strings.Builder
			c.SetOut(&out)
			if err := c.Help(); err != nil {
				t.Fatal(err)
			}
			examples := false
			for line := range strings.Lines(out.String()) {
				line = strings.TrimSuffix(line, "\n")
				examples = (examples || strings.HasPrefix(line, "Examples:")) && line != ""
				if n := utf8.RuneCountInString(line); n > plain.Width && !examples { // a command is not broken
					t.Errorf("%d columns: %s", n, line)
				}
			}
			checkExamples(t, c)
		})
	})
}

func checkExamples(t *testing.T, c *cobra.Command) {
	t.Helper()
	if c.Example == "" && !c.HasSubCommands() {
		t.Error("it has no example")
	}
	ours := c.Example == ""
	for line := range strings.Lines(c.Example) {
		line = strings.TrimSpace(line)
		line = strings.TrimSuffix(strings.TrimPrefix(line, "source <("), ")")
		if !strings.HasPrefix(line, "glasshouse ") {
			continue // what another program does with the result
		}
		words, err := shellwords.Parse(strings.NewReplacer("> \"${fpath[1]}/_glasshouse\"", "", "runs/*", "runs/1").Replace(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		root := newRoot()
		cmd, rest, err := root.Find(words[1:])
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		ours = ours || cmd.CommandPath() == c.CommandPath() || strings.HasPrefix(cmd.CommandPath(), c.CommandPath()+" ")
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if !ours {
		t.Error("no example is of this command")
	}
}
