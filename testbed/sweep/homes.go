package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"glasshouse/testbed/buildinfo"
)

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
	l.wide = slices.Contains(w.o.Attackers, AttackerWAN) || w.work != ""
	if w.work != "" {
		l.record, l.truth = filepath.Join(w.work, fmt.Sprintf("homes-%04d", point)), w.o.Labels == LabelsAll
		if err := os.MkdirAll(l.record, 0o755); err != nil {
			return nil, err
		}
	}
	for i := range orders {
		orders[i].number = before + i
	}
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
	teach, judge := w.orders(i, 0, w.o.Learn), w.orders(i, unseenFrom, w.o.Unseen)
	answers := w.answers(i, len(judge))
	found := w.store.read(i, p)
	if found && (p.Reason != "" || !slices.Contains(answers, nil)) {
		w.found += w.cost[i]
		return w.with(p, answers), nil
	}
	learn, unseen, err := w.homes(ctx, i, teach, judge)
	if err != nil {
		return nil, err
	}
	if !found {
		if err := w.judge(ctx, i, p, learn, unseen); err != nil {
			return nil, err
		}
		if err := w.store.write(i, p); err != nil {
			return nil, err
		}
	}
	if p.Reason == "" {
		if err := w.ask(ctx, i, learn, unseen, answers); err != nil {
			return nil, err
		}
	}
	return w.with(p, answers), nil
}

// homes lives the homes of a point.
func (w *sweeper) homes(ctx context.Context, i int, teach, judge []order) (learn, unseen []*sample, err error) {
	if i == w.quiet {
		learn, w.lived = w.lived, nil
	}
	if learn == nil {
		if learn, err = w.live(ctx, i, teach, max(w.j.packets, mostPackets), 0, len(judge)); err != nil {
			return nil, nil, err
		}
	}
	unseen, err = w.live(ctx, i, judge, scoredAtMost, len(teach), 0)
	return learn, unseen, err
}

// judge trains our attackers on some homes of a point and scores them on others.
func (w *sweeper) judge(ctx context.Context, i int, p *Point, learn, unseen []*sample) error {
	at := &w.points[i]
	*p = Point{Version: buildinfo.Version(), Point: at.name(w.o.Axes), Values: make(map[string]string), Setting: at.setting, Learned: make(map[string]int)}
	for k := range w.o.Axes {
		p.Values[w.o.Axes[k].Name] = w.o.Axes[k].Text(at.values[k])
	}
	p.Homes = len(learn) + len(unseen)
	for _, s := range slices.Concat(learn, unseen) {
		p.Traffic += s.packets
	}
	families, models, err := w.j.score(ctx, learn, unseen)
	var few *errFew
	switch {
	case errors.As(err, &few):
		p.Reason = few.Error()
	case err != nil:
		return err
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
	return nil
}
