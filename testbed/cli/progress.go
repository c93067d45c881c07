package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"glasshouse/testbed"
	"glasshouse/testbed/sweep"
)

// progress shows how far a run is: one line that is written over on a terminal, a line now and then elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	last     time.Duration
	shown    bool
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), last: -1}
}

const sparse = 10 * time.Second // between lines that are not written over

func (p *progress) run(r testbed.Progress) {
	line := fmt.Sprintf("%s %s of %s, %d WAN packets, %d not attributed", r.Phase, r.Elapsed.Round(time.Second), r.Duration, r.Packets.WAN, r.Packets.Unattributed)
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.shown = true
		return
	}
	if p.last >= 0 && r.Elapsed-p.last < sparse && r.Phase == "running" {
		return
	}
	p.last = r.Elapsed
	fmt.Fprintln(p.w, line)
}

// generate shows how far homes in the virtual world are: p.last is wall time here.
func (p *progress) generate(r testbed.GenerateProgress) {
	every := sparse
	if p.terminal {
		every = time.Second / 5
	}
	if p.last >= 0 && r.Wall-p.last < every {
		return
	}
	p.last = r.Wall
	rate := float64(r.Packets) / max(r.Wall.Seconds(), 1e-9)
	left := "?"
	if r.Simulated > 0 {
		left = time.Duration(float64(r.Wall) * float64(r.Left) / float64(r.Simulated)).Round(time.Second).String()
	}
	line := fmt.Sprintf("%d of %d homes, %s lived, %d WAN packets, %.0f/s, %s left", r.Homes, r.Of, r.Simulated.Round(time.Minute), r.Packets, rate, left)
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.shown = true
		return
	}
	fmt.Fprintln(p.w, line)
}

// sweep shows how far a sweep is, and each point that is finished.
func (p *progress) sweep(r sweep.Progress, wall time.Duration) {
	if r.Finished != nil {
		p.done()
		p.shown = false
		var figures []string
		for _, a := range r.Finished.Attackers {
			if a.Failed != "" {
				figures = append(figures, a.Attacker+" failed: "+a.Failed)
				continue
			}
			figures = append(figures, fmt.Sprintf("%s %.1f %%", a.Attacker, 100*a.BalancedAccuracy))
		}
		if r.Finished.Reason != "" {
			figures = append(figures, r.Finished.Reason)
		}
		fmt.Fprintf(p.w, "%s: %s\n", r.Finished.Point, strings.Join(figures, ", "))
		return
	}
	every := sparse
	if p.terminal {
		every = time.Second / 5
	}
	if p.last >= 0 && wall-p.last < every && r.Program == "" {
		return
	}
	p.last = wall
	left := "?"
	if r.Worked > 0.005 {
		left = time.Duration(float64(wall) * r.Left / r.Worked).Round(time.Second).String()
	}
	what := fmt.Sprintf("%d of %d homes", r.Homes, r.Of)
	if r.Program != "" {
		what = r.Program + " runs"
	}
	line := fmt.Sprintf("%s: %s; %d of %d points, %s left", r.Point, what, r.Done, r.Total, left)
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.shown = true
		return
	}
	fmt.Fprintln(p.w, line)
}

func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
