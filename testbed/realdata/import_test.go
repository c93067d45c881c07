package realdata_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"glasshouse/classifier/score"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/verify"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/realdata"
)

// home is a scenario without loss, so what the access point hears is what the tap sees.
const home = `name: %s
about: A home without loss.
path: %s
warm_up: 0s
devices: [{device: hue-bridge}, {device: dlink-camera, units: 2}, {device: microseven-camera}, {device: motorola-mobile}]
household: {density: 20}
wan: {delay: 5ms, jitter: 0s, loss: 0}
wifi: {loss: 0}
`

// lived lives such a home, and lists it as if it had been captured: one file of all, a device for each MAC address.
func lived(t *testing.T, path string) (*dataset.Dataset, string) {
	t.Helper()
	sc, err := scenarios.Parse("home.yaml", fmt.Appendf(nil, home, "home-"+path, path))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "lived")
	if _, err := generate.Homes(t.Context(), generate.Options{
		Scenario: sc, Seed: 5, Homes: 1, Duration: 20 * time.Minute, Workers: 1, Shard: 1, Of: 1, Out: out, Captures: dataset.CapturesAll,
	}); err != nil {
		t.Fatal(err)
	}
	d := open(t, out)
	var list strings.Builder
	list.WriteString("home: again\ntogether: true\ncaptures:\n")
	for _, u := range d.Manifest.Homes[0].Devices {
		fmt.Fprintf(&list, "  - {file: lived/home=000000/lan.pcapng, device: %s, mac: %q}\n", u.Name, u.MAC)
	}
	file := filepath.Join(dir, "again.yaml")
	if err := os.WriteFile(file, []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return d, file
}

func open(t *testing.T, dir string) *dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func imported(t *testing.T, file string, o realdata.ImportOptions) (*realdata.Result, *dataset.Dataset) {
	t.Helper()
	var err error
	if o.Home, err = realdata.Load(file, ""); err != nil {
		t.Fatal(err)
	}
	o.Out = filepath.Join(t.TempDir(), "out")
	r, err := realdata.Import(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.Run(o.Out, false)
	if err != nil || !v.OK {
		t.Fatalf("%v, %+v", err, v)
	}
	return r, open(t, o.Out)
}

// seen is what is compared of a packet.
type seen struct {
	unit, class, app string
	dir              int8
	length, payload  int32
	proto, flags     uint8
	remote           uint16
	addr             string
}

func rows(t *testing.T, d *dataset.Dataset) (all []dataset.Row, units map[string][]seen) {
	t.Helper()
	units = make(map[string][]seen)
	if err := d.Rows(func(_ int, r *dataset.Row) error {
		all = append(all, *r)
		if r.Owned() {
			units[r.Unit] = append(units[r.Unit], seen{r.Unit, r.Class, r.AppProto, r.Dir, r.Length, r.PayloadLength, r.IPProto, r.TCPFlags, r.RemotePort, r.RemoteAddr})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all, units
}

func bySize(a, b seen) int {
	return cmp.Or(cmp.Compare(a.dir, b.dir), cmp.Compare(a.length, b.length), cmp.Compare(a.payload, b.payload), cmp.Compare(a.flags, b.flags),
		cmp.Compare(a.remote, b.remote), strings.Compare(a.addr, b.addr), strings.Compare(a.app, b.app))
}

// same wants the same packets of each device; the last second may differ: what is under way is on one side only.
func same(t *testing.T, want, got map[string][]seen, slack int) {
	t.Helper()
	if len(want) != len(got) || len(want) != 5 {
		t.Fatalf("%d units, want %d", len(got), len(want))
	}
	for unit, w := range want {
		g := got[unit]
		slices.SortFunc(w, bySize)
		slices.SortFunc(g, bySize)
		missing, more := 0, 0
		for i, k := 0, 0; i < len(w) || k < len(g); {
			switch {
			case k == len(g) || i < len(w) && bySize(w[i], g[k]) < 0:
				missing++
				i++
			case i == len(w) || bySize(w[i], g[k]) > 0:
				more++
				k++
			default:
				i, k = i+1, k+1
			}
		}
		if missing > slack || more > slack || len(w) < 50 {
			t.Errorf("%s: of %d packets %d are missing, and %d are more", unit, len(w), missing, more)
		}
	}
}

// What is made of a capture on the LAN is what the tap on the WAN saw, packet by packet, behind a NAPT and, where the LAN had the tunnel's MTU,
// behind a tunnel.
func TestImportIsWhatTheTapSaw(t *testing.T) {
	t.Parallel()
	for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
		d, file := lived(t, string(path))
		r, real := imported(t, file, realdata.ImportOptions{Path: path})
		if r.Cut || r.Packets != real.Manifest.Counts.WAN || real.Manifest.Path != string(path) {
			t.Errorf("%+v", r)
		}
		_, want := rows(t, d)
		got, units := rows(t, real)
		if path == scenarios.PathVPN { // the gateway's far end has another address
			for _, m := range []map[string][]seen{want, units} {
				for _, s := range m {
					for i := range s {
						s[i].addr = ""
					}
				}
			}
		}
		same(t, want, units, 2)
		handshakes := 0
		for i, row := range got {
			if i > 0 && row.TsNs <= got[i-1].TsNs {
				t.Fatalf("frame %d is not after the one before", row.Frame)
			}
			if row.Role == "tunnel_handshake" {
				handshakes++
			}
		}
		if (handshakes > 0) != (path == scenarios.PathVPN) || path == scenarios.PathVPN && handshakes < 2*9 { // one in two minutes, of two messages
			t.Errorf("%s: %d messages of handshakes", path, handshakes)
		}
	}
}

// Full packets of a LAN without a tunnel are cut to its MTU: no byte is lost, nothing is larger than a tunnel sends.
func TestImportCutsToTheTunnel(t *testing.T) {
	t.Parallel()
	d, file := lived(t, "napt")
	_, real := imported(t, file, realdata.ImportOptions{Path: scenarios.PathVPN})
	want, _ := rows(t, d)
	got, _ := rows(t, real)
	bytes, full := 0, 0
	for i := range want {
		if want[i].Owned() {
			bytes += int(want[i].Length)
			if want[i].Length > 14+1420 {
				full++
			}
		}
	}
	inner := 0
	for i := range got {
		if n := got[i].Length; n > 14+28+32+1420 {
			t.Fatalf("frame %d has %d bytes", got[i].Frame, n)
		}
		if got[i].Owned() {
			inner += int(got[i].Length) - 28 - 32
		}
	}
	if full < 100 || inner < bytes || inner > bytes*12/10 {
		t.Errorf("%d full packets; %d bytes without and %d behind the tunnel, where padding and headers add some", full, bytes, inner)
	}
}

// The two halves are the whole, and no packet is in both.
func TestImportHalves(t *testing.T) {
	t.Parallel()
	_, file := lived(t, "napt")
	all, whole := imported(t, file, realdata.ImportOptions{Path: scenarios.PathNAPT})
	one, first := imported(t, file, realdata.ImportOptions{Path: scenarios.PathNAPT, Part: realdata.PartFirst})
	two, second := imported(t, file, realdata.ImportOptions{Path: scenarios.PathNAPT, Part: realdata.PartSecond})
	if one.Packets+two.Packets != all.Packets || one.Packets == 0 || two.Packets == 0 {
		t.Errorf("%d and %d packets of %d", one.Packets, two.Packets, all.Packets)
	}
	if one.Hours > 0.2 || two.Hours > 0.2 || all.Hours < 0.3 {
		t.Errorf("%.2f and %.2f hours of %.2f", one.Hours, two.Hours, all.Hours)
	}
	_, w := rows(t, whole)
	_, a := rows(t, first)
	_, b := rows(t, second)
	for unit := range w {
		a[unit] = append(a[unit], b[unit]...)
	}
	same(t, w, a, 0)
	if err := score.CheckApart([]*dataset.Dataset{first}, []*dataset.Dataset{second}); err != nil {
		t.Error(err)
	}
	if err := score.CheckApart([]*dataset.Dataset{first}, []*dataset.Dataset{first}); !errors.Is(err, score.ErrSeen) {
		t.Errorf("a half that was learned from: %v", err)
	}
}

// Captures of different times come together: each begins at its own moment of the home.
func TestImportShifts(t *testing.T) {
	t.Parallel()
	_, file := lived(t, "napt")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Replace(string(b), "together: true", "together: false", 1)
	list = strings.Replace(list, "device: microseven-camera,", "device: microseven-camera, at: 1h,", 1)
	if err := os.WriteFile(file, []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	_, d := imported(t, file, realdata.ImportOptions{Path: scenarios.PathNAPT})
	all, _ := rows(t, d)
	for i, r := range all {
		if late := time.Duration(r.TsNs-d.Manifest.StartNs) >= time.Hour; late != (r.Device == "microseven-camera") {
			t.Fatalf("row %d of %s at %s", i, r.Device, time.Duration(r.TsNs-d.Manifest.StartNs))
		}
	}
	if all[len(all)-1].Device != "microseven-camera" {
		t.Error("the camera is not there")
	}
}
