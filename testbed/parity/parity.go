// Package parity compares two worlds that perform the same script: activities, messages, timing, and what a classifier can tell apart. It
// reads datasets and runs no home. Both sides are equal to it: two runs of one world are compared as well.
package parity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"glasshouse/classifier/evaluate"
	"glasshouse/classifier/twosample"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/distributions"
)

// Pair is two runs of the same homes: one scenario, one seed. Normally A is live and B is virtual.
type Pair struct{ A, B *dataset.Dataset }

// Result says how two worlds differ that perform the same script. Arrays hold side A's figure, then side B's.
type Result struct {
	Scenario string    `json:"scenario"`
	Seeds    []uint64  `json:"seeds"`
	Worlds   [2]string `json:"worlds"`

	Script   Script                   `json:"script"`
	Messages Messages                 `json:"messages"`
	Timing   []distributions.Distance `json:"timing"`
	Roles    []RolePackets            `json:"roles"`
	Test     *TwoSampleTest           `json:"two_sample,omitempty"` // with two pairs or more

	Transfer *evaluate.TransferResult `json:"transfer,omitempty"` // with six pairs or more of different worlds
}

// Script compares the activities that both runs reached.
type Script struct {
	Equal     bool   `json:"equal"`
	Events    int    `json:"events"`
	Differing int    `json:"differing"`
	First     string `json:"first"` // the first difference; "" where there is none
}

// RolePackets counts WAN packets after the start-up, as means a home.
type RolePackets struct {
	Device  string     `json:"device"`
	Role    string     `json:"role"`
	Packets [2]float64 `json:"packets"`
}

// TwoSampleTest is what an adversary makes of the two sides.
type TwoSampleTest struct {
	*twosample.Result
	Runs [2]int `json:"runs"`
}

// Options say how thoroughly to compare.
type Options struct {
	Test     twosample.Options
	Transfer evaluate.TransferOptions // of a forest that learns on side B, to watch side A
}

// ErrNotAPair means that two data sets do not hold the same homes.
var ErrNotAPair = errors.New("not two runs of the same homes")

// Compare compares pairs of data sets of one scenario.
func Compare(ctx context.Context, pairs []Pair, o Options) (*Result, error) {
	if len(pairs) == 0 {
		return nil, errors.New("no data sets to compare")
	}
	first := &pairs[0].A.Manifest
	p := &Result{Scenario: first.Scenario, Worlds: [2]string{first.World, pairs[0].B.Manifest.World}}
	p.Script.Equal = true
	t := newTimings()
	roles := newRoleTable()
	var runs [2][]twosample.Run
	for _, pair := range pairs {
		if err := pair.check(first); err != nil {
			return nil, err
		}
		p.Seeds = append(p.Seeds, pair.A.Manifest.Seed)
		for _, h := range pair.A.Manifest.Homes {
			both, err := readBoth(ctx, pair, h.Home)
			if err != nil {
				return nil, err
			}
			p.Script.compare(both)
			if err := p.Messages.compare(both); err != nil {
				return nil, err
			}
			for side := range both {
				t.add(side, &both[side])
				roles.add(side, &both[side])
				runs[side] = append(runs[side], both[side].run())
			}
		}
	}
	p.Timing, p.Roles = t.distances(), roles.means()
	if len(runs[0]) >= 2 {
		test, err := twosample.Test(ctx, runs[0], runs[1], o.Test)
		switch {
		case err == nil:
			p.Test = &TwoSampleTest{test, [2]int{len(runs[0]), len(runs[1])}}
		case !errors.Is(err, twosample.ErrTooFewRuns): // homes that were too quiet are no failure
			return nil, err
		}
	}
	var err error
	p.Transfer, err = transfer(ctx, pairs, o.Transfer)
	return p, err
}

// transfer asks what a model loses on side A that has learned on side B; nil where there are too few homes to ask.
func transfer(ctx context.Context, pairs []Pair, o evaluate.TransferOptions) (*evaluate.TransferResult, error) {
	twins := make([]evaluate.Twin, len(pairs))
	for i, p := range pairs {
		twins[i] = evaluate.Twin{Watched: p.A, Other: p.B}
	}
	r, err := evaluate.Transfer(ctx, twins, o)
	if errors.Is(err, evaluate.ErrTooFewHomes) {
		return nil, nil
	}
	return r, err
}

// check tells whether both data sets of a pair come from the same homes, and from the scenario of the first pair.
func (p Pair) check(first *dataset.Manifest) error {
	a, b := &p.A.Manifest, &p.B.Manifest
	differs := func(what string, x, y any) error {
		return fmt.Errorf("%s and %s: %w: %s %v and %v", p.A.Dir, p.B.Dir, ErrNotAPair, what, x, y)
	}
	switch {
	case a.ScenarioDigest != b.ScenarioDigest:
		return differs("scenarios", a.Scenario+" "+a.ScenarioDigest, b.Scenario+" "+b.ScenarioDigest)
	case a.Seed != b.Seed:
		return differs("seeds", a.Seed, b.Seed)
	case a.TimeScale != b.TimeScale:
		return differs("time scales", a.TimeScale, b.TimeScale)
	case !slices.Equal(homesOf(a), homesOf(b)):
		return differs("homes", homesOf(a), homesOf(b))
	case a.ScenarioDigest != first.ScenarioDigest:
		return differs("scenarios of two pairs:", first.Scenario, a.Scenario)
	}
	return nil
}

func homesOf(m *dataset.Manifest) (homes []int) {
	for _, h := range m.Homes {
		homes = append(homes, h.Home)
	}
	return homes
}

// homeRun is one home of one data set, read whole.
type homeRun struct {
	d      *dataset.Dataset
	home   int
	until  int64 // ns of script time that both runs of the pair reached
	rows   []dataset.Row
	events []dataset.Event
}

func readBoth(ctx context.Context, p Pair, home int) (both [2]homeRun, err error) {
	until := min(p.A.Manifest.DurationNs, p.B.Manifest.DurationNs)
	for side, d := range [2]*dataset.Dataset{p.A, p.B} {
		r := homeRun{d: d, home: home, until: until}
		err := d.Rows(func(h int, row *dataset.Row) error {
			if h == home && row.TsNs < d.Manifest.StartNs+until {
				r.rows = append(r.rows, *row)
			}
			return ctx.Err()
		})
		if err != nil {
			return both, err
		}
		if err := d.Events(func(h int, e *dataset.Event) error {
			if h == home && e.TScript < until {
				r.events = append(r.events, *e)
			}
			return nil
		}); err != nil {
			return both, err
		}
		slices.SortStableFunc(r.events, func(a, b dataset.Event) int { return cmp.Compare(a.Event, b.Event) })
		both[side] = r
	}
	return both, nil
}

// Settled tells whether a row comes after the home's start-up.
func (h *homeRun) settled(r *dataset.Row) bool {
	return r.TsNs >= h.d.Manifest.StartNs+h.d.Manifest.WarmUpNs
}

func (h *homeRun) run() twosample.Run {
	r := twosample.Run{Seed: h.d.Manifest.Seed<<8 ^ uint64(h.home)}
	for i := range h.rows {
		if x := &h.rows[i]; h.settled(x) {
			r.Packets = append(r.Packets, twosample.Packet{TsNs: x.TsNs - h.d.Manifest.StartNs, Dir: x.Dir, Length: x.Length})
		}
	}
	return r
}

// scripted is what an event must have in common in both worlds.
type scripted struct {
	unit, activity, trigger, actor string
	at                             int64
}

func eventKeyOf(e *dataset.Event) scripted {
	return scripted{e.Unit, e.Activity, e.Trigger, e.Actor, e.TScript}
}

func (s scripted) String() string {
	return fmt.Sprintf("%s %s at %.3f s (trigger %s, actor %q)", s.unit, s.activity, float64(s.at)/1e9, s.trigger, s.actor)
}

// compare matches the events of both runs by their keys.
func (s *Script) compare(both [2]homeRun) {
	a, b := both[0].events, both[1].events
	differ := func(format string, args ...any) {
		s.Differing++
		s.Equal = false
		if s.First == "" {
			s.First = fmt.Sprintf("seed %d, home %d: ", both[0].d.Manifest.Seed, both[0].home) + fmt.Sprintf(format, args...)
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		s.Events++
		switch {
		case j == len(b) || i < len(a) && a[i].Event < b[j].Event:
			differ("event %d, %s, is only on the first side", a[i].Event, eventKeyOf(&a[i]))
			i++
		case i == len(a) || b[j].Event < a[i].Event:
			differ("event %d, %s, is only on the second side", b[j].Event, eventKeyOf(&b[j]))
			j++
		default:
			if x, y := eventKeyOf(&a[i]), eventKeyOf(&b[j]); x != y {
				differ("event %d is %s on the first side, %s on the second", a[i].Event, x, y)
			}
			i, j = i+1, j+1
		}
	}
}

// roleTable counts packets by device and role.
type roleTable struct {
	counts map[[2]string]*[2]int
	homes  int
}

func newRoleTable() *roleTable { return &roleTable{counts: make(map[[2]string]*[2]int)} }

func (t *roleTable) add(side int, h *homeRun) {
	if side == 0 {
		t.homes++
	}
	for i := range h.rows {
		r := &h.rows[i]
		if !h.settled(r) {
			continue
		}
		k := [2]string{r.Device, r.Role}
		if t.counts[k] == nil {
			t.counts[k] = new([2]int)
		}
		t.counts[k][side]++
	}
}

func (t *roleTable) means() []RolePackets {
	out := make([]RolePackets, 0, len(t.counts))
	for k, n := range t.counts {
		out = append(out, RolePackets{k[0], k[1], [2]float64{float64(n[0]) / float64(t.homes), float64(n[1]) / float64(t.homes)}})
	}
	slices.SortFunc(out, func(a, b RolePackets) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Role, b.Role))
	})
	return out
}
