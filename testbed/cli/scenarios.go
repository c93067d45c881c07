package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"glasshouse/scenarios"
	"glasshouse/testbed/plain"
)

func newScenarios() *cobra.Command {
	return group("scenarios", "List, show, validate and create scenarios", newScenariosList(), newScenariosShow(), newScenariosValidate(), newScenariosSchema(), newScenariosNew())
}

// scenarioItem is what is printed of a scenario.
type scenarioItem struct {
	Name     string   `json:"name"`
	About    string   `json:"about"`
	Path     string   `json:"path"`
	Devices  []string `json:"devices"`
	Duration string   `json:"duration"`
	Digest   string   `json:"digest"`
}

func describe(s *scenarios.Scenario) scenarioItem {
	i := scenarioItem{Name: s.Name, About: s.About, Path: string(s.Path), Duration: s.Duration.String(), Digest: s.Digest()}
	for _, p := range s.Profiles() {
		i.Devices = append(i.Devices, p.Device)
	}
	return i
}

func newScenariosList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the built-in scenarios", Args: cobra.NoArgs,
		Example: "  glasshouse scenarios list\n  glasshouse scenarios list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var items []scenarioItem
			for _, name := range scenarios.Names() {
				s, err := scenarios.Load(name)
				if err != nil {
					return err
				}
				items = append(items, describe(s))
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), items)
			}
			t := plain.NewTable(cmd.OutOrStdout())
			for _, i := range items {
				fmt.Fprintf(t, "%s\t%s\t%s\n", i.Name, i.Path, i.About)
			}
			return t.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func newScenariosShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show SCENARIO", Short: "Show a scenario in full, as YAML",
		Example: "  glasshouse scenarios show noisy-vpn > mine.yaml\n  glasshouse run mine.yaml", Args: cobra.ExactArgs(1), ValidArgsFunction: completeScenario(),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := scenarios.Load(args[0])
			if err != nil {
				return usage(err)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					scenarioItem
					YAML string `json:"yaml"`
				}{describe(s), s.YAML()})
			}
			_, err = io.WriteString(cmd.OutOrStdout(), s.YAML())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func newScenariosValidate() *cobra.Command {
	return newValidate("validate SCENARIO...", "Check scenario files and report all errors",
		"  glasshouse scenarios validate mine.yaml", "scenario", func(name string) error {
			_, err := scenarios.Load(name)
			return err
		})
}

func newScenariosSchema() *cobra.Command {
	return newSchema("scenario files", "  glasshouse scenarios schema > scenario.schema.json", scenarios.Schema)
}
