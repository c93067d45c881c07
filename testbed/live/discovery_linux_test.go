//go:build linux

package live_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

const seeker = `device: seeker
about: A device that looks for things on its LAN.
kind: phone
category: phone
oui: "02:11:22"
stack: {ttl: 64, ipv6: true}
services:
  - {name: cloud, host: a.example.net, port: 5000, transport: udp, cloud: example, basis: assumed, source: a test}
  - {name: cast, host: _googlecast._tcp.local, transport: mdns, basis: assumed, source: a test}
  - {name: cast6, host: _googlecast._tcp.local, transport: mdns6, basis: assumed, source: a test}
  - {name: printers, host: _ipp._tcp.local, transport: mdns, basis: assumed, source: a test}
  - {name: screens, host: "urn:dial-multiscreen-org:service:dial:1", transport: ssdp, basis: assumed, source: a test}
activities:
  - name: look-round
    trigger: timer
    every: 1m
    phase: 100ms
    basis: assumed
    source: a test
    steps:
      - {service: cast, op: query, repeat: 3, gap: 300ms}
      - {service: cast6, op: query, after: 2s}
      - {service: printers, op: query, after: 3s}
      - {service: screens, op: query, after: 4s, repeat: 2, gap: 2s}
`

const screen = `device: screen
about: A device that others find.
kind: iot
category: tv
oui: "02:33:44"
stack: {ttl: 64, ipv6: true}
services:
  - {name: cloud, host: b.example.net, port: 5000, transport: udp, cloud: example, basis: assumed, source: a test}
  - {name: cast, host: _googlecast._tcp.local, transport: mdns, answers: true, basis: assumed, source: a test}
  - {name: cast6, host: _googlecast._tcp.local, transport: mdns6, answers: true, basis: assumed, source: a test}
  - {name: dial, host: "urn:dial-multiscreen-org:service:dial:1", transport: ssdp, answers: true, basis: assumed, source: a test}
activities:
  - {name: beat, trigger: timer, every: 30s, phase: 9s, basis: assumed, source: a test, steps: [{service: cloud, messages: [{up: 20}]}]}
`

// Who offers what another looks for answers, in both worlds: by multicast DNS to everybody after 20 to 120 ms and once in a second,
// by SSDP to the one that asks within the second that it allows. Nobody answers for what it does not offer.
func TestDiscoveryIsAnswered(t *testing.T) {
	testbedtest.NeedLive(t)
	sc := testbedtest.CalmHome(t, "napt", "0", profiles(t, map[string]string{"seeker": seeker, "screen": screen, "ticker": ticker})...)
	for _, world := range []string{"live", "virtual"} {
		_, d := testbedtest.Run(t, run.Options{Scenario: sc, Seed: 3, Duration: 17 * time.Second, World: world})
		if bad := testbedtest.Tshark(t, d, dataset.FileLAN, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y",
			"(mdns || ssdp) && (_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0)"); len(bad) > 0 {
			t.Errorf("%s: %d bad frames: %s", world, len(bad), bad[0])
		}
		own := make(map[string]string) // MAC addresses
		for _, x := range d.Manifest.Homes[0].Devices {
			own[x.Name] = x.MAC
		}
		asked := make(map[string]float64) // s, by protocol: the newest question
		count := make(map[string]int)
		for _, line := range testbedtest.Tshark(t, d, dataset.FileLAN, "-Y", "mdns || ssdp", "-T", "fields", "-E", "separator=|",
			"-e", "frame.time_relative", "-e", "eth.src", "-e", "eth.dst", "-e", "ipv6.dst", "-e", "dns.flags.response", "-e", "dns.ptr.domain_name", "-e", "_ws.col.Info") {
			f := strings.SplitN(line, "|", 7)
			at, err := strconv.ParseFloat(f[0], 64)
			if err != nil {
				t.Fatal(line)
			}
			kind := "mdns"
			switch {
			case strings.Contains(f[6], "HTTP/1.1"):
				kind = "ssdp"
			case f[3] != "":
				kind = "mdns6"
			}
			answer := f[4] == "1" || f[4] == "True" || strings.Contains(f[6], "200 OK")
			if !answer {
				if f[1] != own["seeker"] {
					t.Errorf("%s: %s asks", world, f[1])
				}
				if kind != "mdns" || asked[kind] == 0 || at-asked[kind] > 1 { // the first of a run of three
					asked[kind] = at
				}
				count[kind+" asked"]++
				continue
			}
			count[kind+" answered"]++
			late, most := at-asked[kind], 0.135
			if kind == "ssdp" {
				most = 1.05
				if f[2] != own["seeker"] {
					t.Errorf("%s: a search is answered to %s", world, f[2])
				}
			}
			if f[1] != own["screen"] || late < 0 || late > most || kind != "ssdp" && late < 0.02 {
				t.Errorf("%s: %s answers by %s after %.3f s", world, f[1], kind, late)
			}
		}
		want := map[string]int{"mdns asked": 4, "mdns answered": 1, "mdns6 asked": 1, "mdns6 answered": 1, "ssdp asked": 2, "ssdp answered": 2}
		for k, n := range want {
			if count[k] != n {
				t.Errorf("%s: %d times %s, want %d", world, count[k], k, n)
			}
		}
	}
}
