package virtual_test

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"glasshouse/emulator/pan"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/testbedtest"
)

// kitsOf returns what the manifest says of the kits of a home, and its networks' keys.
func kitsOf(t *testing.T, d *dataset.Dataset) (kits map[string]map[string]any, keys []string) {
	t.Helper()
	kits = make(map[string]map[string]any)
	units, _ := d.Manifest.Homes[0].Varied["units"].(map[string]any)
	for unit, v := range units {
		hub, _ := v.(map[string]any)
		network, ok := hub["pan"].(map[string]any)
		if !ok {
			continue
		}
		keys = append(keys, network["network_key"].(string))
		for name, k := range hub["kits"].(map[string]any) {
			kits[unit+"/"+name] = k.(map[string]any)
		}
	}
	slices.Sort(keys)
	return kits, keys
}

func key16(t *testing.T, s any) [16]byte {
	t.Helper()
	b, err := hex.DecodeString(s.(string))
	if err != nil || len(b) != 16 {
		t.Fatalf("%v is no key", s)
	}
	return [16]byte(b)
}

// heardFrom is what tshark makes of a frame of the air.
type heardFrom struct {
	at   float64 // s since the scenario's start
	from string
	what string
}

func seconds(t *testing.T, s string, startNs int64) float64 {
	t.Helper()
	whole, part, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	ns, err2 := strconv.ParseInt(part, 10, 64)
	if err != nil || err2 != nil {
		t.Fatalf("%q is no time", s)
	}
	return float64(sec*1e9+ns-startNs) / 1e9
}

// tshark dissects what the hubs' radios heard without an error, decrypts all of Zigbee with the manifest's keys, and finds each
// kit's event before the hub's activity. Bluetooth's addresses are resolved by one kit's key each. Two hubs share nothing.
func TestKitsAreHeard(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hubs.yaml")
	text := "name: hubs\npath: napt\ndevices: [{device: xiaomi-hub, units: 2}]\nhousehold: {density: 10}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, d := testbedtest.Generate(t, generate.Options{Scenario: testbedtest.Load(t, file), Seed: 12, Duration: 90 * time.Minute})
	kits, keys := kitsOf(t, d)
	if len(keys) != 2 || keys[0] == keys[1] {
		t.Fatalf("keys %v", keys)
	}
	decrypt := []string{}
	for _, k := range keys {
		decrypt = append(decrypt, "-o", fmt.Sprintf(`uat:zigbee_pc_keys:"%s","Normal","k"`, k))
	}
	for _, wrong := range []string{"_ws.malformed", "_ws.expert", "!(wpan.fcs_ok == 1)", "zbee_nwk && !(zbee_zcl || zbee_nwk.cmd.id == 8)"} {
		if lines := testbedtest.Tshark(t, d, dataset.FileZigbee, append(decrypt, "-Y", wrong)...); len(lines) > 0 {
			t.Errorf("%s: %d frames, the first %s", wrong, len(lines), lines[0])
		}
	}
	for _, wrong := range []string{"_ws.malformed", "_ws.expert", "!btcommon.eir_ad.entry.service_data", "btle.advertising_header.randomized_tx == 0"} {
		if lines := testbedtest.Tshark(t, d, dataset.FileBLE, "-Y", wrong); len(lines) > 0 {
			t.Errorf("%s: %d frames, the first %s", wrong, len(lines), lines[0])
		}
	}
	heard := append(zigbeeReports(t, d, kits, decrypt), advertisements(t, d, kits)...)
	counted := make(map[string]int)
	for _, e := range testbedtest.Events(t, d) {
		if e.Kit == "" {
			continue
		}
		name, at := e.Unit+"/"+e.Kit, float64(e.TScript)/1e9
		if kits[name] == nil {
			t.Fatalf("event %d is of %s, which the manifest does not have", e.Event, name)
		}
		if !slices.ContainsFunc(heard, func(h heardFrom) bool { return h.from == name && h.at > at-0.031 && h.at < at+0.001 }) {
			t.Errorf("event %d, %s of %s, was not heard", e.Event, e.Activity, name)
		}
		counted[e.Activity]++
	}
	for _, activity := range []string{"motion", "door", "button", "property-report"} {
		if counted[activity] < 3 {
			t.Errorf("%d events of %s", counted[activity], activity)
		}
	}
	labelled := make(map[int64]bool)
	for _, r := range testbedtest.Rows(t, d) {
		labelled[r.Event] = true
	}
	for _, e := range testbedtest.Events(t, d) {
		if e.Kit != "" && e.Outcome == "ok" && !labelled[e.Event] {
			t.Errorf("event %d of %s has no packet on the WAN", e.Event, e.Kit)
		}
	}
}

// zigbeeReports returns the attribute reports, each by the kit that has its address and its EUI-64.
func zigbeeReports(t *testing.T, d *dataset.Dataset, kits map[string]map[string]any, decrypt []string) (all []heardFrom) {
	t.Helper()
	owner := make(map[string]string)
	for name, k := range kits {
		if k["radio"] == "zigbee" {
			owner[k["nwk_addr"].(string)+k["eui64"].(string)] = name
		}
	}
	fields := []string{"-Y", "zbee_zcl", "-T", "fields", "-e", "frame.time_epoch", "-e", "zbee_nwk.src", "-e", "zbee.sec.src64", "-e", "zbee_aps.cluster"}
	for _, line := range testbedtest.Tshark(t, d, dataset.FileZigbee, append(slices.Clone(decrypt), fields...)...) {
		f := strings.Split(line, "\t")
		name := owner[f[1]+strings.ReplaceAll(f[2], ":", "")]
		if name == "" {
			t.Fatalf("a report of nobody: %q", line)
		}
		want := map[any]string{"motion": "0x0406", "button": "0x0006"}[kits[name]["sensor"]]
		if f[3] != want && f[3] != "0x0000" { // the battery's
			t.Errorf("%s reports cluster %s", name, f[3])
		}
		all = append(all, heardFrom{seconds(t, f[0], d.Manifest.StartNs), name, f[3]})
	}
	return all
}

// advertisements returns the kits' advertisements: each address is resolved by one key.
func advertisements(t *testing.T, d *dataset.Dataset, kits map[string]map[string]any) (all []heardFrom) {
	t.Helper()
	resolved := make(map[string]string)
	addresses := make(map[string]int)
	for _, line := range testbedtest.Tshark(t, d, dataset.FileBLE, "-T", "fields", "-e", "frame.time_epoch", "-e", "btle.advertising_address") {
		f := strings.Split(line, "\t")
		mac, err := net.ParseMAC(f[1])
		if err != nil {
			t.Fatal(err)
		}
		if resolved[f[1]] == "" {
			for name, k := range kits {
				if k["radio"] != "ble" || !pan.Resolve(key16(t, k["irk"]), [6]byte(mac)) {
					continue
				}
				if resolved[f[1]] != "" {
					t.Errorf("%s is resolved by two keys", f[1])
				}
				resolved[f[1]] = name
				addresses[name]++
			}
			if resolved[f[1]] == "" {
				t.Fatalf("nobody's key resolves %s", f[1])
			}
		}
		all = append(all, heardFrom{at: seconds(t, f[0], d.Manifest.StartNs), from: resolved[f[1]]})
	}
	for name, n := range addresses {
		if n < 6 || n > 7 {
			t.Errorf("%s had %d addresses in 90 minutes", name, n)
		}
	}
	return all
}

// Without captures there is no air, and everything else is as with them; of a home without a hub there is none either.
func TestNoAirWithoutCaptures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scenario, captures string
		want               int
	}{{"single-xiaomi-hub", dataset.CapturesAll, 2}, {"single-xiaomi-hub", dataset.CapturesWAN, 0}, {"single-xiaomi-hub", dataset.CapturesNone, 0}, {"single-echo-dot", dataset.CapturesAll, 0}} {
		_, d := testbedtest.Generate(t, generate.Options{Scenario: testbedtest.Load(t, c.scenario), Seed: 3, Duration: 10 * time.Minute, Captures: c.captures})
		files, err := filepath.Glob(filepath.Join(d.HomePath(0), "pan-*.pcapng"))
		if err != nil || len(files) != c.want {
			t.Errorf("%s, captures %s: %v %v", c.scenario, c.captures, files, err)
		}
		if n := d.Manifest.Counts; (n.Zigbee > 0 && n.BLE > 0) != (c.want > 0) {
			t.Errorf("%s, captures %s: %+v", c.scenario, c.captures, n)
		}
	}
}
