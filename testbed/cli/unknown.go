package cli

import (
	"slices"
	"strings"

	"glasshouse/devices/strictyaml"
	"glasshouse/scenarios"
)

// checkName returns an error of usage if a flag's value is not one of those allowed.
func checkName(flag, value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return usagef("%s %s is not known; %s", flag, value, strictyaml.Suggest(value, allowed, "allowed: "+strings.Join(allowed, ", ")))
}

// paths are what --path may name.
func paths() []string { return []string{string(scenarios.PathNAPT), string(scenarios.PathVPN)} }
