package calibration_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/learn"
	"glasshouse/devices/profile"
	"glasshouse/testbed/calibration"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/station"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

// learned lives a device of the catalogue for a while, and learns a profile from what the access point saw of it.
func learned(t *testing.T, device string, duration time.Duration) (profile string, capture string, mac [6]byte) {
	t.Helper()
	sc := testbedtest.Load(t, "single-"+device)
	sc.Household.Density = 0
	_, d := testbedtest.Generate(t, generate.Options{Scenario: sc, Seed: 3, Duration: duration, Captures: dataset.CapturesAll})
	h, err := sc.Draw(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	capture, mac = filepath.Join(d.HomePath(0), dataset.FileLAN), h.Specimens[0].MAC
	trace, err := station.Trace(capture, frames.Station{MAC: mac})
	if err != nil {
		t.Fatal(err)
	}
	r, err := learn.Learn(trace, learn.Options{Device: "stranger", Source: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	profile = filepath.Join(t.TempDir(), "stranger.yaml")
	if err := os.WriteFile(profile, r.YAML, 0o644); err != nil {
		t.Fatal(err)
	}
	return profile, capture, mac
}

// What was learned of an emulated device is what its profile says: TLS is seen through, the beat's period and bytes are found.
func TestLearnFindsTheProfileAgain(t *testing.T) {
	for _, c := range []struct {
		device    string
		transport profile.Transport
		up, down  int64
		period    time.Duration
	}{
		{"dlink-camera", profile.TransportTLS12, 157, 125, 55 * time.Second},
		{"hue-bridge", profile.TransportTLS13, 10, 6, 120 * time.Second},
		{"microseven-camera", profile.TransportTCP, 87, 18, 30 * time.Second},
		{"mi-rice-cooker", profile.TransportUDP, 32, 32, 15200 * time.Millisecond},
	} {
		t.Run(c.device, func(t *testing.T) {
			t.Parallel()
			file, _, _ := learned(t, c.device, 8*time.Hour)
			p, err := catalogue.LoadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			beat := p.Routine("heartbeat")
			if beat == nil {
				src, _ := os.ReadFile(file)
				t.Fatalf("no heartbeat in\n%s", src)
			}
			s := p.Service(beat.Steps[0].Service)
			m := beat.Steps[0].Messages
			if s.Transport != c.transport || len(m) != 2 || m[0].Size.Min != c.up || m[1].Size.Max != c.down {
				t.Errorf("%s: %+v", s.Transport, m)
			}
			got := time.Duration(beat.Every.Min)
			if n := len(beat.Gaps); n > 0 {
				got = time.Duration(beat.Gaps[n/2])
			}
			if d := got - c.period; d < -300*time.Millisecond || d > 300*time.Millisecond {
				t.Errorf("a period of %s, want about %s", got, c.period)
			}
			want, err := catalogue.Load(c.device)
			if err != nil {
				t.Fatal(err)
			}
			if p.Stack.TTL != want.Stack.TTL || p.Stack.TCPTimestamps != want.Stack.TCPTimestamps && s.Stream() {
				t.Errorf("stack %+v, want %+v", p.Stack, want.Stack)
			}
			if w := want.Service(want.Routine("heartbeat").Steps[0].Service); s.Host != w.Host || s.Port != w.Port {
				t.Errorf("%s:%d, want %s:%d", s.Host, s.Port, w.Host, w.Port)
			}
		})
	}
}

// A learned profile is lived at once in both worlds.
func TestLearnedProfileInBothWorlds(t *testing.T) {
	testbedtest.NeedLive(t)
	file, _, _ := learned(t, "microseven-camera", 3*time.Hour)
	o := run.Options{Scenario: testbedtest.CalmHome(t, "napt", "0", file), Seed: 5, Duration: 40 * time.Second}
	for _, world := range []string{"live", "virtual"} {
		o.World, o.Out = world, ""
		_, d := testbedtest.Run(t, o)
		beats := 0
		for _, e := range testbedtest.Events(t, d) {
			switch {
			case e.Outcome == "failed":
				t.Errorf("%s: %s failed", world, e.Activity)
			case e.Activity == "heartbeat" && e.Outcome == "ok":
				beats++
			}
		}
		if beats == 0 {
			t.Errorf("%s: no heartbeat in 40 s", world)
		}
	}
}

// A device compared with itself is hard to tell; with another one's capture it is plain.
func TestCompareTellsDevicesApart(t *testing.T) {
	file, capture, mac := learned(t, "dlink-camera", 12*time.Hour)
	trace, err := station.Trace(capture, frames.Station{MAC: mac})
	if err != nil {
		t.Fatal(err)
	}
	auc := make(map[string]float64)
	for name, profile := range map[string]string{"itself": file, "another": "hp-printer"} {
		c, err := calibration.Compare(t.Context(), calibration.Options{Profile: profile, Trace: trace, Seed: 1, Density: 0, Trees: 50, Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range c.Tests {
			if x.Name == "all packets" {
				if x.Result == nil {
					t.Fatalf("%s: no test", name)
				}
				auc[name] = x.Result.AUC
			}
		}
		if name != "itself" {
			continue
		}
		if r := c.PerHour[1] / c.PerHour[0]; r < 0.9 || r > 1.1 {
			t.Errorf("%.1f packets an hour, of %.1f", c.PerHour[1], c.PerHour[0])
		}
		if len(c.Beats) == 0 || c.Beats[0].N[1] == 0 || c.Beats[0].W1 > 0.05 {
			t.Errorf("%+v", c.Beats)
		}
	}
	if auc["another"] < 0.95 || auc["itself"] > auc["another"]-0.05 {
		t.Errorf("AUC %v", auc)
	}
	t.Logf("AUC %v", auc)
}
