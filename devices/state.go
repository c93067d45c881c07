package devices

import (
	"math"
	"slices"
)

// The states that a device can be in.
const (
	StateStandby   = "standby"   // it holds its lines, and nobody wants anything of it
	StateActive    = "active"    // it does what it is there for
	StateStreaming = "streaming" // audio or video passes
	StateSleeping  = "sleeping"  // it sends nothing, or only what keeps a line open
)

// States is the closed vocabulary of what a device can be in. A change of state is an event of its own, whose activity is
// the state's name and whose trigger is TriggerState. Not modelled: a radio that is off. A device that sleeps keeps its lease and
// its kernel's habits (renewals, ARP), where battery devices of the captures join the network anew each time they wake.
func States() []string { return []string{StateStandby, StateActive, StateStreaming, StateSleeping} }

// State is one that a device can be in. The first of a profile begins when the device has come up.
type State struct {
	Name  string `json:"name"`            // one of States
	Lasts Range  `json:"lasts"`           // ns, after which Next begins; Max 0 = until an activity ends it
	Next  string `json:"next,omitempty"`  // "" where Lasts is 0
	Steps []Step `json:"steps,omitempty"` // what the device does when the state begins
	Origin
}

// State returns a state by name, or nil.
func (p *Profile) State(name string) *State {
	for i := range p.States {
		if p.States[i].Name == name {
			return &p.States[i]
		}
	}
	return nil
}

// In tells whether the activity can happen in a state.
func (r *Routine) In(state string) bool {
	return len(r.During) == 0 || slices.Contains(r.During, state)
}

// reachable returns the states that a unit can ever be in.
func (p *Profile) reachable() map[string]bool {
	seen := make(map[string]bool)
	if len(p.States) == 0 {
		return seen
	}
	todo := []string{p.States[0].Name}
	for len(todo) > 0 {
		s := p.State(todo[0])
		todo = todo[1:]
		if s == nil || seen[s.Name] {
			continue
		}
		seen[s.Name] = true
		todo = append(todo, s.Next)
		for i := range p.Activities {
			if r := &p.Activities[i]; r.In(s.Name) {
				todo = append(todo, r.Enters, r.Then)
			}
		}
	}
	return seen
}

// course is the way of a unit through its states: which it is in, and which comes by itself.
type course struct {
	when, what *Draws
	now        *State // nil before the first
	next       *State // nil: none comes by itself
	at         int64  // when next comes; MaxInt64 where none does
	actor      string // who caused next
	held       *Activity
}

// can tells whether an activity can happen in the state that the unit is in.
func (x *Script) can(r *Routine) bool {
	c := x.course
	return c == nil || c.now != nil && r.In(c.now.Name) || len(r.During) == 0
}

// due tells whether a state comes by itself at a time or before.
func (c *course) due(at int64) bool { return c != nil && c.next != nil && c.at <= at }

// expect says which state comes by itself.
func (c *course) expect(s *State, at int64, actor string) { c.next, c.at, c.actor = s, at, actor }

// renew sets the state's time anew.
func (c *course) renew(p *Profile, at int64) {
	if c.now.Lasts.Max > 0 {
		c.expect(p.State(c.now.Next), at+c.when.In(c.now.Lasts), "")
	}
}

// begin puts the changes of state that an activity makes around it: what is returned comes first, the rest is held or expected.
func (x *Script) begin(r *Routine, a Activity) Activity {
	c := x.course
	if c == nil {
		return a
	}
	first := a
	if r.Enters != "" {
		if c.now != nil && c.now.Name == r.Enters {
			c.renew(x.profile, a.At)
		} else {
			c.held = &a
			first = x.enter(x.profile.State(r.Enters), a.At, a.Actor)
		}
	}
	if r.Then != "" {
		c.expect(x.profile.State(r.Then), a.At+span(&a), a.Actor)
	}
	return first
}

// enter changes the state. What cannot happen in it rests; what can, and could not before, begins anew with it.
func (x *Script) enter(s *State, at int64, actor string) Activity {
	c := x.course
	before := c.now
	c.now, c.next, c.at = s, nil, math.MaxInt64
	c.renew(x.profile, at)
	for i := range x.sources {
		src := &x.sources[i]
		switch r := src.routine; {
		case len(r.During) == 0, r.Daily:
		case !r.In(s.Name):
			src.at = math.MaxInt64
		case before == nil || !r.In(before.Name):
			src.restart(at)
		}
	}
	return Activity{
		Name: s.Name, Trigger: TriggerState, Actor: actor, At: at,
		Exchanges: expand(x.profile, s.Steps, c.what, levels{x.seed}.at(at)),
	}
}

// restart begins a source's times anew.
func (c *source) restart(at int64) {
	switch {
	case c.routine.Person() && c.steady && c.plan > 0: // its plan goes on
		c.at = max(at, c.plan+c.when.N(c.mean/10+1))
	case c.routine.Person():
		c.at = c.arrive(at)
	default:
		c.begin(at)
		if soonest := at + int64(minPeriod); c.at < soonest { // two timers that enter each other's states would never get beyond one moment
			c.base += soonest - c.at
			c.at = soonest
		}
	}
}
