package profile

import (
	"slices"

	"glasshouse/devices/strictyaml"
)

// states reads the states of a device. They come before the activities, which name them.
func (r *reader) states(n strictyaml.Node) {
	if !n.Given() {
		return
	}
	nodes := n.List()
	if len(nodes) < 2 {
		n.Errorf("two states or more, the first being that after boot", "fewer than two states")
	}
	seen := make(map[string]bool)
	next := make([]strictyaml.Node, 0, len(nodes))
	for _, item := range nodes {
		m := item.Map("name", "lasts", "next", "steps", "basis", "assumed", "source")
		s := State{Name: m.Need("name").Enum(States()...)}
		if s.Name != "" && seen[s.Name] {
			item.Errorf("each name once", "a second state %q", s.Name)
		}
		seen[s.Name] = true
		r.astray = r.astray || s.Name == ""
		s.Origin = r.origin(m)
		switch {
		case m.Has("lasts") && m.Has("next"):
			s.Lasts = durations(m.Opt("lasts"), MinPeriod, maxPeriod)
		case m.Has("lasts"):
			item.Errorf("lasts and next, or neither", "a state that ends by itself, and none that follows")
		case m.Has("next"):
			m.Opt("next").Errorf("lasts and next, or neither", "\"next\" without \"lasts\": an activity that ends a state says what follows (then)")
		}
		next = append(next, m.Opt("next"))
		s.Steps = r.steps(m.Opt("steps"), &Routine{Name: s.Name, Trigger: TriggerState})
		r.p.States = append(r.p.States, s)
	}
	for i, n := range next {
		if s := &r.p.States[i]; n.Given() {
			if s.Next = r.stateOf(n); s.Next != "" && s.Next == s.Name {
				n.Errorf("another state", "%q follows itself", s.Next)
			}
		}
	}
	r.stateNodes = nodes
}

// stateOf reads the name of one of the device's states; "" where it is none.
func (r *reader) stateOf(n strictyaml.Node) string {
	s := n.String(32)
	if s == "" || r.p.State(s) != nil {
		return s
	}
	r.astray = true
	if len(r.p.States) == 0 {
		n.Errorf("states, in the profile", "no state %q: the device has none", s)
		return ""
	}
	var names []string
	for i := range r.p.States {
		if name := r.p.States[i].Name; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	n.Errorf(strictyaml.OneOf(s, names), "no state %q", s)
	return ""
}

// statesOf reads in which states an activity can happen, and which it brings.
func (r *reader) statesOf(m strictyaml.Map, a *Routine) {
	for _, key := range []string{"during", "enters", "then"} {
		if m.Has(key) && a.Trigger == TriggerBoot {
			m.Opt(key).Errorf("", "when the device has come up it is in its first state")
			return
		}
	}
	if m.Has("during") {
		nodes := m.Opt("during").List()
		if len(nodes) == 0 {
			m.Opt("during").Errorf("one state or more", "an activity without a state that it can happen in")
		}
		for _, n := range nodes {
			s := r.stateOf(n)
			if s != "" && slices.Contains(a.During, s) {
				n.Errorf("each state once", "%q twice", s)
			}
			a.During = append(a.During, s)
		}
	}
	a.Enters, a.Then = r.stateOf(m.Opt("enters")), r.stateOf(m.Opt("then"))
	if a.Enters != "" && a.Enters == a.Then {
		m.Opt("then").Errorf("another state, or none", "the state that it begins with is %q, too", a.Then)
	}
	if r.p.State(a.Name) != nil {
		m.Opt("name").Errorf("another name", "%q is a state's name", a.Name)
	}
}

// reach refuses states that no unit can come to, and activities that can happen in none but these.
func (r *reader) reach(activities []strictyaml.Node) {
	if r.astray { // names that are wrong lead nowhere: they were reported
		return
	}
	seen := r.p.reachable()
	for i := range r.p.States {
		if s := &r.p.States[i]; !seen[s.Name] {
			r.stateNodes[i].Errorf("a state before it with next, or an activity with enters or then", "nothing leads to the state %q", s.Name)
		}
	}
	for i := range r.p.Activities {
		a := &r.p.Activities[i]
		if len(a.During) > 0 && !slices.ContainsFunc(a.During, func(s string) bool { return seen[s] }) {
			activities[i].Errorf("", "%q can never happen: nothing leads to a state of its \"during\"", a.Name)
		}
	}
}
