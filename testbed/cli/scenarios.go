package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"glasshouse/scenarios"
)

func newScenarios() *cobra.Command {
	return group("scenarios", "Look at the homes that can be run", newScenariosList(), newScenariosShow(), newScenariosValidate())
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
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
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
		Use: "show SCENARIO", Short: "Show a scenario in full, as YAML to start one's own from",
		Example: "  glasshouse scenarios show noisy-vpn > mine.yaml\n  glasshouse run mine.yaml", Args: cobra.ExactArgs(1),
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
	var asJSON bool
	cmd := &cobra.Command{
		Use: "validate SCENARIO...", Short: "Check scenario files: all errors at once, with file, line and what is allowed",
		Example: "  glasshouse scenarios validate mine.yaml", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			type outcome struct {
				Scenario string `json:"scenario"`
				OK       bool   `json:"ok"`
				Error    string `json:"error,omitempty"`
			}
			var all []outcome
			bad := 0
			for _, a := range args {
				o := outcome{Scenario: a, OK: true}
				if _, err := scenarios.Load(a); err != nil {
					o.OK, o.Error = false, strings.TrimSpace(err.Error())
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
					if o.OK {
						fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", o.Scenario)
					} else {
						fmt.Fprintln(cmd.ErrOrStderr(), o.Error)
					}
				}
			}
			if bad > 0 {
				return &codeError{code: exitUsage, err: fmt.Errorf("%d of %d scenarios are not valid", bad, len(args))}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
