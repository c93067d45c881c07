package devices

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// sources returns the names of testdata/sources.tsv: captures, flow records and lists that measurements come from.
func sources(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/sources.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 3 || f[0] == "" || f[1] == "" || f[2] == "" {
			t.Fatalf("sources.tsv:%d: want name, where it is from, what it is", i+1)
		}
		if i > 0 {
			names = append(names, f[0])
		}
	}
	return names
}

// A number that is called measured names the capture, record or list that it was read from, and what of its entry is assumed.
// What was solved from means or from what others leave is assumed.
func TestMeasuredNumbersNameTheirSource(t *testing.T) {
	known := sources(t)
	used := make(map[string]bool)
	solved := regexp.MustCompile(`\b(derived from moniotr|solved|fit)\b`)
	check := func(device, entry string, o *Origin) {
		if o.Basis == BasisAssumed {
			return
		}
		if o.Basis == BasisMeasured {
			found := false
			for _, name := range known {
				if strings.Contains(o.Source, name) {
					found, used[name] = true, true
				}
			}
			if !found {
				t.Errorf("%s: %s: %q names no source of testdata/sources.tsv", device, entry, o.Source)
			}
			if what := solved.FindString(o.Source); what != "" {
				t.Errorf("%s: %s is called measured, and its source says %q", device, entry, what)
			}
		}
		if said := strings.Contains(o.Source, "assumed"); said && len(o.Assumed) == 0 {
			t.Errorf("%s: %s: its source speaks of what is assumed, and no number of it is", device, entry)
		}
	}
	for _, p := range loadAll(t) {
		for i := range p.Services {
			check(p.Device, p.Services[i].Name, &p.Services[i].Origin)
		}
		for i := range p.Kits {
			check(p.Device, p.Kits[i].Name, &p.Kits[i].Origin)
		}
		for i := range p.States {
			check(p.Device, p.States[i].Name, &p.States[i].Origin)
		}
		for i := range p.Activities {
			check(p.Device, p.Activities[i].Name, &p.Activities[i].Origin)
		}
	}
	for _, name := range known {
		if !used[name] {
			t.Errorf("no measurement is of %s any more", name)
		}
	}
}

// What is assumed of a measured entry counts as assumed, and only what is given counts at all.
func TestBasesCountQuantities(t *testing.T) {
	p, err := ParseProfile("box.yaml", []byte(`device: box
about: a box
kind: iot
category: hub
oui: "00:11:22"
services:
  - {name: api, host: api.k.io, port: 443, transport: tls12, cloud: k, lasting: true, login: {up: 20, down: 20}, basis: measured, assumed: [login, lasting], source: s}
activities:
  - {name: beat, trigger: timer, every: 5s, jitter: 1ms, basis: paper, assumed: [jitter], source: s, steps: [{service: api, messages: [{up: 20}]}]}
  - {name: look, trigger: motion, per_day: 1, basis: assumed, source: s, steps: [{service: api, messages: [{up: 20}]}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	n := p.Bases()
	if n[BasisMeasured] != 2 || n[BasisPaper] != 2 || n[BasisAssumed] != 6 {
		t.Errorf("%v, want 2 measured (host, port), 2 of the paper (every, steps), 6 assumed", n)
	}
	q := *p
	q.Services = append([]Service(nil), p.Services...)
	q.Services[0].Assumed = nil
	if p.Digest() != q.Digest() {
		t.Error("what is assumed changes the digest, which names data")
	}
}
