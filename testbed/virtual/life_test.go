package virtual_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/testbedtest"
)

const livedIn = `name: lived-in
about: Devices that do on the LAN what devices do there, and a phone.
start: 2026-01-05T18:00:00Z
duration: 30h
path: napt
devices: [{device: hue-bridge}, {device: tplink-hs110}, {device: google-home-mini}, {device: sifely-gateway}, {device: sony-mobile}]
household: {density: 0.5}
`

// What devices do beside their activities on the WAN, in a day and a quarter: leases got and renewed, neighbours asked, discovery
// answered, notices to all, lines opened anew, an app's dialogues, a look for new software at night.
func TestALifeOnTheLAN(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lived-in.yaml")
	if err := os.WriteFile(file, []byte(livedIn), 0o644); err != nil {
		t.Fatal(err)
	}
	_, d := testbedtest.Generate(t, generate.Options{Scenario: testbedtest.Load(t, file), Seed: 2, Duration: 30 * time.Hour, Captures: dataset.CapturesAll, Snaplen: 400})
	own := make(map[string]string) // names by MAC address
	for _, x := range d.Manifest.Homes[0].Devices {
		own[x.MAC] = x.Unit
	}
	events := make(map[string]int)
	for _, e := range testbedtest.Events(t, d) {
		if e.Outcome == "ok" {
			events[e.Unit+" "+e.Activity]++
		}
	}
	saw := make(map[string]int)
	asked := -1.0
	for _, line := range testbedtest.Tshark(t, d, dataset.FileLAN, "-Y", "dhcp || arp || mdns || udp.dstport == 1900 || (tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == 9999)",
		"-T", "fields", "-E", "separator=|", "-e", "frame.time_relative", "-e", "eth.src", "-e", "ip.src", "-e", "dhcp.option.dhcp", "-e", "arp.opcode",
		"-e", "dns.flags.response", "-e", "udp.dstport", "-e", "tcp.dstport", "-e", "dns.qry.name", "-e", "dns.resp.name") {
		f := strings.Split(line, "|")
		at, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			t.Fatal(line)
		}
		who := own[f[1]]
		if who == "" {
			who = "router"
		}
		switch {
		case f[3] == "3" && f[2] == "0.0.0.0":
			saw[who+" asks for a lease"]++
		case f[3] == "3":
			saw[who+" renews its lease"]++
		case f[3] == "5":
			saw["leases given"]++
		case f[4] != "":
			saw[who+" ARP "+f[4]]++
		case f[7] != "":
			saw[who+" opens to 9999"]++
		case f[6] == "5353" && strings.Contains(f[8], "_googlecast") && f[5] != "1" && f[5] != "True":
			if at-asked > 1.2 {
				saw["fresh questions"]++
			}
			asked = at
		case f[6] == "5353" && strings.Contains(f[9], "_googlecast"):
			saw[who+" answers"]++
			if late := at - asked; late < 0 || late > 1 {
				t.Errorf("an answer %.3f s after the question", late)
			}
		case f[6] == "1900":
			saw[who+" notices"]++
		}
	}
	for mac, who := range own {
		if saw[who+" asks for a lease"] != 1 || saw[who+" renews its lease"] < 1 {
			t.Errorf("%s (%s): %d requests for a lease, %d renewals", who, mac, saw[who+" asks for a lease"], saw[who+" renews its lease"])
		}
		if saw[who+" ARP 1"] == 0 {
			t.Errorf("%s never asks for a neighbour", who)
		}
	}
	if saw["router ARP 1"]+saw["router ARP 2"] == 0 {
		t.Error("the router says nothing by ARP")
	}
	if n := saw["google-home-mini answers"]; n == 0 || n < saw["fresh questions"]*8/10 {
		t.Errorf("%d answers to %d fresh questions", n, saw["fresh questions"])
	}
	if n := saw["hue-bridge notices"]; n < 6*1800 {
		t.Errorf("%d notices of the bridge in 30 h", n)
	}
	if n, want := saw["sifely-gateway opens to 9999"], events["sifely-gateway reopen"]+1; n < want || n > want+1 || want < 4 {
		t.Errorf("the gateway opens its line %d times, with %d reconnects", n, want-1)
	}
	if n, want := saw["sony-mobile opens to 9999"], events["tplink-hs110 switch-local"]; n != want || want == 0 {
		t.Errorf("the app opens %d dialogues with the plug, for %d acts", n, want)
	}
	if n := events["hue-bridge firmware-update"]; n != 1 {
		t.Errorf("the bridge looks for software %d times in a night", n)
	}
	for what, n := range saw {
		t.Logf("%s: %d", what, n)
	}
}
