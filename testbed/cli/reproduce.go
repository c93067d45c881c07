package cli

import "github.com/spf13/cobra"

func newReproduce() *cobra.Command {
	return group("reproduce", "Repeat experiments of the paper behind the project, and set its results beside ours", newReproduceHomemole())
}
