package catalogue_test

import (
	"strings"
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/devicestest"
	"glasshouse/devices/profile"
)

func TestCatalogueNames(t *testing.T) {
	for i, p := range devicestest.All(t) {
		if p.Device != catalogue.Names()[i] {
			t.Errorf("%s.yaml describes %q", catalogue.Names()[i], p.Device)
		}
		if p.Kind != profile.KindIoT && p.Class != profile.ClassNoise {
			t.Errorf("%s: class %q, want noise", p.Device, p.Class)
		}
	}
}

// Truth must not be readable on the wire: DNS and SNI show the hosts.
func TestHostsNameNoDevice(t *testing.T) {
	for _, p := range devicestest.All(t) {
		for _, s := range p.Services {
			for _, name := range catalogue.Names() {
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
	for _, p := range devicestest.All(t) {
		for _, s := range p.Services {
			if c, ok := clouds[s.Host]; ok && c != s.Cloud {
				t.Errorf("%s: host %s is in cloud %s and in %s", p.Device, s.Host, c, s.Cloud)
			}
			clouds[s.Host] = s.Cloud
		}
	}
}

func TestResolve(t *testing.T) {
	p, err := catalogue.Resolve("xiaomi-hub")
	if err != nil {
		t.Fatal(err)
	}
	q, err := catalogue.Resolve("xiaomi-hub.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest() != q.Digest() {
		t.Error("the same profile from the catalogue and from its file has two digests")
	}
	if _, err := catalogue.Resolve("xiaomi-hup"); err == nil || !strings.Contains(err.Error(), "did you mean xiaomi-hub?") {
		t.Errorf("error %v does not suggest the name that was meant", err)
	}
}

// No host tells on the wire what a device is, or what it does: what the data set's check would find.
func TestHostsTellNothing(t *testing.T) {
	var words []string
	var all []*profile.Profile
	for _, name := range catalogue.Names() {
		p, err := catalogue.Load(name)
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
