package devices

import (
	"path/filepath"
	"strings"
	"testing"
)

func loadAll(tb testing.TB) []*Profile {
	tb.Helper()
	var all []*Profile
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestCatalogueNames(t *testing.T) {
	for i, p := range loadAll(t) {
		if p.Device != Names()[i] {
			t.Errorf("%s.yaml describes %q", Names()[i], p.Device)
		}
		if p.Kind != KindIoT && p.Class != ClassNoise {
			t.Errorf("%s: class %q, want noise", p.Device, p.Class)
		}
	}
}

// Truth must not be readable on the wire: DNS and SNI show the hosts.
func TestHostsNameNoDevice(t *testing.T) {
	for _, p := range loadAll(t) {
		for _, s := range p.Services {
			for _, name := range Names() {
				if strings.Contains(s.Host, name) {
					t.Errorf("%s: host %s holds the device name %s", p.Device, s.Host, name)
				}
			}
		}
	}
}

// One host is in one cloud, wherever it is named: homes could not resolve it otherwise.
func TestHostsHaveOneCloud(t *testing.T) {
	clouds := make(map[string]string)
	for _, p := range loadAll(t) {
		for _, s := range p.Services {
			if c, ok := clouds[s.Host]; ok && c != s.Cloud {
				t.Errorf("%s: host %s is in cloud %s and in %s", p.Device, s.Host, c, s.Cloud)
			}
			clouds[s.Host] = s.Cloud
		}
	}
}

// The application bytes under the frames that the paper and the captures give.
func TestHeartbeatBytes(t *testing.T) {
	for _, c := range []struct {
		device string
		want   []int
	}{
		{"echo-dot", []int{12}},
		{"google-home", []int{52, 21}},
		{"lockly-hub", []int{2, 2}},    // a PINGREQ and a PINGRESP: 85 - 54 - 29 each way
		{"tplink-plug", []int{33, 27}}, // 128 - 66 - 29 up, 122 - 66 - 29 down
	} {
		p, err := Load(c.device)
		if err != nil {
			t.Fatal(err)
		}
		step := p.Routine("heartbeat").Steps[0]
		var got []int
		for _, m := range expand(p, p.Routine("heartbeat").Steps, NewDraws(1, "test"), epoch{})[0].Messages {
			got = append(got, m.Size)
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v bytes, want %v", c.device, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v bytes, want %v", c.device, got, c.want)
			}
		}
		for _, r := range p.Activities {
			for _, s := range r.Steps {
				if r.Person() && s.Service == step.Service && c.device != "tplink-plug" && c.device != "lockly-hub" {
					t.Errorf("%s: %s shares the heartbeat's connection and could hold it up", c.device, r.Name)
				}
			}
		}
	}
}

func TestResolve(t *testing.T) {
	p, err := Resolve("xiaomi-hub")
	if err != nil {
		t.Fatal(err)
	}
	q, err := Resolve(filepath.Join("catalogue", "xiaomi-hub.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest() != q.Digest() {
		t.Error("the same profile from the catalogue and from its file has two digests")
	}
	if _, err := Resolve("xiaomi-hup"); err == nil || !strings.Contains(err.Error(), "did you mean xiaomi-hub?") {
		t.Errorf("error %v does not suggest the name that was meant", err)
	}
}

// No host tells on the wire what a device is, or what it does: what the data set's check would find.
func TestHostsTellNothing(t *testing.T) {
	var words []string
	var all []*Profile
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		words = append(words, p.Device)
		for _, a := range p.ActivityNames() {
			if len(a) >= 8 {
				words = append(words, a)
			}
		}
	}
	for _, p := range all {
		for _, s := range p.Services {
			for _, w := range words {
				if s.WAN() && strings.Contains(s.Host, w) {
					t.Errorf("%s: the host %s holds %q", p.Device, s.Host, w)
				}
			}
		}
	}
}
