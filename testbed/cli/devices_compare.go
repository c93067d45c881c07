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
		Long: `Tell how far a profile's emulation and a capture of the real device are apart. The profile is lived in the virtual world for
as long as the capture lasts, on a network with the capture's delay. Periods, sizes, intervals, replies, packets an hour and
protocol shares are compared, by Kolmogorov-Smirnov and Wasserstein distances. Then a forest is asked to tell the two apart, on
blocks that it has not seen: an AUC of 0.5 means that it cannot, 1 that it always can. Where it is above 0.60, the behaviours that
give the emulation away are named. The floor is the same test of the capture's first part against its later part (of --from, or its halves).`,
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
	cmd.Flags().StringVar(&plot, "plot", "", "SVG file to draw the distributions into; it must not exist")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the emulation and of the forests")
	cmd.Flags().Float64Var(&density, "density", 1, "factor on how often people act in the emulation")
	cmd.Flags().DurationVar(&from, "from", 0, "leave out so much of the capture's beginning, from which the profile was learned")
	cmd.Flags().IntVar(&trees, "trees", 200, "trees of the forests")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
