package testbedtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/scenarios"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/verify"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/live"
	"glasshouse/testbed/live/doctor"
	"glasshouse/testbed/need"
	"glasshouse/testbed/run"
)

// Main runs a package's tests, or the lab if this process is one that a test has started, and returns the exit code. TestMain of a package
// that runs live homes calls it.
func Main(m *testing.M) int {
	if handled, code := live.Child(); handled {
		return code
	}
	return m.Run()
}

// NeedLive skips a test that this machine cannot run.
func NeedLive(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a live home takes its time: not with -short")
	}
	if r := doctor.Examine(); !r.Live {
		need.Skip(t, "no live home here: "+r.FirstFix())
	}
}

// calm is a home whose air and whose WAN neither delay nor lose.
const calm = `name: calm
about: A home on a perfect network.
start: 2026-01-05T00:00:00Z
duration: 40s
warm_up: 1s
path: PATH
devices: [DEVICES]
household: {density: 200}
wan: {up_rate: 10000mbit, down_rate: 10000mbit, queue: 16MB, delay: 0, jitter: 0, loss: 0, unsolicited_per_hour: STRANGERS}
wifi: {delay: 0, jitter: 0, loss: 0, power_save: false}
`

// CalmHome is a home of devices, each a name or a file, behind a path (napt, vpn); strangers is how many packets an hour come unasked.
func CalmHome(t *testing.T, path, strangers string, devices ...string) *scenarios.Scenario {
	t.Helper()
	entries := make([]string, len(devices))
	for i, d := range devices {
		entries[i] = "{device: " + d + "}"
	}
	text := strings.NewReplacer("PATH", path, "DEVICES", strings.Join(entries, ", "), "STRANGERS", strangers).Replace(calm)
	file := filepath.Join(t.TempDir(), "calm.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(t, file)
}

// Run runs a home and checks what holds for every run: it is valid, everything is attributed, the data set verifies.
func Run(t *testing.T, o run.Options) (*run.Result, *dataset.Dataset) {
	t.Helper()
	if o.Out == "" {
		o.Out = filepath.Join(t.TempDir(), "set")
	}
	res, err := testbed.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Valid || res.Packets.Unattributed != 0 || res.Cut {
		t.Fatalf("%+v", res)
	}
	v, err := verify.Run(o.Out, false)
	if err != nil {
		t.Fatal(err)
	}
	if !v.OK || v.Checked != res.Packets.WAN {
		t.Fatalf("%d packets; %+v", res.Packets.WAN, v)
	}
	d, err := dataset.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	c := d.Manifest.Counts
	dropped := int64(0)
	for _, n := range c.Drops {
		dropped += n
	}
	if c.LAN != c.WAN-c.WithoutLAN+c.Local+dropped {
		t.Errorf("the counts do not balance: %+v", c)
	}
	return res, d
}

// Generate lives homes in the virtual world and checks what holds for every run: it is valid, all is attributed, it verifies.
func Generate(t *testing.T, o generate.Options) (*generate.Result, *dataset.Dataset) {
	t.Helper()
	if o.Out == "" {
		o.Out = filepath.Join(t.TempDir(), "set")
	}
	o.Homes, o.Workers, o.Shard, o.Of = max(o.Homes, 1), max(o.Workers, 1), max(o.Shard, 1), max(o.Of, 1)
	if o.Captures == "" {
		o.Captures = dataset.CapturesAll
	}
	res, err := generate.Homes(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Valid || len(res.Reasons) > 0 {
		t.Fatalf("%+v", res)
	}
	v, err := verify.Run(o.Out, false)
	if err != nil {
		t.Fatal(err)
	}
	if !v.OK || v.Checked != res.Packets {
		t.Fatalf("%d packets; %+v", res.Packets, v)
	}
	d, err := dataset.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	c := d.Manifest.Counts
	dropped := int64(0)
	for _, n := range c.Drops {
		if n < 0 {
			t.Errorf("a negative count of drops: %+v", c.Drops)
		}
		dropped += n
	}
	if c.LAN != c.WAN-c.WithoutLAN+c.Local+dropped {
		t.Errorf("the counts do not balance: %+v", c)
	}
	if d.Manifest.Fidelity.Unattributed != 0 || d.Manifest.Fidelity.Late != 0 {
		t.Errorf("%+v", d.Manifest.Fidelity)
	}
	return res, d
}
