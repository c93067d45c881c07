package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// givenOnly annotates a flag that neither the environment nor a configuration file sets: its name means something else in
// another command.
const givenOnly = "given only"

// configure sets the flags that were not given from GLASSHOUSE_* variables and from the configuration file.
func configure(cmd *cobra.Command, config string) error {
	v := viper.New()
	v.SetEnvPrefix("glasshouse")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	if config != "" {
		v.SetConfigFile(config)
	} else if _, err := os.Stat("glasshouse.yaml"); err == nil {
		v.SetConfigFile("glasshouse.yaml")
	}
	if v.ConfigFileUsed() != "" {
		if err := v.ReadInConfig(); err != nil {
			return usagef("configuration file %s: %w", v.ConfigFileUsed(), err)
		}
		for key := range v.AllSettings() {
			if !knownFlag(cmd.Root(), key) {
				return usagef("configuration file %s: unknown flag %q", v.ConfigFileUsed(), key)
			}
		}
	}
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "config" || f.Name == "help" || f.Annotations[givenOnly] != nil || !v.IsSet(f.Name) || err != nil {
			return
		}
		if e := cmd.Flags().Set(f.Name, v.GetString(f.Name)); e != nil {
			err = usagef("%s from GLASSHOUSE_%s or the configuration file: %w", f.Name, strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")), e)
		}
	})
	return err
}

func knownFlag(c *cobra.Command, name string) bool {
	if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
		return true
	}
	for _, sub := range c.Commands() {
		if knownFlag(sub, name) {
			return true
		}
	}
	return false
}
