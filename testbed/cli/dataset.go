package cli

import (
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/plain"
)

func newDataset() *cobra.Command {
	return group("dataset", "Look at data sets, check, merge and export them, and import captures", newDatasetInfo(), newDatasetVerify(), newDatasetMerge(), newDatasetExport(), newDatasetImport())
}

// setInfo is what is printed of a data set.
type setInfo struct {
	*dataset.Manifest
	Digest  string           `json:"digest"`
	Devices map[string]int64 `json:"packets_per_device"`
}

func newDatasetInfo() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "info DIR", Short: "Say what a data set holds",
		Example: "  glasshouse dataset info home1\n  glasshouse dataset info home1 --json", Args: cobra.ExactArgs(1), ValidArgsFunction: completeDatasets(0, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := dataset.Open(args[0])
			if err != nil {
				return usage(err)
			}
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
		state = "running, or killed: `glasshouse dataset verify --repair` puts what it left in order"
	} else if !m.Valid {
		state += ", not valid"
	}
	fmt.Fprintf(w, "%s, %s, seed %d, %s world: %s\n", m.Scenario, m.Path, m.Seed, m.World, state)
	for _, r := range m.Reasons {
		fmt.Fprintf(w, "  %s\n", r)
	}
	fmt.Fprintf(w, "from %s for %s, people's acts x%g\n", time.Unix(0, m.StartNs).UTC().Format(time.RFC3339), time.Duration(m.DurationNs), m.TimeScale)
	fmt.Fprintf(w, "%d LAN frames (%d stayed local), %d WAN packets (%d up, %d down), %d events, %d not attributed\n",
		m.Counts.LAN, m.Counts.Local, m.Counts.WAN, m.Counts.Up, m.Counts.Down, m.Counts.Events, m.Fidelity.Unattributed)
	fmt.Fprintf(w, "%s\n\n", captured(m))
	t := plain.NewTable(w)
	names := make([]string, 0, len(i.Devices))
	for n := range i.Devices {
		names = append(names, n)
	}
	sort.Slice(names, func(a, b int) bool { return i.Devices[names[a]] > i.Devices[names[b]] })
	fmt.Fprint(t, "device\tWAN packets\n")
	for _, n := range names {
		fmt.Fprintf(t, "%s\t%d\n", n, i.Devices[n])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\ndigest %s\n", i.Digest)
	return err
}

// captured says which homes and captures there are.
func captured(m *dataset.Manifest) string {
	homes := "1 home"
	if n := len(m.Homes); n != 1 {
		homes = fmt.Sprintf("%d homes", n)
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
		Use: "verify DIR", Short: "Check a data set against itself: hashes, row i = frame i, labels, no truth in the capture",
		Example: "  glasshouse dataset verify home1\n  glasshouse dataset verify killed --repair", Args: cobra.ExactArgs(1), ValidArgsFunction: completeDatasets(0, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := dataset.Verify(args[0], repair)
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
				fmt.Fprintf(cmd.OutOrStdout(), "%d packets checked, %d problems\n", v.Checked, v.Found)
			}
			if !v.OK {
				return &codeError{code: exitFailed, err: fmt.Errorf("%s: %d problems", args[0], v.Found)}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&repair, "repair", false, "put in order what a killed run left behind, first")
	return cmd
}
