package virtual_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/testbedtest"
)

// Who uses an app at home talks to the device on the LAN; who uses it from elsewhere does so through the cloud, and no frame of
// the phone's reaches the device.
func TestLocalAndRemoteUsersOnTheWire(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "users.yaml")
	for name, text := range map[string]string{
		file: "name: users\npath: napt\ndevices: [{device: tplink-plug}, {device: phone.yaml}]\nhousehold: {density: 20, residents: 2}\n",
		filepath.Join(dir, "phone.yaml"): `device: quiet-phone
about: A phone that does nothing but look for mail.
kind: phone
category: phone
oui: "02:11:22"
services:
  - {name: mail, host: imap.example.net, port: 993, transport: tls13, cloud: example, basis: assumed, source: a test}
activities:
  - name: sync
    trigger: timer
    every: 15m
    basis: assumed
    source: a test
    steps: [{service: mail, messages: [{up: 100}, {down: 300}]}]
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, d := testbedtest.Generate(t, generate.Options{Scenario: testbedtest.Load(t, file), Seed: 4, Duration: 48 * time.Hour})
	units, _ := d.Manifest.Homes[0].Varied["units"].(map[string]any)
	options, _ := units["quiet-phone"].(map[string]any)["options"].(map[string]any)
	owner := options["owner"].(string)
	macs := make(map[string]net.HardwareAddr)
	for _, u := range d.Manifest.Homes[0].Devices {
		macs[u.Unit], _ = net.ParseMAC(u.MAC)
	}
	type spanOf struct {
		dataset.Event
		dialogue int // frames between the phone and the plug
	}
	var acts []*spanOf
	remote, byHour := 0, make(map[int64]int)
	for _, e := range testbedtest.Events(t, d) {
		if e.Actor == "" || e.Unit != "tplink-plug" || e.Outcome != "ok" {
			continue
		}
		acts = append(acts, &spanOf{Event: e})
		byHour[e.TScript/int64(time.Hour)%24]++
		switch e.Trigger {
		case "app-remote":
			remote++
		case "app-local":
			if e.Actor != owner {
				t.Errorf("event %d is %s's, on the phone of %s", e.Event, e.Actor, owner)
			}
		}
	}
	if remote < 10 || len(acts)-remote < 10 {
		t.Fatalf("%d acts, %d of them remote", len(acts), remote)
	}
	if night := byHour[2] + byHour[3] + byHour[4]; night > 0 { // the default start is midnight
		t.Errorf("%d acts while all sleep", night)
	}
	// IPv4 alone: between neighbours ARP asks now and then, of itself.
	phone, plug := macs["quiet-phone"].String(), macs["tplink-plug"].String()
	filter := strings.NewReplacer("A", phone, "B", plug).Replace("ip && ((eth.src == A && eth.dst == B) || (eth.src == B && eth.dst == A))")
	for _, line := range testbedtest.Tshark(t, d, dataset.FileLAN, "-Y", filter, "-T", "fields", "-e", "frame.time_epoch") {
		at := int64(seconds(t, line, d.Manifest.StartNs) * 1e9)
		found := false
		for _, a := range acts {
			if at >= a.TStart-1e6 && at <= a.TEnd+1e9 {
				a.dialogue++
				found = true
			}
		}
		if !found {
			t.Errorf("a frame between phone and plug at %v, in no act", time.Duration(at))
		}
	}
	for _, a := range acts {
		if local := a.Trigger == "app-local"; local != (a.dialogue > 0) {
			t.Errorf("event %d, %s by %s: %d frames between phone and plug", a.Event.Event, a.Trigger, a.Actor, a.dialogue)
		}
	}
}
