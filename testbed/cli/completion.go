package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/devices/catalogue"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
)

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes names in a shell",
		Long: `Prints a script for a shell. It completes commands and flags, and the names of scenarios, devices, kinds of models and dataset directories.

For bash the package bash-completion must be installed.`,
		Example: `  source <(glasshouse completion bash)
  glasshouse completion zsh > "${fpath[1]}/_glasshouse"
  glasshouse completion fish > ~/.config/fish/completions/glasshouse.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return root.GenPowerShellCompletionWithDesc(out)
		},
	}
}

// complete returns a completion of the first argument by names, and of it and, if more are allowed, all others by what files may be there.
func complete(names func() []string, more bool, files ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !more {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		for _, n := range names() {
			if strings.HasPrefix(n, begun) {
				out = append(out, n)
			}
		}
		if len(out) > 0 {
			return out, cobra.ShellCompDirectiveNoFileComp
		}
		return files, cobra.ShellCompDirectiveFilterFileExt
	}
}

// Completions of arguments.
func completeScenario() cobra.CompletionFunc {
	return complete(scenarios.Names, false, "yaml", "yml")
}

func completeDevice(more bool) cobra.CompletionFunc {
	return complete(catalogue.Names, more, "yaml", "yml")
}

// completeDatasets completes directories: datasets, and directories that may contain some.
func completeDatasets(from int, more bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) < from:
			return nil, cobra.ShellCompDirectiveDefault // a file, such as a model
		case len(args) > from && !more:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		sets, others := directories(begun)
		directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		if len(sets) == 0 { // completion continues below them
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return append(sets, others...), directive
	}
}

// directories lists the directories that begin with a path: datasets, and others with a trailing slash.
func directories(begun string) (sets, others []string) {
	matches, err := filepath.Glob(begun + "*")
	if err != nil {
		return nil, nil
	}
	for _, m := range matches {
		if st, err := os.Stat(m); err != nil || !st.IsDir() {
			continue
		}
		if _, err := os.Stat(filepath.Join(m, dataset.FileManifest)); err == nil {
			sets = append(sets, m)
		} else {
			others = append(others, m+string(filepath.Separator))
		}
	}
	return sets, others
}

// completeFlag completes a flag by a fixed list.
func completeFlag(cmd *cobra.Command, flag string, names []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)) // fails only for an unknown flag
}
