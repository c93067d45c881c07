package cli

import (
	"errors"
	"fmt"
	"io"

	"glasshouse/testbed/backlog"
	"glasshouse/testbed/dataset"
)

// shownBacklog is how many lines may wait for a terminal or a pipe that is not read.
const shownBacklog = 1 << 14

// runOutput is where a run prints while it goes on. A live home does not wait for the reader: lines that do not fit the backlog are
// dropped and counted. In the virtual world, where simulated time waits, every line is printed.
type runOutput struct {
	lines, log io.Writer
	behind     []*backlog.Writer // of lines and log; none in the virtual world
}

func newRunOutput(world string, stdout, stderr io.Writer) *runOutput {
	if world != dataset.WorldLive {
		return &runOutput{lines: stdout, log: stderr}
	}
	lines, log := backlog.NewWriter(stdout, shownBacklog), backlog.NewWriter(stderr, shownBacklog)
	return &runOutput{lines: lines, log: log, behind: []*backlog.Writer{lines, log}}
}

// close waits until what is queued is printed. It returns how many lines of results were dropped.
func (o *runOutput) close() (dropped int64, err error) {
	for _, w := range o.behind {
		if e := w.Close(); e != nil {
			err = errors.Join(err, fmt.Errorf("writing the output: %w", e))
		}
	}
	if len(o.behind) > 0 {
		dropped = o.behind[0].Dropped()
	}
	return dropped, err
}
