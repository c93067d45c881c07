package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"glasshouse/testbed"
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

func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
