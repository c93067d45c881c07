package script

import (
	"math"
	"sort"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
)

// Presence is where somebody is.
type Presence uint8

// Where somebody can be.
const (
	Away Presence = iota
	Asleep
	Awake // and at home
)

// The days that a household's plan has. It begins on a Monday, and then comes again.
const (
	PlanDays = 28
	dayNs    = int64(24 * time.Hour)
	planNs   = PlanDays * dayNs
)

// Change is from when on, ns of the plan, somebody is somewhere.
type Change struct {
	At int64
	Is Presence
}

// Person is somebody who acts on devices.
type Person struct {
	Name  string   // an event's actor: "resident-1", "guest-1"
	Plan  []Change // in order, the first at 0
	Guest bool     // who has no app
}

// is returns where a person is at a time of the plan.
func (p *Person) is(at int64) Presence {
	lo, hi := 0, len(p.Plan)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; p.Plan[mid].At <= at {
			lo = mid
		} else {
			hi = mid
		}
	}
	return p.Plan[lo].Is
}

// People are a household. Their days decide when its devices are acted on, and by whom: how often in a day, the profiles say.
type People struct {
	Persons []Person
	Start   int64 // of script time 0 in the plan, ns
}

// How much somebody does, by where they are: relative to others in the same act.
const (
	weightPresent = 20 // awake at home, for what is done there; away, for what is done from there
	weightFromBed = 1  // assumed: of motion, by somebody who gets up at night
	weightOnSofa  = 4  // assumed: of remote acts, by somebody who is at home: an app without a local mode goes by the cloud
)

// weight returns how much a person does of what a trigger sets off, at a place. The owner, if there is one, alone acts.
func weight(p *Person, is Presence, trigger, owner string) int64 {
	switch {
	case owner != "" && p.Name != owner:
		return 0
	case owner == "" && trigger == profile.TriggerAppRemote:
		switch {
		case p.Guest:
		case is == Away:
			return weightPresent
		case is == Awake:
			return weightOnSofa
		}
		return 0
	case is == Awake:
		return weightPresent
	case is == Asleep && trigger == profile.TriggerMotion:
		return weightFromBed
	}
	return 0
}

// rhythm is how an activity's rate goes up and down over the plan. Each day that has any of it has as much as every other: the
// clock of average time, which runs fast when people are there and stands when they are not, gains a day a day.
type rhythm struct {
	start  int64   // of script time 0, ns of the plan
	at     []int64 // ns of the plan, where the weight changes; the first 0
	weight []int64
	days   [PlanDays]int64 // sum of weight and ns of each day
}

// rhythm returns the rhythm of a trigger's acts, by anybody or by an owner alone.
func (h *People) rhythm(trigger, owner string) *rhythm {
	r := &rhythm{start: h.Start}
	next := make([]int, len(h.Persons))
	for at := int64(0); at < planNs; {
		sum, until := int64(0), (at/dayNs+1)*dayNs
		for i := range h.Persons {
			p := &h.Persons[i]
			for next[i]+1 < len(p.Plan) && p.Plan[next[i]+1].At <= at {
				next[i]++
			}
			sum += weight(p, p.Plan[next[i]].Is, trigger, owner)
			if next[i]+1 < len(p.Plan) {
				until = min(until, p.Plan[next[i]+1].At)
			}
		}
		r.at, r.weight = append(r.at, at), append(r.weight, sum)
		r.days[at/dayNs] += sum * (until - at)
		at = until
	}
	return r
}

// after returns the time at which the clock of average time has gone on by gap since a time, both ns of the script; MaxInt64
// where it never does. The plan goes round.
func (r *rhythm) after(at, gap int64) int64 {
	at += r.start
	round, at := at/planNs*planNs-r.start, at%planNs
	i := sort.Search(len(r.at), func(i int) bool { return r.at[i] > at }) - 1
	for still := 0; still <= PlanDays; { // days in a row on which nobody is there
		if i == len(r.at) {
			if round > math.MaxInt64-2*planNs {
				return math.MaxInt64
			}
			round, at, i = round+planNs, 0, 0
		}
		end := planNs
		if i+1 < len(r.at) {
			end = r.at[i+1]
		}
		w, day := r.weight[i], r.days[at/dayNs]
		if w > 0 {
			still = 0
			gains := scale((end-at)*w, dayNs, day)
			if gap < gains {
				return round + min(at+scale(gap, day, w*dayNs), end-1)
			}
			gap -= gains
		} else if end%dayNs == 0 {
			still++
		}
		at = end
		i++
	}
	return math.MaxInt64
}

// actor draws who acts at a time of the script: somebody who can, or the owner.
func (h *People) actor(trigger, owner string, at int64, d *draw.Stream) string {
	if owner != "" {
		return owner
	}
	at = (at + h.Start) % planNs
	sum := int64(0)
	for i := range h.Persons {
		p := &h.Persons[i]
		sum += weight(p, p.is(at), trigger, "")
	}
	if sum == 0 { // an act that waited for the one before it until everybody slept or had left
		return h.Persons[0].Name
	}
	n := d.N(sum)
	for i := range h.Persons {
		p := &h.Persons[i]
		if n -= weight(p, p.is(at), trigger, ""); n < 0 {
			return p.Name
		}
	}
	return ""
}
