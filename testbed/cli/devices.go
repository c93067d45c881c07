package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/testbed/plain"
)

func newDevices() *cobra.Command {
	return group("devices", "List, show, validate, learn and compare devices", newDevicesList(), newDevicesShow(), newDevicesLearn(), newDevicesCompare(), newDevicesValidate(), newDevicesSchema())
}

func newDevicesList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the built-in devices", Args: cobra.NoArgs,
		Example: "  glasshouse devices list\n  glasshouse devices list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			type item struct {
				Name     string `json:"name"`
				About    string `json:"about"`
				Kind     string `json:"kind"`
				Category string `json:"category"`
				Class    string `json:"class"`

				Basis map[profile.Basis]int `json:"basis"`
			}
			var items []item
			all := make(map[profile.Basis]int)
			for _, name := range catalogue.Names() {
				p, err := catalogue.Load(name)
				if err != nil {
					return err
				}
				bases := p.Bases()
				for b, n := range bases {
					all[b] += n
				}
				items = append(items, item{p.Device, p.About, string(p.Kind), p.Category, p.Class, bases})
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), items)
			}
			t := plain.NewTable(cmd.OutOrStdout())
			for _, i := range items {
				fmt.Fprintf(t, "%s\t%s\t%s\n", i.Name, i.Category, i.About)
			}
			if err := t.Flush(); err != nil {
				return err
			}
			return writeBases(cmd.OutOrStdout(), all)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// writeBases prints how many quantities of profiles have which basis.
func writeBases(w io.Writer, n map[profile.Basis]int) error {
	total := n[profile.BasisMeasured] + n[profile.BasisPaper] + n[profile.BasisAssumed]
	share := func(b profile.Basis) float64 { return 100 * float64(n[b]) / float64(total) }
	_, err := fmt.Fprintf(w, "\nof %d quantities, %.0f %% are measured, %.0f %% from the paper, %.0f %% assumed\n",
		total, share(profile.BasisMeasured), share(profile.BasisPaper), share(profile.BasisAssumed))
	return err
}

func newDevicesShow() *cobra.Command {
	var asJSON, source bool
	cmd := &cobra.Command{
		Use: "show DEVICE", Short: "Show a device's services, activities and sources",
		Example:           "  glasshouse devices show echo-dot\n  glasshouse devices show my-device.yaml --json\n  glasshouse devices show echo-dot --yaml > mine.yaml",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeDevice(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := catalogue.Resolve(args[0])
			if err != nil {
				return usage(err)
			}
			refs, err := catalogue.Citations(p)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return writeJSON(cmd.OutOrStdout(), struct {
					*profile.Profile
					Basis     map[profile.Basis]int `json:"basis"`
					Citations []profile.Reference   `json:"citations"`
				}{p, p.Bases(), append([]profile.Reference{}, refs...)})
			case source:
				b, err := catalogue.Source(args[0])
				if err != nil {
					return usage(err)
				}
				_, err = cmd.OutOrStdout().Write(b)
				return err
			}
			if err := showDevice(cmd.OutOrStdout(), p); err != nil {
				return err
			}
			return writeCitations(cmd.OutOrStdout(), refs)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&source, "yaml", false, "print the source of a built-in profile")
	return cmd
}

func newDevicesValidate() *cobra.Command {
	return newValidate("validate PROFILE...", "Check device profiles and report all errors",
		"  glasshouse devices validate mine.yaml", "device", func(name string) error {
			_, err := catalogue.Resolve(name)
			return err
		})
}

func newDevicesSchema() *cobra.Command {
	return newSchema("device profiles", "  glasshouse devices schema > device.schema.json", profile.Schema)
}

func showDevice(w io.Writer, p *profile.Profile) error {
	t := plain.NewTable(w)
	fmt.Fprintf(t, "%s: %s\n%s, %s, class %s\n\n", p.Device, p.About, p.Kind, p.Category, p.Class)
	fmt.Fprint(t, "service\thost\tport\ttransport\tbasis\tsource\n")
	for _, s := range p.Services {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", s.Name, s.Host, s.Port, s.Transport, basis(&s.Origin), s.Source)
	}
	fmt.Fprint(t, "\nactivity\ttrigger\twhen\t\tbasis\tsource\n")
	for i := range p.Activities {
		r := &p.Activities[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t\t%s\t%s\n", r.Name, r.Trigger, when(r)+around(r), basis(&r.Origin), r.Source)
	}
	if len(p.States) > 0 {
		fmt.Fprint(t, "\nstate\tfollowed by\tlasts\t\tbasis\tsource\n")
		for i := range p.States {
			s := &p.States[i]
			fmt.Fprintf(t, "%s\t%s\t%s\t\t%s\t%s\n", s.Name, s.Next, lasts(s), basis(&s.Origin), s.Source)
		}
	}
	if p.HasKits() {
		fmt.Fprint(t, "\nkit\tradio\tsenses\t\tbasis\tsource\n")
		for i := range p.Kits {
			k := &p.Kits[i]
			fmt.Fprintf(t, "%s\t%s\t%s\t\t%s\t%s\n", k.Name, k.Radio, k.Sensor, basis(&k.Origin), k.Source)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeBases(w, p.Bases())
}

// basis names the origin of an entry's numbers.
func basis(o *profile.Origin) string {
	if len(o.Assumed) == 0 {
		return string(o.Basis)
	}
	return fmt.Sprintf("%s (not: %s)", o.Basis, strings.Join(o.Assumed, ", "))
}

func lasts(s *profile.State) string {
	if s.Lasts.Max == 0 {
		return "until an event ends it"
	}
	return span(s.Lasts)
}

// around lists the states in which an activity can happen, and those that it leads to.
func around(r *profile.Routine) string {
	s := ""
	if len(r.During) > 0 {
		s = " while " + strings.Join(r.During, " or ")
	}
	if r.Enters != "" {
		s += ", begins " + r.Enters
	}
	if r.Then != "" {
		s += ", then " + r.Then
	}
	return s
}

func span(r draw.Range) string {
	low, high := time.Duration(r.Min), time.Duration(r.Max)
	if low == high {
		return low.String()
	}
	return fmt.Sprintf("%s to %s", low, high)
}

func when(r *profile.Routine) string {
	if r.Person() {
		return fmt.Sprintf("%g a day", float64(r.PerDay)/1e6)
	}
	if r.Trigger == profile.TriggerBoot {
		return "at boot"
	}
	if r.Daily {
		at := time.Duration(r.At)
		return fmt.Sprintf("daily at %02d:%02d", int(at.Hours()), int(at.Minutes())%60)
	}
	if n := len(r.Gaps); n > 0 {
		return fmt.Sprintf("%s to %s apart", time.Duration(r.Gaps[0]), time.Duration(r.Gaps[n-1]))
	}
	return "every " + span(r.Every)
}
