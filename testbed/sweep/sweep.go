package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/scenarios"
	"glasshouse/testbed/buildinfo"
	"glasshouse/testbed/program"
)

// Options say what to sweep.
type Options struct {
	Scenario  *scenarios.Scenario
	Axes      []Axis
	Targets   []string // devices to look for; none = all IoT devices of the scenario
	Attackers []string
	Seed      uint64
	Learn     int           // homes to learn from, at each point
	Unseen    int           // homes to judge
	Duration  time.Duration // of each home
	Packets   int           // of each class to learn from; 0 = as many as there surely are, at most mostPackets
	Trees     int

	Programs []*program.Command // attackers of somebody's own, of names that differ
	Labels   string             // what they learn from: LabelsSame or LabelsAll
	Limit    time.Duration      // of each, at each point

	Out     string // directory that keeps finished points; "" = none
	Workers int
	Tell    func(Progress) // may be nil
}

// Progress tells how far a sweep is.
type Progress struct {
	Point       string
	Homes, Of   int     // of the point
	Program     string  // that is running; "" = none
	Done, Total int     // points
	Worked      float64 // share of the work that this call has done, about
	Left        float64 // and that is still to come
	Finished    *Point  // set when a point is finished now, or was before
}

const (
	mostPackets  = 1000    // of a class: more teach little
	fewPackets   = 20      // of a class: fewer teach nothing
	scoredAtMost = 400     // packets of a class and home
	unseenFrom   = 1 << 20 // number of the first home that judges
)

// Errors of options.
var (
	ErrTargets = errors.New("these targets cannot be")
	ErrFew     = errors.New("too little traffic to learn from")
)

// sweeper runs a sweep.
type sweeper struct {
	o      Options
	cast   *cast
	points []point
	j      judge
	store  *store
	done   int     // points
	found  float64 // cost of those that were there already
	cost   []float64
	quiet  int       // point at which the packets of each class are counted
	lived  []*sample // homes that it learns from, if they were lived already

	catalogue string
	programs  []contestant
	failures  []ProgramFailure
	work      string // directory of theirs; "" = there are none
}

// Run runs a sweep, or what is left of it. With a *FailedError there is a result all the same: without the figures of programs that
// failed.
func Run(ctx context.Context, o Options) (*Result, error) {
	c, err := newCast(o.Scenario, o.Targets)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTargets, err)
	}
	if o.Tell == nil {
		o.Tell = func(Progress) {}
	}
	w := &sweeper{o: o, cast: c, points: points(o.Axes, c.setting())}
	w.j = judge{classes: c.classes(), attackers: o.Attackers, packets: o.Packets, trees: o.Trees, seed: o.Seed, workers: o.Workers}
	for i := range w.points {
		w.cost = append(w.cost, w.points[i].cost(c))
	}
	if w.catalogue, err = catalogue.Digest(); err != nil {
		return nil, err
	}
	if w.programs, err = contestants(&w.o); err != nil {
		return nil, err
	}
	if w.store, err = openStore(o.Out, w.identity()); err != nil {
		return nil, err
	}
	if w.work, err = w.workDir(); err != nil {
		return nil, err
	}
	defer w.clearWork()
	if err := w.settlePackets(ctx); err != nil {
		return nil, err
	}
	r := w.result()
	for i := range w.points {
		p, err := w.point(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.points[i].name(o.Axes), err)
		}
		r.Points = append(r.Points, p)
		w.compare(r, i)
		w.done++
		w.tell(i, Progress{Finished: p})
	}
	if err := w.store.finish(r); err != nil || len(w.failures) == 0 {
		return r, err
	}
	return r, &FailedError{w.failures}
}

// identity is all that makes a sweep's result, as a text.
func (w *sweeper) identity() string {
	b, err := json.MarshalIndent(struct {
		Version   string   `json:"glasshouse"`
		Scenario  string   `json:"scenario"`
		Digest    string   `json:"scenario_digest"`
		Catalogue string   `json:"catalogue_digest"`
		Axes      []Series `json:"axes"`
		Classes   []string `json:"classes"`
		Attackers []string `json:"attackers"`
		Seed      uint64   `json:"seed"`
		Learn     int      `json:"train_homes"`
		Unseen    int      `json:"test_homes"`
		Duration  string   `json:"duration"`
		Packets   int      `json:"train_packets_per_class"` // 0 = found out
		Trees     int      `json:"trees"`
	}{
		buildinfo.Version(), w.o.Scenario.Name, w.o.Scenario.Digest(), w.catalogue, series(w.o.Axes), w.j.classes, w.o.Attackers, w.o.Seed, w.o.Learn, w.o.Unseen,
		w.o.Duration.String(), w.o.Packets, w.o.Trees,
	}, "", "  ")
	if err != nil { // texts and numbers alone
		panic(err)
	}
	return string(b)
}

func series(axes []Axis) []Series {
	out := make([]Series, len(axes))
	for i := range axes {
		out[i] = Series{Name: axes[i].Name, Unit: axes[i].Unit}
		for _, v := range axes[i].Values {
			out[i].Values = append(out[i].Values, axes[i].Text(v))
		}
	}
	return out
}

func (w *sweeper) result() *Result {
	return &Result{
		Scenario: w.o.Scenario.Name, Digest: w.o.Scenario.Digest(), Catalogue: w.catalogue, Made: buildinfo.Versions(), Seed: w.o.Seed, Targets: w.j.classes[:len(w.j.classes)-1], Classes: w.j.classes, Chance: 1 / float64(len(w.j.classes)),
		Packets: w.j.packets, Learn: w.o.Learn, Unseen: w.o.Unseen, DurationS: w.o.Duration.Seconds(),
		TimeScale: w.o.Scenario.Household.Density, Axes: series(w.o.Axes), Points: []*Point{},
	}
}

// compare adds what needs two points, or two attackers.
func (w *sweeper) compare(r *Result, i int) {
	p, first := r.Points[i], r.Points[0]
	across := r.Axes[r.across()].Name
	along := r.Points[slices.IndexFunc(r.Points, func(o *Point) bool { return r.panelOf(o, across) == r.panelOf(p, across) })]
	for k := range p.Attackers {
		a := &p.Attackers[k]
		a.Difference, a.Along, a.OverPaper = nil, nil, nil
		if a.Failed != "" {
			continue
		}
		if along != p && len(along.Families) > 0 && along.Attackers[k].Failed == "" {
			a.Along = difference(along.Point, p.Families, along.Families, k, k, len(w.j.classes))
		}
		if i > 0 && len(first.Families) > 0 && first.Attackers[k].Failed == "" {
			a.Difference = difference(first.Point, p.Families, first.Families, k, k, len(w.j.classes))
		}
		if k > 0 && p.Attackers[0].Attacker == AttackerPaper {
			a.OverPaper = difference(AttackerPaper, p.Families, p.Families, k, 0, len(w.j.classes))
		}
	}
}

// quieter tells whether there is less traffic that is no target's.
func (s *Setting) quieter(o *Setting) bool {
	a, b := float64(s.Phones)*s.Intensity, float64(o.Phones)*o.Intensity
	return a < b || a == b && s.Devices < o.Devices
}

// cost is about how much work a point is: packets come from phones most of all.
func (p *point) cost(c *cast) float64 {
	homes := (len(c.targets) + p.setting.Devices) / p.setting.Devices
	return float64(homes) * (1 + float64(p.setting.Devices)/4 + float64(p.setting.Phones)*(1+2*p.setting.Intensity))
}

func (w *sweeper) tell(point int, p Progress) {
	p.Point, p.Done, p.Total = w.points[point].name(w.o.Axes), w.done, len(w.points)
	var all, left float64
	for i, c := range w.cost {
		all += c
		switch {
		case i == w.done && p.Of > 0:
			left += c * float64(p.Of-p.Homes) / float64(p.Of)
		case i >= w.done:
			left += c
		}
	}
	p.Left, p.Worked = left/all, (all-left-w.found)/all
	w.o.Tell(p)
}
