package profile_test

import (
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
)

// What is assumed of a measured entry counts as assumed, and only what is given counts at all.
func TestBasesCountQuantities(t *testing.T) {
	p, err := catalogue.Parse("box.yaml", []byte(`device: box
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
	if n[profile.BasisMeasured] != 2 || n[profile.BasisPaper] != 2 || n[profile.BasisAssumed] != 6 {
		t.Errorf("%v, want 2 measured (host, port), 2 of the paper (every, steps), 6 assumed", n)
	}
	q := *p
	q.Services = append([]profile.Service(nil), p.Services...)
	q.Services[0].Assumed = nil
	if p.Digest() != q.Digest() {
		t.Error("what is assumed changes the digest, which names data")
	}
}
