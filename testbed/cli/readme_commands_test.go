package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	shownCall = regexp.MustCompile(`^(?:sudo )?(?:\./glasshouse|glasshouse|go run \.) (.*)$`)
	shellWord = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
)

// Every command in a code block of a README.md is one of the program's, with flags that it has and arguments that it takes.
func TestReadmeCommands(t *testing.T) {
	shown := make(map[string]int)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "README.md" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, line := range commandLines(string(text)) {
			m := shownCall.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			shown[path]++
			if err := takes(newRoot(), words(m[1])); err != nil {
				t.Errorf("%s: %s: %v", path, line, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, least := range map[string]int{"../../README.md": 10, "../../devices/README.md": 10, "../../classifier/README.md": 10, "../../testbed/dataset/README.md": 5} {
		if shown[path] < least {
			t.Errorf("%s shows %d commands, want %d or more", path, shown[path], least)
		}
	}
}

// commandLines are the lines of a text's code blocks that are the shell's or of no language; lines that end in a backslash are
// joined.
func commandLines(text string) (lines []string) {
	inside, shell := false, false
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if language, ok := strings.CutPrefix(line, "```"); ok {
			inside = !inside
			shell = inside && (language == "" || language == "sh" || language == "bash")
		} else if shell {
			lines = append(lines, line)
		}
	}
	return lines
}

// words are a command's words, without a comment and what a shell does with its output.
func words(line string) []string {
	var all []string
	for _, w := range shellWord.FindAllString(line, -1) {
		if strings.HasPrefix(w, "#") || strings.ContainsAny(w[:1], "|>&;<") || strings.HasPrefix(w, "2>") {
			break
		}
		all = append(all, w)
	}
	return all
}

// takes tells what is wrong with a command line, without running it.
func takes(root *cobra.Command, args []string) error {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return fmt.Errorf("%s has no command %q", cmd.CommandPath(), cmd.Flags().Arg(0))
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// A command, a flag or a number of arguments that there is not is noticed.
func TestTakesRefuses(t *testing.T) {
	for _, line := range []string{"devices shwo echo-dot", "devices show", "devices show echo-dot --jsno", "devices list all"} {
		if takes(newRoot(), words(line)) == nil {
			t.Errorf("glasshouse %s is taken", line)
		}
	}
	if err := takes(newRoot(), words("devices show echo-dot --yaml > mine.yaml   # a comment")); err != nil {
		t.Error(err)
	}
}
