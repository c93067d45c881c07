package cli

import (
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/verify"
	"glasshouse/testbed/plain"
)

func newDataset() *cobra.Command {
	return group("dataset", "Show, verify, merge and export datasets, import captures", newDatasetInfo(),
		abandoned(newDatasetVerify(), "nothing was changed, except by --repair, which can be run again"),
		abandoned(newDatasetMerge(), "the output directory is incomplete: remove it"),
		abandoned(newDatasetExport(), "the output is incomplete: remove it"), newDatasetImport())
}

// setInfo is what is printed of a dataset.
type setInfo struct {
	*dataset.Manifest
	Digest  string           `json:"digest"`
	Devices map[string]int64 `json:"packets_per_device"`
}

func newDatasetInfo() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "info DIR", Short: "Show what a dataset contains",
		Example: "  glasshouse dataset info home1\n  glasshouse dataset info home1 --json", Args: cobra.ExactArgs(1), ValidArgsFunction: completeDatasets(0, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := dataset.Open(args[0])
			if err != nil {
				return usage(err)
			}
			d = stoppable(cmd.Context(), d)
			info := setInfo{Manifest: &d.Manifest, Digest: d.Manifest.Digest(), Devices: make(map[string]int64)}
			switch {
			case d.Manifest.Counts.ByDevice != nil:
				info.Devices = d.Manifest.Counts.ByDevice
			case d.Manifest.State != dataset.StateRunning:
				if err := d.Rows(func(_ int, r *dataset.Row) error {
					info.Devices[r.Device]++
					return nil
				}); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), info)
			}
			return writeInfo(cmd.OutOrStdout(), &info)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func writeInfo(w io.Writer, i *setInfo) error {
	m := i.Manifest
	state := m.State
	if state == dataset.StateRunning {
		state = "running, or killed: `glasshouse dataset verify --repair` repairs it"
	} else if !m.Valid {
		state += ", not valid"
	}
	t := plain.NewTable(w)
	fmt.Fprintf(t, "%s, %s, seed %d, %s world: %s\n", m.Scenario, m.Path, m.Seed, m.World, state)
	for _, r := range m.Reasons {
		fmt.Fprintf(t, "  %s\n", r)
	}
	fmt.Fprintf(t, "from %s for %s, user actions x%g\n", time.Unix(0, m.StartNs).UTC().Format(time.RFC3339), time.Duration(m.DurationNs), m.TimeScale)
	fmt.Fprintf(t, "%d LAN frames (%d stayed local), %d WAN packets (%d up, %d down), %d events, %d not attributed\n",
		m.Counts.LAN, m.Counts.Local, m.Counts.WAN, m.Counts.Up, m.Counts.Down, m.Counts.Events, m.Fidelity.Unattributed)
	fmt.Fprintf(t, "%s\n\n", captured(m))
	names := make([]string, 0, len(i.Devices))
	for n := range i.Devices {
		names = append(names, n)
	}
	sort.Slice(names, func(a, b int) bool { return i.Devices[names[a]] > i.Devices[names[b]] })
	fmt.Fprint(t, "device\tWAN packets\n")
	for _, n := range names {
		fmt.Fprintf(t, "%s\t%d\n", n, i.Devices[n])
	}
	fmt.Fprintf(t, "\ndigest %s\n", i.Digest)
	return t.Flush()
}

// captured says which homes and captures there are.
func captured(m *dataset.Manifest) string {
	homes := "1 home"
	if n := len(m.Homes); n != 1 {
		homes = plain.Count(n, "home")
	}
	if m.RunHomes > len(m.Homes) {
		homes += fmt.Sprintf(" of %d", m.RunHomes)
	}
	switch {
	case !m.HasWAN():
		return homes + ", without captures"
	case !m.HasLAN():
		homes += ", with wan.pcapng"
	default:
		homes += ", with wan.pcapng and lan.pcapng"
	}
	if m.Snaplen > 0 {
		homes += fmt.Sprintf(", %d bytes of each frame", m.Snaplen)
	}
	return homes
}

func newDatasetVerify() *cobra.Command {
	var asJSON, repair bool
	cmd := &cobra.Command{
		Use: "verify DIR", Short: "Check a dataset: hashes, rows, labels, no truth in captures",
		Example: "  glasshouse dataset verify home1\n  glasshouse dataset verify killed --repair", Args: cobra.ExactArgs(1), ValidArgsFunction: completeDatasets(0, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := verify.Run(args[0], repair)
			if err != nil {
				return usage(err)
			}
			if asJSON {
				if err := writeJSON(cmd.OutOrStdout(), v); err != nil {
					return err
				}
			} else {
				for _, r := range v.Repaired {
					fmt.Fprintln(cmd.OutOrStdout(), "repaired:", r)
				}
				for _, p := range v.Problems {
					fmt.Fprintln(cmd.OutOrStdout(), "problem:", p)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s checked, %s\n", plain.Count(v.Checked, "packet"), plain.Count(v.Found, "problem"))
			}
			if !v.OK {
				return &codeError{code: exitFailed, err: fmt.Errorf("%s: %s", args[0], plain.Count(v.Found, "problem"))}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&repair, "repair", false, "first repair what a killed run left behind")
	return cmd
}
