package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"glasshouse/classifier"
	"glasshouse/testbed/dataset"
)

// linesPerSecond is how many of the packets are shown while they pass.
const linesPerSecond = 2

// guessed is a packet with what the model says of it.
type guessed struct {
	row   dataset.Row
	class string
	p     float32
}

// labeller labels a watched home's packets as they pass. It sees what the observer sees; the truth is only compared.
type labeller struct {
	home           *demoHome
	label          *classifier.Labeller[dataset.Row]
	out            []guessed // labelled since fresh last gave them
	warm           int64     // when packets begin to count, UTC ns
	seen           int
	right, counted int
}

func newLabeller(h *demoHome, m classifier.Model) *labeller {
	l := &labeller{home: h, warm: h.warmUp()}
	l.label = classifier.NewLabeller(m, func(r dataset.Row, class string, p float32) error {
		if r.Kind == "infrastructure" || r.TsNs < l.warm {
			return nil
		}
		l.counted++
		if class == r.Class {
			l.right++
		}
		l.out = append(l.out, guessed{r, class, p})
		return nil
	})
	return l
}

// fresh labels what has passed since the last call, and returns the packets that count and have their label now.
func (l *labeller) fresh() ([]guessed, error) {
	l.out = nil
	for _, r := range l.home.since(l.seen) {
		l.seen++
		if err := l.label.Step(&r.Observation, r); err != nil {
			return nil, err
		}
	}
	return l.out, nil
}

func (l *labeller) summary() string {
	return fmt.Sprintf("%d packets labelled so far, %.1f %% right", l.counted, 100*float64(l.right)/float64(max(l.counted, 1)))
}

// pick takes one of each class in turn, as far as they come by, or a page load would fill the screen. It returns the turn
// after.
func pick(fresh []guessed, classes []string, turn int) (guessed, int) {
	for k := range classes {
		i := slices.IndexFunc(fresh, func(g guessed) bool { return g.row.Class == classes[(turn+k)%len(classes)] })
		if i >= 0 {
			return fresh[i], turn + k + 1
		}
	}
	return fresh[0], turn
}

// watch labels a home's packets as they pass, for a while, and shows some.
func (s *scenes) watch(ctx context.Context, h *demoHome, m classifier.Model, long time.Duration, what, about string) error {
	s.title(what, fmt.Sprintf("%s; the forest has learned from\n%d packets of other homes", about, m.Meta().Packets))
	l := newLabeller(h, m)
	if _, err := l.fresh(); err != nil { // what has passed so far, at once
		return err
	}
	end := time.Now().Add(long)
	tick := time.NewTicker(time.Second / linesPerSecond)
	defer tick.Stop()
	turn := 0
	for time.Now().Before(end) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.over:
			if err := h.failed(); err != nil {
				return err
			}
			end = time.Now()
		case <-tick.C:
		}
		fresh, err := l.fresh()
		if err != nil {
			return err
		}
		if len(fresh) == 0 {
			continue
		}
		var g guessed
		g, turn = pick(fresh, m.Classes(), turn)
		colour := "31"
		if g.class == g.row.Class {
			colour = "32"
		}
		s.clear()
		fmt.Fprintln(s.w, "  "+s.paint(colour, guessLine(&g.row, g.class, g.p, g.row.Class)))
		s.status("  %s", l.summary())
	}
	s.clear()
	fmt.Fprintf(s.w, "  %s (above: one of each class in turn)\n", l.summary())
	return nil
}

// warmUp is when the home's packets begin to count, UTC ns.
func (h *demoHome) warmUp() int64 {
	rows := h.since(0)
	if len(rows) == 0 {
		return 0
	}
	return rows[0].TsNs + int64(h.sc.WarmUp)
}
