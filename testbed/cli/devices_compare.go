package cli

import (
	"bytes"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/learn"
	"glasshouse/testbed/calibration"
	"glasshouse/testbed/frames/station"
	"glasshouse/testbed/report"
)

func newDevicesCompare() *cobra.Command {
	var c captureFlags
	var plot string
	var seed uint64
	var density float64
	var from time.Duration
	var trees int
	var asJSON bool
	cmd := &cobra.Command{
		Use: "compare DEVICE CAPTURE", Short: "Compare a profile's emulation with a capture of the device",
		Long: `Compare a profile's emulation with a capture of the real device. The profile is simulated in the virtual world for as long as
the capture lasts, on a network with the capture's delay. Periods, sizes, intervals, replies, packets per hour and protocol shares are
compared by Kolmogorov-Smirnov and Wasserstein distances. Then a random forest is trained to distinguish the two, and tested on held-out
blocks: an AUC of 0.5 is chance, 1 is perfect separation. Where it is above 0.60, the behaviours that reveal the emulation are listed. The
floor is the same test between the earlier and the later part of the capture (split at --from, or in halves).`,
		Example: "  glasshouse devices compare kettle.yaml kettle.pcap --mac 0c:2a:69:0e:91:16\n  glasshouse devices compare lockly-hub lock.pcap --mac 24:6f:28:d9:a7:64 --plot lock.svg",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: completeDevice(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := c.options()
			if err != nil {
				return err
			}
			if _, err := catalogue.Resolve(args[0]); err != nil {
				return usage(err)
			}
			t, err := station.Trace(args[1], o)
			if err != nil {
				return usage(err)
			}
			var earlier *learn.Trace
			if from > 0 {
				first := t.Packets[0].At
				earlier = t.Part(first, first+int64(from))
				end := t.Packets[len(t.Packets)-1].At + 1
				t = t.Part(t.Packets[0].At+int64(from), end)
			}
			res, err := calibration.Compare(cmd.Context(), calibration.Options{
				Profile: args[0], Trace: t, Earlier: earlier, Seed: seed, Density: density, Trees: trees, Workers: runtime.NumCPU(),
			})
			if err != nil {
				return usage(err)
			}
			if plot != "" {
				var b bytes.Buffer
				if err := report.PlotComparison(&b, res); err != nil {
					return err
				}
				if err := writeNew(plot, b.Bytes()); err != nil {
					return usage(err)
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), res)
			}
			return report.WriteDeviceComparison(cmd.OutOrStdout(), res)
		},
	}
	c.add(cmd)
	cmd.Flags().StringVar(&plot, "plot", "", "SVG `FILE` for a plot of the distributions; it must not exist")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the emulation and of the forests")
	cmd.Flags().Float64Var(&density, "density", 1, "user actions in the emulation, relative to the normal rate")
	cmd.Flags().DurationVar(&from, "from", 0, "skip the first part of the capture, of this length: the part that the profile was learned from")
	cmd.Flags().IntVar(&trees, "trees", 200, "trees of the forests")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
