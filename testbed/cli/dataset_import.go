package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/realdata"
)

func newDatasetImport() *cobra.Command {
	var out, path, captures string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "import HOME -o DIR", Short: "Make a dataset from captures of real devices",
		Long: `Makes a dataset of one home out of captures of real devices, each taken inside a home: what an observer between the home and
its ISP would have seen. HOME is a YAML file that lists the captures (pcap or pcapng, gzip-compressed or not, of Ethernet, Linux cooked, raw
IP, BSD loopback or PPP frames; payloads may be cut; - is standard input), or the name of a list that is built in: ` + strings.Join(realdata.Library(), ", ") + `.

  home: my-home
  together: false          # true: all were captured at once on one LAN; false: each starts at its own "at", relative to the home
  captures:
    - {file: kettle.pcap, device: ikettle, mac: "0c:2a:69:0e:91:16"}
    - {file: cam.pcap, device: my-camera.yaml, ip: 192.168.1.23, at: 40s}

Each packet to or from the device's address that crosses the gateway is labelled with the device; traffic that stays on the LAN is left
out. Several files of one device, as written by tools that rotate their output, are one unit. Frames that are left out are counted by
reason, in left_out of --json. This is a transformation of real packets, not a capture behind a NAPT or a tunnel: with --path vpn they are cut to the
tunnel's MTU and get the sizes, handshakes and keepalives of modelled WireGuard; the WAN's queue and loss are not modelled. Roles
are derived from TCP flags alone. The result is used like any other dataset.`,
		Example: "  glasshouse dataset import my-home.yaml --path vpn -o real\n  glasshouse dataset import locks --captures realdata -o real-napt\n  glasshouse score vpn.model real",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("-o DIR is missing: the output directory; see %s --help", cmd.CommandPath())
			}
			if err := checkName("--path", path, paths()); err != nil {
				return err
			}
			h, err := realdata.Load(args[0], captures)
			if err != nil {
				return usage(err)
			}
			if err := dataset.CheckEmpty(out); err != nil {
				return usage(err)
			}
			r, err := realdata.Import(cmd.Context(), realdata.ImportOptions{Home: h, Path: scenarios.Path(path), Out: out})
			var missing *realdata.MissingError
			var input *frames.InputError
			switch {
			case errors.As(err, &missing) || errors.As(err, &input) || errors.Is(err, realdata.ErrNothing) || errors.Is(err, realdata.ErrTwice) ||
				errors.Is(err, dataset.ErrOccupied):
				return usage(err)
			case err != nil:
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			return writeImported(cmd.OutOrStdout(), r)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "`DIR` for the dataset: new or empty (required)")
	f.StringVar(&path, "path", string(scenarios.PathNAPT), "path that the observer sees: napt, vpn")
	f.StringVar(&captures, "captures", ".", "`DIR` of the captures of a built-in list")
	f.BoolVar(&asJSON, "json", false, "print as JSON")
	completeFlag(cmd, "path", paths())
	return cmd
}

func writeImported(w io.Writer, r *realdata.Result) error {
	fmt.Fprintf(w, "%s: %.1f hours, %s, %d WAN packets\n", r.Dataset, r.Hours, r.Path, r.Packets)
	for _, d := range slices.Sorted(maps.Keys(r.Devices)) {
		fmt.Fprintf(w, "  %s %d\n", d, r.Devices[d])
	}
	if r.Cut {
		fmt.Fprintln(w, "payloads are truncated: protocols above TCP and UDP cannot be recognised")
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	if r.LeftOut.Total() > 0 {
		fmt.Fprintf(w, "left out: %s\n", r.LeftOut)
	}
	return nil
}
