package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/strictyaml"
)

// YAML returns the scenario in canonical form, with all values explicit. Parse reads it back.
func (s *Scenario) YAML() string {
	return s.text(func(e Entry) string { return e.Device })
}

func (s *Scenario) text(device func(Entry) string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("name: %s", s.Name)
	if s.About != "" {
		line("about: %s", quote(s.About))
	}
	line("start: %s", s.Start.Format(time.RFC3339Nano))
	line("duration: %s", strictyaml.FormatDuration(s.Duration))
	line("warm_up: %s", strictyaml.FormatDuration(s.WarmUp))
	line("path: %s", s.Path)
	line("devices:")
	for _, e := range s.Devices {
		line("  - device: %s", quote(device(e)))
		line("    units: %s", span(e.Units, integer))
		line("    present: %s", decimal(e.Present*100))
		if e.Mode != "" {
			line("    mode: %s", e.Mode)
		}
	}
	line("household:")
	line("  density: %s", strconv.FormatFloat(s.Household.Density, 'f', -1, 64))
	line("  steady: %t", s.Household.Steady)
	line("  at_least: %d", s.Household.AtLeast)
	line("  phones_at_least: %d", s.Household.PhonesAtLeast)
	if s.Household.Residents.Max > 0 {
		line("  residents: %s", span(s.Household.Residents, integer))
		line("  guests: %s", decimal(s.Household.Guests*100))
	}
	line("wan:")
	line("  up_rate: %s", span(s.WAN.UpRate, bits))
	line("  down_rate: %s", span(s.WAN.DownRate, bits))
	line("  delay: %s", span(s.WAN.Delay, duration))
	line("  jitter: %s", span(s.WAN.Jitter, duration))
	line("  loss: %s", span(s.WAN.Loss, func(n int64) string { return decimal(n * 100) }))
	line("  queue: %s", span(s.WAN.Queue, integer))
	line("  grant: %s", span(s.WAN.Grant, duration))
	if s.WAN.Clouds != cloudsAnywhere() {
		line("  clouds: %s", span(s.WAN.Clouds, duration))
	}
	line("  unsolicited_per_hour: %s", span(s.WAN.Unsolicited, decimal))
	line("wifi:")
	line("  delay: %s", duration(s.WiFi.Delay))
	line("  jitter: %s", duration(s.WiFi.Jitter))
	line("  loss: %s", decimal(s.WiFi.Loss*100))
	line("  power_save: %t", s.WiFi.PowerSave)
	line("router:")
	if s.Router.ARP > 0 {
		line("  arp: %s", duration(s.Router.ARP))
	}
	line("  igmp_query: %s", duration(s.Router.IGMPQuery))
	return b.String()
}

func span(r draw.Range, f func(int64) string) string {
	if r.Min == r.Max {
		return f(r.Min)
	}
	return "[" + f(r.Min) + ", " + f(r.Max) + "]"
}

func integer(n int64) string  { return strconv.FormatInt(n, 10) }
func duration(n int64) string { return strictyaml.FormatDuration(time.Duration(n)) }

// decimal writes millionths.
func decimal(n int64) string {
	s := fmt.Sprintf("%d.%06d", n/strictyaml.Micro, n%strictyaml.Micro)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func bits(n int64) string {
	for _, u := range bitUnits() {
		if n%u.Factor == 0 {
			return integer(n/u.Factor) + u.Name
		}
	}
	return integer(n)
}

// quote returns a text as a YAML scalar in single quotes, or in double quotes if it has several lines.
func quote(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool {
		return c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 || c == 0xfeff
	}) {
		return strconv.QuoteToASCII(s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
