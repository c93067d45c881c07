package script

import (
	"fmt"
	"math"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
)

// Options say for which run a script is drawn.
type Options struct {
	Duration int64   // ns: no activity starts at or after it
	Density  float64 // factor on people's acts, never on protocol timers; 0 = nobody is at home
	Peer     bool    // there is a phone on the LAN

	Clock     int64   // ns since midnight at script time 0, for what is scheduled at a time of day
	People    *People // whose days decide when they act; nil: at one rate around the clock, and two of them
	PeerOwner string  // whose the phone is: who acts through it
	Steady    bool    // people's acts come evenly, as when somebody tries a device out by a plan; otherwise at random
}

const (
	bootWithin  = int64(3 * time.Second)        // units are switched on at different moments
	connectGap  = int64(250 * time.Millisecond) // most time from one lasting connection's opening to the next one's
	settleAfter = int64(5 * time.Second)        // from the last exchange of boot to the first possible beat
	residents   = 2                             // people in the home
)

// Script yields the activities of one unit in the order of their times. Equal specimens and options give equal scripts.
// It is used from one goroutine at a time.
type Script struct {
	unit    int32
	profile *profile.Profile
	o       Options
	boot    *Activity // until it was yielded
	sources []source
	course  *course // nil: a device without states
	seed    uint64
	busy    int64 // people act on the unit one at a time: nothing of theirs starts before
}

// source yields one routine's times. Each has streams of its own, so that no routine disturbs another.
type source struct {
	routine *profile.Routine
	when    *draw.Stream
	what    *draw.Stream
	owner   string // actor of a phone's acts
	level   levels
	kits    []string     // units of the routine's kit
	which   *draw.Stream // picks one of them
	at      int64        // next time; MaxInt64 when there is none
	state   int          // of the last jitter or gap that was drawn from a chain; -1 = none was

	// Of timers: beat k comes at base + phase + k periods, stretched by drift, and a jitter.
	base, phase, period, drift, beat int64
	// Of people's acts: ns between them on average.
	mean   int64
	people *People
	rhythm *rhythm // nil: one rate around the clock
	steady bool
	plan   int64 // of the last act, without its lateness
}

// New draws the script of a unit. Habit 0 stands for 1.
func New(s Specimen, o Options) *Script {
	x := &Script{unit: s.Index, profile: s.Profile, o: o, seed: s.Seed}
	boot := x.drawBoot(s)
	x.boot = &boot
	base := boot.At + span(&boot) + settleAfter
	mode, _ := s.Options["mode"].(string)
	owner, _ := s.Options["owner"].(string)
	habit := int64(million)
	if s.Habit != 0 {
		habit = micros(s.Habit)
	}
	for i := range s.Profile.Activities {
		r := &s.Profile.Activities[i]
		switch {
		case r.Name == profile.ActivityBoot,
			r.Mode != "" && mode != "" && r.Mode != mode,
			r.Peer && !o.Peer, r.NoPeer && o.Peer:
			continue
		}
		c := source{
			routine: r, owner: owner, base: base, drift: s.Drift, level: levels{s.Seed}, state: -1,
			when: draw.New(s.Seed, "when:"+r.Name), what: draw.New(s.Seed, "what:"+r.Name),
		}
		if r.RestartedBy != "" { // the first start is like the others
			c.base = boot.At
		}
		if r.Kit != "" {
			c.kits, c.which = s.kitsOf(r.Kit), draw.New(s.Seed, "which:"+r.Name)
		}
		if r.Person() {
			c.steady = o.Steady
			if c.people = o.People; c.people != nil {
				if r.Peer && owner == "" {
					c.owner = o.PeerOwner
				}
				c.rhythm = o.People.rhythm(r.Trigger, c.owner)
			}
			c.mean = meanGap(r.PerDay, habit, micros(o.Density))
			c.at = c.arrive(base)
		} else if r.Daily {
			c.period, c.drift = dayNs, 0 // by a clock that NTP keeps
			c.phase = ((r.At-o.Clock-base)%dayNs + dayNs) % dayNs
			c.tick()
		} else if len(r.Gaps) > 0 {
			c.begin(c.base)
		} else {
			c.period = c.when.In(r.Every)
			c.begin(c.base)
		}
		if len(r.During) > 0 && !r.Daily {
			c.at = math.MaxInt64 // until a state begins in which it can happen
		}
		x.sources = append(x.sources, c)
	}
	if states := s.Profile.States; len(states) > 0 {
		x.course = &course{when: draw.New(s.Seed, "when:states"), what: draw.New(s.Seed, "what:states")}
		x.course.expect(&states[0], base, "")
	}
	return x
}

// meanGap returns ns between acts, from acts a day and two factors, all in millionths; MaxInt64 stands for never.
func meanGap(perDay, habit, density int64) int64 {
	gap := int64(24 * time.Hour)
	for _, factor := range []int64{perDay, habit, density} {
		gap = scale(gap, million, factor)
	}
	return gap
}

// Next returns the next activity; false after the last one.
func (x *Script) Next() (Activity, bool) {
	if x.boot != nil {
		a := *x.boot
		x.boot = nil
		if a.At < x.o.Duration {
			return a, true
		}
	}
	if c := x.course; c != nil && c.held != nil {
		a := *c.held
		c.held = nil
		return a, true
	}
	for {
		c := x.earliest()
		if x.course.due(min(c.time(), x.o.Duration-1)) {
			return x.enter(x.course.next, x.course.at, x.course.actor), true
		}
		if c.time() >= x.o.Duration {
			return Activity{}, false
		}
		if c.routine.Daily && !x.can(c.routine) {
			c.tick()
			continue
		}
		if !c.routine.Person() {
			a := c.perform(x.profile)
			c.tick()
			x.restart(a.Name, a.At)
			return x.begin(c.routine, a), true
		}
		if c.at < x.busy {
			c.at = x.busy
			if c.rhythm != nil { // by then they may have left, or be asleep
				c.at = c.rhythm.after(x.busy, 0)
			}
			continue
		}
		a := c.perform(x.profile)
		x.busy = a.At + span(&a) + c.when.In(c.routine.Refractory)
		c.at = c.arrive(x.busy)
		x.restart(a.Name, a.At)
		return x.begin(c.routine, a), true
	}
}

// time is when a source comes next; MaxInt64 where there is none.
func (c *source) time() int64 {
	if c == nil {
		return math.MaxInt64
	}
	return c.at
}

// earliest returns the source with the next time; of equal ones the profile's first.
func (x *Script) earliest() *source {
	var best *source
	for i := range x.sources {
		if c := &x.sources[i]; best == nil || c.at < best.at {
			best = c
		}
	}
	return best
}

// arrive draws a person's next act after a time.
func (c *source) arrive(after int64) int64 {
	if c.mean == math.MaxInt64 {
		return math.MaxInt64
	}
	if c.steady {
		return c.planned(after)
	}
	if gap := c.when.Exponential(c.mean); gap < math.MaxInt64/4-after {
		if c.rhythm != nil {
			return c.rhythm.after(after, gap)
		}
		return after + gap
	}
	return math.MaxInt64
}

// planned returns the next act of a plan: one in each stretch of the mean gap, by up to a tenth of it late, or after what is
// still being done.
func (c *source) planned(after int64) int64 {
	if c.plan == 0 {
		c.plan = after + c.when.N(c.mean-c.mean/10)
	} else if c.plan += c.mean; c.plan < 0 {
		return math.MaxInt64
	}
	return max(after, c.plan+c.when.N(c.mean/10+1))
}

// begin starts a timer: its first beat comes a phase after base.
func (c *source) begin(base int64) {
	r := c.routine
	switch {
	case len(r.Phases) > 0:
		c.phase = c.when.Quantile(r.Phases)
	case r.Phase.Max > 0:
		c.phase = c.when.In(r.Phase)
	case len(r.Gaps) > 0:
		c.phase = c.when.N(c.when.Quantile(r.Gaps))
	default:
		c.phase = c.when.N(c.period)
	}
	c.base, c.beat, c.at = base, 0, 0
	if len(r.Gaps) > 0 {
		c.at = base + stretch(c.phase, c.drift)
		return
	}
	c.tick()
}

// restart lets the timers begin anew that an activity restarts.
func (x *Script) restart(name string, at int64) {
	for i := range x.sources {
		if c := &x.sources[i]; c.routine.RestartedBy == name && x.can(c.routine) {
			c.begin(at)
		}
	}
}

// tick moves a timer to its next beat.
func (c *source) tick() {
	if len(c.routine.Gaps) > 0 {
		c.at += stretch(c.when.Follow(c.routine.Gaps, c.routine.GapNext, &c.state), c.drift)
		return
	}
	if c.period > 0 && c.beat >= (math.MaxInt64/4-c.phase)/c.period {
		c.at = math.MaxInt64
		return
	}
	late := c.when.In(draw.Range{Min: -c.routine.Jitter, Max: c.routine.Jitter})
	if len(c.routine.Jitters) > 0 {
		late = c.when.Follow(c.routine.Jitters, c.routine.JitterNext, &c.state)
	}
	if c.routine.Slip > 0 && c.beat > 0 && c.when.Chance(c.routine.Slip) {
		c.base += c.when.Quantile(c.routine.Slips)
	}
	at := c.base + stretch(c.phase+c.beat*c.period, c.drift) + late
	c.at = max(at, c.at, c.base)
	c.beat++
}

// perform draws what happens at the source's time.
func (c *source) perform(p *profile.Profile) Activity {
	a := Activity{Name: c.routine.Name, Trigger: c.routine.Trigger, At: c.at, Exchanges: expand(p, c.routine.Steps, c.what, c.level.at(c.at))}
	if len(c.kits) > 0 {
		a.Kit = c.kits[c.which.N(int64(len(c.kits)))]
	}
	if c.routine.Person() {
		if c.people != nil {
			a.Actor = c.people.actor(a.Trigger, c.owner, a.At, c.what)
		} else if a.Actor = c.owner; a.Actor == "" {
			a.Actor = fmt.Sprintf("resident-%d", 1+c.what.N(residents))
		}
	}
	return a
}

// drawBoot draws when the unit comes up: it opens its lasting connections one after the other, then does what its
// profile's own boot says.
func (x *Script) drawBoot(s Specimen) Activity {
	when, what := draw.New(s.Seed, "when:boot"), draw.New(s.Seed, "what:boot")
	a := Activity{Name: profile.ActivityBoot, Trigger: profile.TriggerBoot, At: when.N(bootWithin)}
	var offset int64
	for i := range x.profile.Services {
		svc := &x.profile.Services[i]
		if !svc.Lasting {
			continue
		}
		a.Exchanges = append(a.Exchanges, Exchange{Op: profile.OpConnect, Service: svc.Name, Offset: offset, Messages: loginMessages(svc, what, levels{s.Seed}.at(a.At).of(svc))})
		offset += 1 + when.N(connectGap)
	}
	if r := x.profile.Routine(profile.ActivityBoot); r != nil {
		a.Exchanges = append(a.Exchanges, expand(x.profile, r.Steps, what, levels{s.Seed}.at(a.At))...)
	}
	byOffset(a.Exchanges)
	return a
}

// Beat is a timer of a unit as it was drawn.
type Beat struct {
	Activity string `json:"activity"`
	Period   int64  `json:"period_ns"` // by the unit's own clock: its drift is not in it; 0 of an activity without a period
	Phase    int64  `json:"phase_ns"`  // from the end of boot to the first beat
}

// Beats returns the timers of the unit, in the order of its profile.
func (x *Script) Beats() []Beat {
	var beats []Beat
	for i := range x.sources {
		if c := &x.sources[i]; !c.routine.Person() {
			beats = append(beats, Beat{c.routine.Name, c.period, c.phase})
		}
	}
	return beats
}
