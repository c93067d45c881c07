package script

import (
	"testing"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
)

const hourNs = int64(time.Hour)

// couple is one who works on weekdays from nine to five, and one who is at home. Both sleep from 23 to 7.
func couple() *People {
	p := &People{Persons: []Person{
		{Name: "resident-1", Plan: []Change{{0, Asleep}}},
		{Name: "resident-2", Plan: []Change{{0, Asleep}}},
		{Name: "guest-1", Guest: true, Plan: []Change{{0, Away}, {4*dayNs + 20*hourNs, Awake}, {4*dayNs + 22*hourNs, Away}}},
	}}
	for day := range int64(PlanDays) {
		at := day * dayNs
		for i := range 2 {
			q := &p.Persons[i]
			q.Plan = append(q.Plan, Change{at + 7*hourNs, Awake})
			if i == 0 && day%7 < 5 {
				q.Plan = append(q.Plan, Change{at + 9*hourNs, Away}, Change{at + 17*hourNs, Awake})
			}
			q.Plan = append(q.Plan, Change{at + 23*hourNs, Asleep})
		}
	}
	return p
}

// The clock of average time gains a day a day, in every rhythm, from any time on and past the plan's end.
func TestRhythmKeepsTheRate(t *testing.T) {
	p := couple()
	for _, c := range []struct{ trigger, owner string }{
		{profile.TriggerVoice, ""}, {profile.TriggerMotion, ""}, {profile.TriggerAppRemote, ""}, {profile.TriggerTouch, "resident-1"}, {profile.TriggerAppLocal, "resident-2"},
	} {
		r := p.rhythm(c.trigger, c.owner)
		for day := range int64(2 * PlanDays) {
			got := r.after(day*dayNs, dayNs-1000) // a rhythm loses less than a ns at each change
			if got < day*dayNs || got >= (day+1)*dayNs {
				t.Errorf("%v: a day after day %d is %v after its start", c, day, time.Duration(got-day*dayNs))
			}
			if got := r.after(day*dayNs, 5*dayNs+1); got < (day+5)*dayNs || got > (day+5)*dayNs+8*hourNs {
				t.Errorf("%v: five days after day %d are %v", c, day, time.Duration(got-day*dayNs))
			}
		}
	}
	if at := p.rhythm(profile.TriggerVoice, "nobody").after(0, 1); at >= 0 && at < 1<<62 {
		t.Errorf("nobody acts at %d", at)
	}
}

// On average an activity happens as often as without people; those who act are where the act wants them.
func TestPeopleActWhereTheyAre(t *testing.T) {
	const days = PlanDays
	for _, device := range []string{"echo-dot", "360-camera", "tplink-plug", "xiaomi-mobile"} {
		model, err := catalogue.Load(device)
		if err != nil {
			t.Fatal(err)
		}
		p := couple()
		p.Start = 18*hourNs + 30*int64(time.Minute)
		s := Specimen{Profile: model, Seed: 5, Options: map[string]any{}}
		if model.Kind != profile.KindIoT {
			s.Options["owner"] = "resident-1"
		}
		count := func(people *People, see func(*Activity)) map[string]int {
			n := make(map[string]int)
			x := New(s, Options{Duration: days * dayNs, Density: 1, Peer: true, People: people, PeerOwner: "resident-1"})
			for a, ok := x.Next(); ok; a, ok = x.Next() {
				n[a.Name]++
				if r := model.Routine(a.Name); r != nil && r.Person() {
					see(&a)
				}
			}
			return n
		}
		flat := count(nil, func(*Activity) {})
		lived := count(p, func(a *Activity) {
			var who *Person
			for i := range p.Persons {
				if p.Persons[i].Name == a.Actor {
					who = &p.Persons[i]
				}
			}
			if who == nil {
				t.Fatalf("%s: %s by %q", device, a.Name, a.Actor)
			}
			r := model.Routine(a.Name)
			is := who.is((a.At + p.Start) % planNs)
			remote := a.Trigger == profile.TriggerAppRemote && model.Kind == profile.KindIoT
			can := is == Awake || remote && is == Away && !who.Guest || a.Trigger == profile.TriggerMotion && is == Asleep
			if !can {
				t.Errorf("%s: %s of %s by %s, who is %d, at %v", device, a.Name, a.Trigger, a.Actor, is, time.Duration(a.At))
			}
			if r.Peer && a.Actor != "resident-1" {
				t.Errorf("%s: %s by %s, on another's phone", device, a.Name, a.Actor)
			}
			if s.Options["owner"] != nil && a.Actor != "resident-1" {
				t.Errorf("%s: %s by %s, on another's phone", device, a.Name, a.Actor)
			}
		})
		for i := range model.Activities {
			r := &model.Activities[i]
			a, b := float64(flat[r.Name]), float64(lived[r.Name])
			switch {
			case !r.Person() && a != b:
				t.Errorf("%s: %v beats of %s, and %v with people", device, a, r.Name, b)
			case r.Person() && a > 200 && (b < 0.8*a || b > 1.2*a):
				t.Errorf("%s: %s %v times in %d days, and %v times with people", device, r.Name, a, days, b)
			}
		}
	}
}
