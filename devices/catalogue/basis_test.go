package catalogue_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"glasshouse/devices/devicestest"
	"glasshouse/devices/profile"
)

// What was solved from means or from what others leave is assumed.
func TestMeasuredNumbersNameTheirSource(t *testing.T) {
	solved := regexp.MustCompile(`derived from \[moniotr|\b(solved|fit)\b`)
	for _, p := range devicestest.All(t) {
		for o := range p.Origins() {
			if o.Basis == profile.BasisAssumed {
				continue
			}
			cited := profile.Cited(o.Source)
			switch {
			case len(cited) == 0:
				t.Errorf("%s: the numbers of %q are %s, and it cites no source", p.Device, o.Source, o.Basis)
			case o.Basis == profile.BasisPaper && !slices.ContainsFunc(cited, func(key string) bool { return strings.HasPrefix(key, "homemole-") }):
				t.Errorf("%s: the numbers of %q are the paper's, and it does not cite the paper", p.Device, o.Source)
			}
			if what := solved.FindString(o.Source); what != "" && o.Basis == profile.BasisMeasured {
				t.Errorf("%s: %q is called measured, and says %q", p.Device, o.Source, what)
			}
			if strings.Contains(o.Source, "assumed") && len(o.Assumed) == 0 {
				t.Errorf("%s: %q speaks of what is assumed, and no number of it is", p.Device, o.Source)
			}
		}
	}
}
