package cli

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"glasshouse/classifier/model"
	"glasshouse/testbed/dataset"
)

// linesPerSecond is how many packets are shown.
const linesPerSecond = 1

// guessed is a packet with the model's prediction.
type guessed struct {
	row   dataset.Row
	class string
	p     float32
}

// labeller labels a watched home's packets as they pass. It sees what the observer sees; the truth is only compared.
type labeller struct {
	home           *demoHome
	label          *model.Labeller[dataset.Row]
	out            []guessed // labelled since fresh last gave them
	warm           int64     // when packets begin to count, UTC ns
	seen           int
	right, counted int
}

func newLabeller(h *demoHome, m model.Model) *labeller {
	l := &labeller{home: h, warm: h.warmUp()}
	l.label = model.NewLabeller(m, func(r dataset.Row, class string, p float32) error {
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

func (l *labeller) share() float64 { return float64(l.right) / float64(max(l.counted, 1)) }

// inWords describes a share in words.
func inWords(share float64) string {
	switch tenths := math.Round(10 * share); {
	case share == 0:
		return "none"
	case share == 1:
		return "all"
	case share >= 0.975:
		return "nearly all"
	case share >= 0.925:
		return "about 19 in 20"
	case tenths == 0:
		return "very few"
	default:
		return fmt.Sprintf("about %.0f in 10", tenths)
	}
}

// sample draws packets at random from those that have been labelled so far, each at most once: right and wrong guesses come up as often as
// the model makes them.
type sample struct {
	r    *rand.Rand
	left []guessed
}

func newSample(seed uint64) *sample { return &sample{r: rand.New(rand.NewPCG(seed, 0xde30))} }

func (s *sample) add(g []guessed) { s.left = append(s.left, g...) }

// draw returns a packet; ok is false where none is left.
func (s *sample) draw() (g guessed, ok bool) {
	if len(s.left) == 0 {
		return guessed{}, false
	}
	i, last := s.r.IntN(len(s.left)), len(s.left)-1
	g = s.left[i]
	s.left[i] = s.left[last]
	s.left = s.left[:last]
	return g, true
}

// watch labels a home's packets as they pass, for a while, and shows a sample.
func (s *scenes) watch(ctx context.Context, h *demoHome, m model.Model, seed uint64, long time.Duration) error {
	l, drawn := newLabeller(h, m), newSample(seed)
	end := time.Now().Add(long)
	tick := time.NewTicker(time.Second / linesPerSecond)
	defer tick.Stop()
	shown, right := 0, 0
	over := h.over
	for time.Now().Before(end) {
		fresh, err := l.fresh()
		if err != nil {
			return err
		}
		drawn.add(fresh)
		if g, ok := drawn.draw(); ok {
			shown++
			colour := "31"
			if g.class == g.row.Class {
				colour = "32"
				right++
			}
			s.clear()
			fmt.Fprintln(s.w, s.paint(colour, demoLine(&g, l.warm-int64(h.sc.WarmUp))))
			s.status("  %d packets labelled so far, %.1f %% right", l.counted, 100*l.share())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over: // on a slow machine, before its model was there: its packets are shown all the same
			if err := h.failed(); err != nil {
				return err
			}
			over = nil
		case <-tick.C:
		}
	}
	s.clear()
	fmt.Fprintf(s.w, "\n  Drawn at random: %d of these %d are right. Of all %d packets so far\n  %s are (%.1f %%).\n",
		right, shown, l.counted, inWords(l.share()), 100*l.share())
	return nil
}

// demoLine shows a packet with its guess and, where that is wrong, the truth; start is the home's, UTC ns. It fits 80 columns.
func demoLine(g *guessed, start int64) string {
	mark := "✓"
	if g.class != g.row.Class {
		mark = "✗ " + g.row.Class
	}
	arrow := "→"
	if g.row.Dir < 0 {
		arrow = "←"
	}
	return fmt.Sprintf("  %5.1f s %s :%-5d %-9s %4d B  %-16s %3.0f %% %s",
		float64(g.row.TsNs-start)/1e9, arrow, g.row.RemotePort, protocol(&g.row), g.row.Length, g.class, 100*g.p, mark)
}

// warmUp is when the home's packets begin to count, UTC ns.
func (h *demoHome) warmUp() int64 {
	rows := h.since(0)
	if len(rows) == 0 {
		return 0
	}
	return rows[0].TsNs + int64(h.sc.WarmUp)
}
