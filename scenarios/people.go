package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/script"
)

const minute = int64(time.Minute)

// habitsOf are a person's usual hours, ns since midnight. All are assumed, in line with time-use surveys: up between 6:00 and 8:00, out
// for nine hours, home before 18:30, in bed before midnight.
type habitsOf struct {
	name                    string
	works                   bool
	wake, leave, back, bed  int64
	lateBy                  int64 // at weekends
	evenings, errands, trip int64 // parts per million of days with them
}

// drawPeople draws the residents, their days and their guests. Without residents there is no routine.
func (h *Home) drawPeople(hh Household, start time.Time) {
	if hh.Residents.Max == 0 {
		return
	}
	d := draw.New(h.Seed, "people")
	p := &script.People{}
	n := d.In(hh.Residents)
	listed := make([]map[string]any, 0, n)
	for i := range n {
		r := drawHabits(d, i)
		person, out := r.days(draw.New(h.Seed, "days:"+r.name))
		p.Persons = append(p.Persons, person)
		listed = append(listed, map[string]any{
			"name": r.name, "works": r.works, "wake": clockOf(r.wake), "leave": clockOf(r.leave), "back": clockOf(r.back), "bed": clockOf(r.bed),
			"days_out": out,
		})
	}
	evenings := 0
	if hh.Guests > 0 {
		var guest script.Person
		guest, evenings = guests(draw.New(h.Seed, "guests"), hh.Guests)
		p.Persons = append(p.Persons, guest)
	}
	monday := (int64(start.Weekday()) + 6) % 7
	p.Start = monday*24*60*minute + int64(start.Sub(start.Truncate(24*time.Hour)))
	h.People = p
	h.people = map[string]any{"residents": listed, "guest_evenings": evenings, "plan_days": script.PlanDays}
}

func clockOf(at int64) string {
	m := at / minute
	return fmt.Sprintf("%02d:%02d", m/60, m%60)
}

// at returns the time of day in the middle of two, in minutes.
func between(d *draw.Stream, from, to int64) int64 {
	return d.In(draw.Range{Min: from * minute, Max: to * minute})
}

// drawHabits draws a resident. Two in three go out to work or to school.
func drawHabits(d *draw.Stream, i int64) habitsOf {
	const third, tenth = 333_333, 100_000
	r := habitsOf{
		name: fmt.Sprintf("resident-%d", 1+i), works: d.Chance(2 * third), wake: between(d, 6*60, 8*60), bed: between(d, 22*60, 23*60+20),
		lateBy: between(d, 30, 120), errands: 5 * tenth, trip: 6 * tenth,
	}
	r.leave = r.wake + between(d, 40, 80)
	r.back = between(d, 15*60+30, 18*60)
	if i > 0 { // the first resident stays at home
		r.evenings = d.In(draw.Range{Min: 0, Max: 2 * tenth})
	}
	return r
}

// days draws a person's plan, and counts the days on which they go out.
func (r *habitsOf) days(d *draw.Stream) (p script.Person, out int) {
	p = script.Person{Name: r.name, Plan: []script.Change{{At: 0, Is: script.Asleep}}}
	for day := range int64(script.PlanDays) {
		base := day * 24 * 60 * minute
		add := func(at int64, is script.Presence) { p.Plan = append(p.Plan, script.Change{At: base + at, Is: is}) }
		about := func(at, within int64) int64 { return at + between(d, -within, within) }
		weekend := day%7 >= 5
		wake := about(r.wake, 15)
		if weekend {
			wake += r.lateBy
		}
		add(wake, script.Awake)
		left := len(p.Plan)
		switch {
		case weekend && d.Chance(r.trip), !weekend && !r.works && d.Chance(r.errands):
			leave := wake + between(d, 60, 180)
			add(leave, script.Away)
			add(leave+between(d, 60, 240), script.Awake)
		case !weekend && r.works:
			add(max(about(r.leave, 10), wake+10*minute), script.Away)
			add(about(r.back, 25), script.Awake) // 18:25 at the latest
		}
		bed := about(r.bed, 20)
		if d.Chance(r.evenings) {
			add(between(d, 18*60+40, 20*60), script.Away)
			add(between(d, 21*60+30, 23*60), script.Awake)
			bed = max(bed, (23*60+5)*minute)
		}
		if len(p.Plan) > left {
			out++
		}
		add(bed, script.Asleep)
	}
	return p, out
}

// guests draws the evenings with a guest, with a probability in parts per million, twice that on Fridays and Saturdays.
func guests(d *draw.Stream, chance int64) (p script.Person, evenings int) {
	p = script.Person{Name: "guest-1", Guest: true, Plan: []script.Change{{At: 0, Is: script.Away}}}
	for day := range int64(script.PlanDays) {
		c := chance
		if w := day % 7; w == 4 || w == 5 {
			c = min(2*c, 1_000_000)
		}
		come, go_ := between(d, 18*60+30, 20*60), between(d, 21*60, 23*60)
		if !d.Chance(c) {
			continue
		}
		evenings++
		base := day * 24 * 60 * minute
		p.Plan = append(p.Plan, script.Change{At: base + come, Is: script.Awake}, script.Change{At: base + go_, Is: script.Away})
	}
	slices.SortFunc(p.Plan, func(a, b script.Change) int { return cmp.Compare(a.At, b.At) })
	return p, evenings
}
