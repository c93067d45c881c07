package profile

import (
	"slices"

	"glasshouse/devices/draw"
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
	Name  string     `json:"name"`            // one of States
	Lasts draw.Range `json:"lasts"`           // ns, after which Next begins; Max 0 = until an activity ends it
	Next  string     `json:"next,omitempty"`  // "" where Lasts is 0
	Steps []Step     `json:"steps,omitempty"` // what the device does when the state begins
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
