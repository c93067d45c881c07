package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/strictyaml"
	"glasshouse/scenarios"
)

// newScenario describes the scenario file to write.
type newScenario struct {
	name, path, out string
	devices         []string
}

func newScenariosNew() *cobra.Command {
	var o newScenario
	cmd := &cobra.Command{
		Use: "new NAME", Short: "Create a scenario file with the given devices",
		Example: "  glasshouse scenarios new my-home --device echo-dot --device mine.yaml --path vpn -o my-home.yaml\n" +
			"  glasshouse scenarios new my-home --device xiaomi-hub > my-home.yaml",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return runScenariosNew(cmd.OutOrStdout(), &o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.devices, "device", nil, "a built-in device or the path of a profile; can be repeated (default: echo-dot)")
	f.StringVar(&o.path, "path", string(scenarios.PathNAPT), "napt or vpn")
	f.StringVarP(&o.out, "out", "o", "", "file to write; it must not exist (default: standard output)")
	completeFlag(cmd, "device", catalogue.Names())
	completeFlag(cmd, "path", paths())
	return cmd
}

func runScenariosNew(w io.Writer, o *newScenario) error {
	if len(o.devices) == 0 {
		o.devices = []string{"echo-dot"}
	}
	text, err := o.text()
	if err != nil {
		return usage(err)
	}
	file := o.out
	if file == "" {
		file = o.name + ".yaml"
	}
	if _, err := scenarios.Parse(file, []byte(text)); err != nil {
		return usage(err)
	}
	if o.out == "" {
		_, err = io.WriteString(w, text)
		return err
	}
	f, err := os.OpenFile(o.out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usage(fmt.Errorf("%s exists already", o.out))
	}
	if err != nil {
		return usage(err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// text writes the scenario. Paths of profiles are made relative to where the file will lie.
func (o *newScenario) text() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# glasshouse scenarios schema > scenario.schema.json, and editors complete this file:\n# yaml-language-server: $schema=scenario.schema.json\n")
	fmt.Fprintf(&b, "name: %s\nabout: What this home is for.\n", o.name)
	fmt.Fprintf(&b, "start: 2026-01-05T18:30:00Z # of virtual runs: a Monday evening\nduration: 10m\nwarm_up: 15s # not scored\npath: %s # napt or vpn\ndevices:\n", o.path)
	dir, err := filepath.Abs(filepath.Dir(o.out))
	if err != nil {
		return "", err
	}
	for _, d := range o.devices {
		if strictyaml.IsFile(d) && !filepath.IsAbs(d) {
			abs, err := filepath.Abs(d)
			if err != nil {
				return "", err
			}
			if d, err = filepath.Rel(dir, abs); err != nil {
				return "", err
			}
			d = filepath.ToSlash(d)
		}
		fmt.Fprintf(&b, "  - device: %q\n    units: 1 # or a range, as in [1, 2]: homes differ\n    present: 100 # percent of homes that have it\n", d)
	}
	b.WriteString(`household:
  residents: [1, 4] # residents, whose daily routines determine user actions
  density: 3 # user actions, relative to the normal rate
wan: # ranges are drawn from for each home
  up_rate: [10mbit, 50mbit]
  down_rate: [50mbit, 250mbit]
  delay: [4ms, 15ms] # one way
  jitter: [200us, 2ms]
  loss: [0, 0.05] # percent
  queue: [125kB, 500kB]
wifi: {delay: 1ms, jitter: 2ms, loss: 0.01, power_save: true}
`)
	return b.String(), nil
}
