package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"glasshouse/scenarios"
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

	Out     string // directory that keeps finished points; "" = none
	Workers int
	Tell    func(Progress) // may be nil
}

// Progress tells how far a sweep is.
type Progress struct {
	Point       string
	Homes, Of   int     // of the point
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
}

// Run runs a sweep, or what is left of it.
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
	if w.store, err = openStore(o.Out, w.identity()); err != nil {
		return nil, err
	}
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
	return r, w.store.finish(r)
}

// identity is all that makes a sweep's result, as a text.
func (w *sweeper) identity() string {
	b, err := json.MarshalIndent(struct {
		Scenario  string   `json:"scenario"`
		Digest    string   `json:"scenario_digest"`
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
		w.o.Scenario.Name, w.o.Scenario.Digest(), series(w.o.Axes), w.j.classes, w.o.Attackers, w.o.Seed, w.o.Learn, w.o.Unseen,
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
		Scenario: w.o.Scenario.Name, Seed: w.o.Seed, Targets: w.j.classes[:len(w.j.classes)-1], Classes: w.j.classes, Chance: 1 / float64(len(w.j.classes)),
		Packets: w.j.packets, Learn: w.o.Learn, Unseen: w.o.Unseen, DurationS: w.o.Duration.Seconds(), Axes: series(w.o.Axes), Points: []*Point{},
	}
}

// settlePackets finds out how many packets each class has for sure, from the homes of the point with the least other traffic: targets
// do the same at all points, but the network loses some or has them sent again, hence a tenth less.
func (w *sweeper) settlePackets(ctx context.Context) error {
	if w.j.packets == 0 {
		w.j.packets = w.store.packets
	}
	if w.j.packets > 0 {
		return nil
	}
	for i := range w.points {
		if w.points[i].setting.quieter(&w.points[w.quiet].setting) {
			w.quiet = i
		}
	}
	learn, err := w.live(ctx, w.quiet, w.orders(w.quiet, 0, w.o.Learn), mostPackets, 0, len(w.orders(w.quiet, unseenFrom, w.o.Unseen)))
	if err != nil {
		return err
	}
	w.lived = learn
	class, n := least(learn, w.j.classes)
	n -= n / 10
	if n < fewPackets {
		return fmt.Errorf("%w: %s has %d packets in %d homes of %s; more homes (--homes), longer ones (--duration) or other targets (--targets)",
			ErrFew, class, n, w.o.Learn, w.o.Duration)
	}
	w.j.packets = min(n, mostPackets)
	return w.store.keepPackets(w.j.packets)
}

// orders lists the homes of some families at a point.
func (w *sweeper) orders(point, from, families int) []order {
	var out []order
	for f := from; f < from+families; f++ {
		for m, sc := range w.cast.family(w.points[point].setting, w.o.Seed, f) {
			out = append(out, order{scenario: sc, family: f, member: m})
		}
	}
	return out
}

// live lives homes of a point; before and after are how many others it has.
func (w *sweeper) live(ctx context.Context, point int, orders []order, keep, before, after int) ([]*sample, error) {
	l := &lives{seed: w.o.Seed, duration: w.o.Duration, classes: make(map[string]int), other: len(w.j.classes) - 1, keep: keep}
	l.wide = slices.Contains(w.o.Attackers, AttackerWAN)
	for i, name := range w.j.classes[:l.other] {
		l.classes[name] = i
	}
	homes := before
	return l.all(ctx, orders, w.o.Workers, func() {
		homes++
		w.tell(point, Progress{Homes: homes, Of: before + len(orders) + after})
	})
}

// point finds out what happens at a point, or reads what was found.
func (w *sweeper) point(ctx context.Context, i int) (*Point, error) {
	p := &Point{}
	if w.store.read(i, p) {
		w.found += w.cost[i]
		return p, nil
	}
	at := &w.points[i]
	*p = Point{Point: at.name(w.o.Axes), Values: make(map[string]string), Setting: at.setting, Learned: make(map[string]int)}
	for k := range w.o.Axes {
		p.Values[w.o.Axes[k].Name] = w.o.Axes[k].Text(at.values[k])
	}
	teach, judge := w.orders(i, 0, w.o.Learn), w.orders(i, unseenFrom, w.o.Unseen)
	var learn []*sample
	if i == w.quiet {
		learn, w.lived = w.lived, nil
	}
	if learn == nil {
		var err error
		if learn, err = w.live(ctx, i, teach, max(w.j.packets, mostPackets), 0, len(judge)); err != nil {
			return nil, err
		}
	}
	unseen, err := w.live(ctx, i, judge, scoredAtMost, len(teach), 0)
	if err != nil {
		return nil, err
	}
	p.Homes = len(learn) + len(unseen)
	for _, s := range append(learn, unseen...) {
		p.Traffic += s.packets
	}
	families, models, err := w.j.score(ctx, learn, unseen)
	var few *errFew
	switch {
	case errors.As(err, &few):
		p.Reason = few.Error()
	case err != nil:
		return nil, err
	default:
		p.Families = families
		for _, c := range w.j.classes {
			p.Learned[c] = w.j.packets
		}
		for k, name := range append(w.o.Attackers, lookUpName) {
			a := figures(name, w.j.classes, families, k)
			if k < len(models) {
				a.Model, a.Features = models[k].digest, models[k].width()
			}
			p.Attackers = append(p.Attackers, a)
		}
	}
	return p, w.store.write(i, p)
}

// compare adds what needs two points, or two attackers.
func (w *sweeper) compare(r *Result, i int) {
	p, first := r.Points[i], r.Points[0]
	across := r.Axes[r.across()].Name
	along := r.Points[slices.IndexFunc(r.Points, func(o *Point) bool { return r.panelOf(o, across) == r.panelOf(p, across) })]
	for k := range p.Attackers {
		a := &p.Attackers[k]
		a.Difference, a.Along, a.OverPaper = nil, nil, nil
		if along != p && len(along.Families) > 0 {
			a.Along = difference(along.Point, p.Families, along.Families, k, k, len(w.j.classes))
		}
		if i > 0 && len(first.Families) > 0 {
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
