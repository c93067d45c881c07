package cli

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/learn"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/station"
)

// captureFlags select the packets of one device in a capture.
type captureFlags struct{ mac, ip string }

func (c *captureFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.mac, "mac", "", "the device's MAC address, as in 24:6f:28:ab:42:97")
	cmd.Flags().StringVar(&c.ip, "ip", "", "the device's IPv4 address, instead of --mac")
}

func (c *captureFlags) options() (o frames.Station, err error) {
	if (c.ip == "") == (c.mac == "") {
		return o, usage(errors.New("no device is selected; give one of --mac and --ip"))
	}
	if c.ip != "" {
		if o.Addr, err = netip.ParseAddr(c.ip); err != nil || !o.Addr.Is4() {
			return o, usage(fmt.Errorf("invalid --ip %s: expected an IPv4 address", c.ip))
		}
		return o, nil
	}
	if o.MAC, err = frames.ParseMAC(c.mac); err != nil {
		return o, usage(fmt.Errorf("--mac: %w", err))
	}
	return o, nil
}

func newDevicesLearn() *cobra.Command {
	var c captureFlags
	var out, name, category string
	var until time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use: "learn CAPTURE", Short: "Learn a device's profile from a capture of its traffic",
		Long: `Make a profile of a device from a capture of its traffic, taken in the home (on the access point, or a mirror port): pcap or
pcapng, gzip-compressed or not, or - for standard input. Link types: Ethernet, with VLAN tags, LLC or PPPoE; Linux cooked; raw IP; BSD
loopback; PPP. Payloads may be cut. One hour is enough for heartbeats; a day also shows what happens every few hours.

Frames that are left out are counted by reason on stderr, and in left_out of --json.

The profile is written to stdout, or to the file named by -o. Uncertain values are reported on stderr and in the profile's comments.`,
		Example: "  glasshouse devices learn kettle.pcap --mac 0c:2a:69:0e:91:16 -o kettle.yaml\n  glasshouse devices learn home.pcapng --ip 192.168.1.23 --name my-lamp --category light",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := c.options()
			if err != nil {
				return err
			}
			t, err := station.Trace(args[0], o)
			if err != nil {
				return usage(err)
			}
			if until > 0 {
				t = t.Part(t.Packets[0].At, t.Packets[0].At+int64(until))
			}
			r, err := learn.Learn(t, learn.Options{Device: name, Category: category, Source: baseName(args[0])})
			if err != nil {
				return usage(fmt.Errorf("%s: %w", args[0], err))
			}
			if _, err := catalogue.Parse(name+".yaml", r.YAML); err != nil {
				return fmt.Errorf("internal error: the learned profile is not valid: %w", err)
			}
			if out != "" {
				if err := writeNew(out, r.YAML); err != nil {
					return usage(err)
				}
			}
			for _, d := range r.Doubts {
				fmt.Fprintf(cmd.ErrOrStderr(), "uncertain: %s: %s\n", d.About, d.Why)
			}
			if left := frames.LeftOut(r.LeftOut); left.Total() > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "left out: %s\n", left)
			}
			switch {
			case asJSON:
				return writeJSON(cmd.OutOrStdout(), r)
			case out != "":
				return writeLearned(cmd.OutOrStdout(), r, out)
			}
			_, err = cmd.OutOrStdout().Write(r.YAML)
			return err
		},
	}
	c.add(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE` for the profile; it must not exist")
	cmd.Flags().StringVar(&name, "name", "learned-device", "name of the device in the profile")
	cmd.Flags().StringVar(&category, "category", "sensor", "category of the device")
	cmd.Flags().DurationVar(&until, "until", 0, "use only the first part of the capture, of this length")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was learned as JSON")
	return cmd
}

func writeLearned(w io.Writer, r *learn.Result, out string) error {
	fmt.Fprintf(w, "%d packets in %s; %d services, %d activities cover %.0f %% of the messages\n",
		r.Packets, time.Duration(r.Span*1e9).Round(time.Second), len(r.Services), len(r.Activities), 100*r.Explained)
	for i := range r.Activities {
		a := &r.Activities[i]
		when := "at boot"
		switch {
		case a.Rhythm.Period > 0:
			when = "every " + time.Duration(a.Rhythm.Period).Round(time.Millisecond).String()
		case a.Rhythm.N > 0:
			when = fmt.Sprintf("%s to %s apart", time.Duration(a.Rhythm.P10).Round(time.Millisecond), time.Duration(a.Rhythm.P90).Round(time.Millisecond))
		}
		fmt.Fprintf(w, "  %-20s %-12s %s, seen %d times  %s\n", a.Name, a.Op, when, a.Seen, a.Shape)
	}
	_, err := fmt.Fprintf(w, "profile: %s\n", out)
	return err
}

func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// writeNew writes a file that does not exist yet.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}
