package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"glasshouse/classifier/train"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/plain"
	"glasshouse/testbed/run"
	"glasshouse/testbed/sweep"
)

// How often progress is shown: on a terminal, where a line is written over, and elsewhere, where each line stays.
const (
	onTerminal = time.Second / 5
	elsewhere  = time.Minute
)

// progress shows how far a piece of work is.
type progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	began    time.Time
	last     time.Time // when a line was shown
	shown    bool      // a line is there that is written over
	head     string    // printed before the first line
	phase    string
	from     time.Time // when the phase began
	first    int64     // what was done of it at first: a training may go on from a checkpoint
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	p := &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), now: time.Now}
	p.began = p.now()
	if !p.terminal {
		p.last = p.began
	}
	return p
}

// announce keeps what is printed as soon as the work has begun: errors in its input come before any other line.
func (p *progress) announce(format string, args ...any) { p.head = fmt.Sprintf(format, args...) + "\n" }

// open prints what was announced.
func (p *progress) open() {
	fmt.Fprint(p.w, p.head)
	p.head = ""
}

// due reports whether a line is to be shown now.
func (p *progress) due() bool {
	p.open()
	every := elsewhere
	if p.terminal {
		every = onTerminal
	}
	now := p.now()
	if now.Sub(p.last) < every {
		return false
	}
	p.last = now
	return true
}

// line shows a line.
func (p *progress) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !p.terminal {
		fmt.Fprintln(p.w, text)
		return
	}
	if r := []rune(text); len(r) >= plain.Width {
		text = string(r[:plain.Width-1])
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", text)
	p.shown = true
}

// result prints a line that stays.
func (p *progress) result(format string, args ...any) {
	p.open()
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// done ends the progress of work that ended with err. What was announced is printed, unless the work never began.
func (p *progress) done(err error) {
	if err == nil || !isInput(err) {
		p.open()
	}
	p.head = ""
	p.clear()
}

// left says how long the rest takes, if it goes on as in the time so far.
func left(so time.Duration, done, rest float64) string {
	if done <= 0 {
		return "?"
	}
	return time.Duration(float64(so) * rest / done).Round(time.Second).String()
}

func (p *progress) run(r run.Progress) {
	if p.due() {
		p.line("%s %s of %s, %s, %d not attributed", r.Phase, r.Elapsed.Round(time.Second), r.Duration, plain.Count(r.Packets.WAN, "WAN packet"), r.Packets.Unattributed)
	}
}

// generate shows how far homes in the virtual world are.
func (p *progress) generate(r generate.Progress) {
	if p.due() {
		p.line("%d of %s, %s simulated, %s, %.0f/s, %s left", r.Homes, plain.Count(r.Of, "home"), r.Simulated.Round(time.Minute),
			plain.Count(r.Packets, "WAN packet"), float64(r.Packets)/max(r.Wall.Seconds(), 1e-9), left(r.Wall, float64(r.Simulated), float64(r.Left)))
	}
}

// phases shows how far a training or an evaluation is.
func (p *progress) phases(r train.Progress) {
	if name := r.Model + "\n" + r.Phase; name != p.phase {
		p.phase, p.from, p.first = name, p.now(), r.Done
	}
	if !p.due() {
		return
	}
	what := r.Phase
	if r.Model != "" {
		what = r.Model + ": " + r.Phase
	}
	if r.Of == 0 {
		p.line("%s", what)
		return
	}
	p.line("%s, %d %%, %s left", what, 100*r.Done/r.Of, left(p.now().Sub(p.from), float64(r.Done-p.first), float64(r.Of-r.Done)))
}

// sweep shows how far a sweep is, and each point that is finished.
func (p *progress) sweep(r sweep.Progress) {
	if r.Finished != nil {
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
		p.result("%s: %s", r.Finished.Point, strings.Join(figures, ", "))
		return
	}
	if !p.due() {
		return
	}
	rest := "?"
	if r.Worked > 0.005 {
		rest = left(p.now().Sub(p.began), r.Worked, r.Left)
	}
	what := fmt.Sprintf("%d of %s", r.Homes, plain.Count(r.Of, "home"))
	if r.Program != "" {
		what = r.Program + " runs"
	}
	p.line("%s: %s; %d of %s, %s left", r.Point, what, r.Done, plain.Count(r.Total, "point"), rest)
}

// count returns what shows how many of something are done.
func (p *progress) count(noun string) func(done, of int64) {
	return func(done, of int64) {
		if p.due() {
			p.line("%d of %s, %s left", done, plain.Count(of, noun), left(p.now().Sub(p.began), float64(done), float64(of-done)))
		}
	}
}
