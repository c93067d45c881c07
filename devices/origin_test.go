package devices

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What was solved from means or from what others leave is assumed.
func TestMeasuredNumbersNameTheirSource(t *testing.T) {
	solved := regexp.MustCompile(`derived from \[moniotr|\b(solved|fit)\b`)
	for _, p := range loadAll(t) {
		p.origins(func(o *Origin) {
			if o.Basis == BasisAssumed {
				return
			}
			cited := Cited(o.Source)
			switch {
			case len(cited) == 0:
				t.Errorf("%s: the numbers of %q are %s, and it cites no source", p.Device, o.Source, o.Basis)
			case o.Basis == BasisPaper && !slices.ContainsFunc(cited, func(key string) bool { return strings.HasPrefix(key, "homemole-") }):
				t.Errorf("%s: the numbers of %q are the paper's, and it does not cite the paper", p.Device, o.Source)
			}
			if what := solved.FindString(o.Source); what != "" && o.Basis == BasisMeasured {
				t.Errorf("%s: %q is called measured, and says %q", p.Device, o.Source, what)
			}
			if strings.Contains(o.Source, "assumed") && len(o.Assumed) == 0 {
				t.Errorf("%s: %q speaks of what is assumed, and no number of it is", p.Device, o.Source)
			}
		})
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
