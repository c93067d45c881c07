package script

import (
	"math"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
)

// course is the way of a unit through its states: which it is in, and which comes by itself.
type course struct {
	when, what *draw.Stream
	now        *profile.State // nil before the first
	next       *profile.State // nil: none comes by itself
	at         int64          // when next comes; MaxInt64 where none does
	actor      string         // who caused next
	held       *Activity
}

// can tells whether an activity can happen in the state that the unit is in.
func (x *Script) can(r *profile.Routine) bool {
	c := x.course
	return c == nil || c.now != nil && r.In(c.now.Name) || len(r.During) == 0
}

// due tells whether a state comes by itself at a time or before.
func (c *course) due(at int64) bool { return c != nil && c.next != nil && c.at <= at }

// expect says which state comes by itself.
func (c *course) expect(s *profile.State, at int64, actor string) {
	c.next, c.at, c.actor = s, at, actor
}

// renew sets the state's time anew.
func (c *course) renew(p *profile.Profile, at int64) {
	if c.now.Lasts.Max > 0 {
		c.expect(p.State(c.now.Next), at+c.when.In(c.now.Lasts), "")
	}
}

// begin puts the changes of state that an activity makes around it: what is returned comes first, the rest is held or expected.
func (x *Script) begin(r *profile.Routine, a Activity) Activity {
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
func (x *Script) enter(s *profile.State, at int64, actor string) Activity {
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
		Name: s.Name, Trigger: profile.TriggerState, Actor: actor, At: at,
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
		if soonest := at + int64(profile.MinPeriod); c.at < soonest { // two timers that enter each other's states would never get beyond one moment
			c.base += soonest - c.at
			c.at = soonest
		}
	}
}
