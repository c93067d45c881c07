package profile

import "slices"

// Basis says where a number comes from.
type Basis string

// The bases of numbers.
const (
	BasisMeasured Basis = "measured" // in a capture of a real device, or in flow records: read from them, not solved from their means
	BasisPaper    Basis = "paper"    // stated by the HomeMole paper
	BasisAssumed  Basis = "assumed"  // ours; the source gives the reason
)

// Origin is where the numbers of an entry come from: of a service, a kit, a state or an activity.
type Origin struct {
	Basis   Basis    `json:"basis"`
	Assumed []string `json:"assumed,omitempty"` // keys of the entry whose numbers are assumed, whatever the basis
	Source  string   `json:"source"`            // a text; keys of sources in brackets are citations
}

// quantities are the keys of an entry under which numbers, or a place, are.
func quantities() []string {
	return []string{
		"host", "port", "lasting", "reply", "login", "units", "every", "jitter", "slip", "phase", "gaps", "at", "per_day", "refractory", "lasts", "steps",
	}
}

// count adds an entry's quantities, of which n are given, to those of each basis.
func (o *Origin) count(bases map[Basis]int, given ...bool) {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	bases[BasisAssumed] += len(o.Assumed)
	bases[o.Basis] += n - len(o.Assumed)
}

// Bases counts the profile's quantities by where they come from: of each service host, port, whether its line lasts, reply and log-in; of each activity its
// times, how often, and what is exchanged; likewise of kits and states. What is left at its default counts for nothing, but for how
// soon a person acts again, and for kits and states themselves.
func (p *Profile) Bases() map[Basis]int {
	n := make(map[Basis]int)
	for i := range p.Services {
		s := &p.Services[i]
		s.count(n, true, s.Port > 0, s.Lasting, s.Latency.Max > 0, s.Login.Up > 0 || len(s.Login.Messages) > 0)
	}
	for i := range p.Kits {
		p.Kits[i].count(n, true, true)
	}
	for i := range p.States {
		s := &p.States[i]
		s.count(n, true, s.Lasts.Max > 0, len(s.Steps) > 0)
	}
	for i := range p.Activities {
		r := &p.Activities[i]
		r.count(n, r.Every.Max > 0, r.Jitter > 0 || len(r.Jitters) > 0, r.Slip > 0, r.Phase.Max > 0, len(r.Gaps) > 0, r.Daily, r.Person(), r.Person(), len(r.Steps) > 0)
	}
	return n
}

// withoutAssumed returns the profile without what of its numbers is assumed.
func (p *Profile) withoutAssumed() *Profile {
	q := *p
	q.Services, q.Kits = slices.Clone(p.Services), slices.Clone(p.Kits)
	q.States, q.Activities = slices.Clone(p.States), slices.Clone(p.Activities)
	for i := range q.Services {
		q.Services[i].Assumed = nil
	}
	for i := range q.Kits {
		q.Kits[i].Assumed = nil
	}
	for i := range q.States {
		q.States[i].Assumed = nil
	}
	for i := range q.Activities {
		q.Activities[i].Assumed = nil
	}
	return &q
}
