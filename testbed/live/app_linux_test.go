//go:build linux

package live_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

const appliance = `device: appliance
about: A device that an app switches over TCP on the LAN, as TP-Link's does.
kind: iot
category: plug
oui: "02:33:44"
stack: {ttl: 64}
services:
  - {name: cloud, host: b.example.net, port: 5000, transport: udp, cloud: example, basis: assumed, source: a test}
  - {name: app, host: peer, port: 9999, transport: lan-tcp, basis: assumed, source: a test}
activities:
  - {name: beat, trigger: timer, every: 30s, phase: 9s, basis: assumed, source: a test, steps: [{service: cloud, messages: [{up: 20}]}]}
  - name: tell
    trigger: timer
    every: 1m
    phase: 500ms
    needs: peer
    basis: assumed
    source: a test
    steps:
      - {service: app, messages: [{down: 106}, {up: 49, wait: 4ms}]}
      - {service: app, after: 1s, messages: [{down: 33}, {up: 597, wait: 4ms}]}
      - {service: app, after: 2s, messages: [{down: 20}, {up: 5000}, {down: 30, wait: 100ms}]}
`

// An app's dialogue with a device is one on the LAN in both worlds: the phone opens it and speaks first, the device answers and
// closes. Nothing of it leaves the home.
func TestAppsTalkOnTheLAN(t *testing.T) {
	testbedtest.NeedLive(t)
	sc := testbedtest.CalmHome(t, "vpn", "0", profiles(t, map[string]string{"seeker": seeker, "appliance": appliance, "ticker": ticker})...)
	for _, world := range []string{"live", "virtual"} {
		_, d := testbedtest.Run(t, run.Options{Scenario: sc, Seed: 3, Duration: 15 * time.Second, World: world})
		if bad := testbedtest.Tshark(t, d, dataset.FileLAN, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-Y",
			"tcp && (_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || tcp.analysis.flags)"); len(bad) > 0 {
			t.Errorf("%s: %d bad frames: %s", world, len(bad), bad[0])
		}
		for _, e := range testbedtest.Events(t, d) {
			if e.Activity == "tell" && e.Outcome != "ok" {
				t.Errorf("%s: tell: %s", world, e.Outcome)
			}
		}
		for _, r := range testbedtest.Rows(t, d) {
			if r.Activity == "tell" {
				t.Errorf("%s: a packet of the app's dialogue left the home: %+v", world, r)
			}
		}
		own := make(map[string]string) // names by MAC address
		for _, x := range d.Manifest.Homes[0].Devices {
			own[x.MAC] = x.Name
		}
		said := make(map[string][]string) // by stream: who opens, closes first, and says how much
		bytes := make(map[string]int)
		for _, line := range testbedtest.Tshark(t, d, dataset.FileLAN, "-Y", "tcp.port == 9999", "-T", "fields", "-E", "separator=|",
			"-e", "tcp.stream", "-e", "eth.src", "-e", "tcp.flags.syn", "-e", "tcp.flags.ack", "-e", "tcp.flags.fin", "-e", "tcp.len") {
			f := strings.Split(line, "|")
			who, set := own[f[1]], func(i int) bool { return f[i] == "1" || f[i] == "True" }
			if set(2) && !set(3) {
				said[f[0]] = append(said[f[0]], who+" opens")
			}
			n, err := strconv.Atoi(f[5])
			if err != nil {
				t.Fatal(line)
			}
			if n > 0 {
				if bytes[f[0]+who] == 0 {
					said[f[0]] = append(said[f[0]], who+" speaks")
				}
				bytes[f[0]+who] += n
			}
			if set(4) && !slices.ContainsFunc(said[f[0]], func(s string) bool { return strings.HasSuffix(s, "closes") }) {
				said[f[0]] = append(said[f[0]], who+" closes")
			}
		}
		want := []string{"seeker opens", "seeker speaks", "appliance speaks", "appliance closes"}
		for stream, got := range said {
			if !slices.Equal(got, want) {
				t.Errorf("%s: stream %s: %q", world, stream, got)
			}
		}
		var sizes [][2]int
		for stream := range said {
			sizes = append(sizes, [2]int{bytes[stream+"seeker"], bytes[stream+"appliance"]})
		}
		slices.SortFunc(sizes, func(a, b [2]int) int { return a[1] - b[1] })
		if !slices.Equal(sizes, [][2]int{{106, 49}, {33, 597}, {50, 5000}}) {
			t.Errorf("%s: bytes %v", world, sizes)
		}
	}
}
