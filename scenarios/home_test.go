package scenarios

import (
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glasshouse/devices/profile"
)

func drawHome(tb testing.TB, s *Scenario, seed uint64, home int) *Home {
	tb.Helper()
	h, err := s.Draw(seed, home)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// This must never change: datasets are identified by their seeds.
func TestDrawGolden(t *testing.T) {
	h := drawHome(t, load(t, "noisy-napt"), 42, 0)
	golden(t, "noisy-napt-42-0.json", asJSON(t, h.Varied)+"\n")
}

func TestDrawIsAFunction(t *testing.T) {
	s := load(t, "noisy-napt")
	one := asJSON(t, drawHome(t, s, 1, 3).Varied)
	if two := asJSON(t, drawHome(t, load(t, "noisy-napt"), 1, 3).Varied); one != two {
		t.Error("the same seed and index gave different homes")
	}
	for _, c := range [][2]int{{1, 4}, {2, 3}, {3, 1}} {
		if other := asJSON(t, drawHome(t, s, uint64(c[0]), c[1]).Varied); other == one {
			t.Errorf("seed %d, home %d is the same home as seed 1, home 3", c[0], c[1])
		}
	}
	if _, err := s.Draw(1, -1); err == nil {
		t.Error("home -1 was drawn")
	}
}

func TestHomesDiffer(t *testing.T) {
	s := load(t, "noisy-napt")
	sets, lans, amazon, phases := make(map[string]int), make(map[string]bool), make(map[netip.Addr]bool), make(map[int64]bool)
	missing := 0
	const homes = 300
	for i := range homes {
		h := drawHome(t, s, 5, i)
		var names []string
		iot, phones := 0, 0
		for _, p := range h.Profiles {
			names = append(names, p.Device)
			if p.Kind == profile.KindIoT {
				iot++
			} else {
				phones++
			}
		}
		if iot < 4 || phones < 1 {
			t.Fatalf("home %d has %v", i, names)
		}
		missing += 10 - iot
		sets[strings.Join(names, " ")]++
		lans[h.LAN.String()] = true
		if a, ok := h.Lookup("dp-gw-na.amazon.com"); ok {
			amazon[a] = true
		}
		for _, x := range h.Scripts(time.Minute, 1) {
			if b := x.Beats()[0]; b.Activity == "heartbeat" {
				phases[b.Phase] = true
			}
		}
	}
	if len(sets) < 8 || len(lans) < homes/3 || len(amazon) < 180 || len(phases) < 1000 {
		t.Errorf("%d sets of devices, %d LANs, %d addresses of one host, %d phases", len(sets), len(lans), len(amazon), len(phases))
	}
	if share := float64(missing) / (10 * homes); math.Abs(share-0.3) > 0.03 {
		t.Errorf("%.3f of the devices are absent, want about 0.3", share)
	}
}

func TestHomeIsConsistent(t *testing.T) {
	internet, cgn := netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("100.64.0.0/10")
	for _, name := range []string{"noisy-vpn", "single-360-camera-lan", "single-xiaomi-hub"} {
		s := load(t, name)
		for i := range 20 {
			h := drawHome(t, s, 1, i)
			addrs, macs, names := make(map[netip.Addr]bool), make(map[[6]byte]bool), make(map[string]bool)
			for n, u := range h.Specimens {
				if int(u.Index) != n || !h.LAN.Contains(u.Addr) || u.Addr == h.GatewayLAN || addrs[u.Addr] || macs[u.MAC] || names[u.Name] {
					t.Fatalf("unit %+v", u)
				}
				addrs[u.Addr], macs[u.MAC], names[u.Name] = true, true, true
				if [3]byte(u.MAC[:3]) != u.Profile.OUI || u.Habit <= 0 || u.Drift < -maxDrift || u.Drift > maxDrift {
					t.Fatalf("unit %+v", u)
				}
				for _, svc := range u.Profile.Services {
					a, ok := h.Lookup(svc.Host)
					if ok != svc.WAN() || ok && !internet.Contains(a) {
						t.Fatalf("%s of %s is at %v, %t", svc.Host, u.Name, a, ok)
					}
					for unit := range names {
						if strings.Contains(svc.Host, unit) {
							t.Fatalf("host %s names %s", svc.Host, unit)
						}
					}
				}
			}
			if len(h.Leases()) != len(h.Specimens) {
				t.Fatal("leases are missing")
			}
			owner := make(map[netip.Addr]string)
			for _, c := range h.Clouds {
				for _, a := range c.Addrs {
					if o, ok := owner[a]; ok && o != c.Cloud {
						t.Fatalf("%s is of the clouds %s and %s", a, o, c.Cloud)
					}
					owner[a] = c.Cloud
				}
				if c.Addrs[0] != c.Addr || h.FarDelays()[c.Addr] != c.Extra || c.Extra <= 0 {
					t.Fatalf("cloud %+v", c)
				}
			}
			if !cgn.Contains(h.WANAddr) || !cgn.Contains(h.ISPAddr) || h.WANAddr == h.ISPAddr {
				t.Fatalf("WAN %s, ISP %s", h.WANAddr, h.ISPAddr)
			}
			for _, a := range []netip.Addr{h.VPNServer, h.DNS} {
				if !internet.Contains(a) || owner[a] != "" {
					t.Fatalf("%s is taken by %s", a, owner[a])
				}
			}
		}
	}
}

// Hosts of one cloud share addresses, also between devices: the phone's and the hub's, or one device's own.
func TestCloudsShareAddresses(t *testing.T) {
	h := drawHome(t, load(t, "single-echo-dot"), 1, 0)
	hosts, addrs := 0, make(map[netip.Addr]bool)
	for _, c := range h.Clouds {
		if c.Cloud == "amazon" {
			hosts++
			addrs[c.Addr] = true
		}
	}
	if hosts < 3 || len(addrs) >= hosts {
		t.Errorf("%d hosts on %d addresses", hosts, len(addrs))
	}
}

// A scenario can set the distance of clouds; by default they are at any distance.
func TestCloudsAreAsFarAsTheScenarioSays(t *testing.T) {
	for _, c := range []struct {
		key         string
		least, most time.Duration
	}{
		{"", 2 * time.Millisecond, 90 * time.Millisecond},
		{", clouds: [10ms, 50ms]", 10 * time.Millisecond, 50 * time.Millisecond},
		{", clouds: 40ms", 40 * time.Millisecond, 40 * time.Millisecond},
	} {
		s, err := Parse("x.yaml", []byte("name: x\npath: napt\ndevices: [{device: echo-dot}]\nwan: {loss: 0.1"+c.key+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		nearest, farthest := time.Hour, time.Duration(0)
		for home := range 30 {
			for _, x := range drawHome(t, s, 1, home).Clouds {
				nearest, farthest = min(nearest, time.Duration(x.Extra)), max(farthest, time.Duration(x.Extra))
			}
		}
		if nearest < c.least || farthest > c.most || farthest-nearest < (c.most-c.least)/2 {
			t.Errorf("%q: clouds from %v to %v away, want %v to %v", c.key, nearest, farthest, c.least, c.most)
		}
	}
}

// Two units of one model differ in all attributes of a unit.
func TestTwoUnits(t *testing.T) {
	s, err := Parse("x.yaml", []byte("name: x\npath: napt\ndevices: [{device: echo-dot, units: 2}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	h := drawHome(t, s, 1, 0)
	a, b := h.Specimens[0], h.Specimens[1]
	if a.Name != "echo-dot" || b.Name != "echo-dot-2" || a.Seed == b.Seed || a.Drift == b.Drift || a.MAC == b.MAC || a.Addr == b.Addr || a.Profile != b.Profile {
		t.Errorf("%+v\n%+v", a, b)
	}
	x := h.Scripts(time.Minute, 1)
	if x[0].Beats()[0].Phase == x[1].Beats()[0].Phase {
		t.Error("two units' heartbeats are in phase")
	}
}

func TestActivities(t *testing.T) {
	s := load(t, "iot-napt")
	want := drawHome(t, s, 1, 0).Activities()
	if want[0] != ActivityNone || want[1] != profile.ActivityBoot {
		t.Errorf("%v", want)
	}
	for i := range 20 {
		h := drawHome(t, s, 2, i)
		if diff := cmp.Diff(want, h.Activities()); diff != "" {
			t.Fatalf("homes number activities differently:\n%s", diff)
		}
		known := make(map[string]bool)
		for _, a := range h.Activities() {
			if known[a] {
				t.Fatalf("%s is listed twice", a)
			}
			known[a] = true
		}
		agenda := h.Agenda(10*time.Minute, 5)
		for n := int64(0); ; n++ {
			x, ok := agenda.Next()
			if !ok {
				if n < 50 {
					t.Errorf("only %d events in ten minutes", n)
				}
				break
			}
			if x.Event != n || !known[x.Activity.Name] || int(x.Unit) >= len(h.Specimens) {
				t.Fatalf("%+v", x)
			}
		}
	}
}

func TestPeer(t *testing.T) {
	if _, ok := drawHome(t, load(t, "iot-napt"), 1, 0).Peer(); ok {
		t.Error("a peer in a home without phones")
	}
	if p, ok := drawHome(t, load(t, "single-360-camera-lan"), 1, 0).Peer(); !ok || p.Profile.Kind != profile.KindPhone {
		t.Error("no peer on the LAN")
	}
}
