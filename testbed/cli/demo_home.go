package cli

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
)

// demoHome is one home of the demo, in a process of its own.
type demoHome struct {
	name  string
	sc    *scenarios.Scenario
	home  *scenarios.Home // as drawn
	seed  uint64
	world string
	begun chan struct{} // closed when the home's process has reported for the first time, or has ended
	over  chan struct{}
	begin sync.Once

	mu       sync.Mutex
	rows     []dataset.Row // that have passed, in order
	progress run.Progress
	res      *run.Result
	err      error
}

func newDemoHome(name string, sc *scenarios.Scenario, home *scenarios.Home, seed uint64, world string) *demoHome {
	return &demoHome{name: name, sc: sc, home: home, seed: seed, world: world, begun: make(chan struct{}), over: make(chan struct{})}
}

func (h *demoHome) dir(root string) string { return filepath.Join(root, h.name) }

func (h *demoHome) run(ctx context.Context, root string) {
	defer close(h.over)
	defer h.begin.Do(func() { close(h.begun) })
	o := run.Options{
		Scenario: h.sc, Seed: h.seed, Duration: demoWatched, Out: h.dir(root), TimeScale: demoTimeScale, Lab: "demo-" + h.name,
		World: h.world,
	}
	var all []dataset.Row
	if h.world == "live" {
		o.Progress = h.progressed
		o.OnRow = func(r *dataset.Row) { h.passed(*r) }
	} else {
		o.OnRow = func(r *dataset.Row) { all = append(all, *r) }
	}
	res, err := testbed.Run(ctx, o)
	if err == nil && h.world != "live" {
		h.replay(ctx, all)
	}
	h.mu.Lock()
	h.res, h.err = res, err
	h.mu.Unlock()
}

// replay shows a virtual home's packets at the pace of its own time, for display.
func (h *demoHome) replay(ctx context.Context, rows []dataset.Row) {
	began, start := time.Now(), h.sc.Start.UnixNano()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	next := 0
	for {
		elapsed := time.Since(began)
		for next < len(rows) && rows[next].TsNs-start <= int64(elapsed) {
			h.passed(rows[next])
			next++
		}
		h.progressed(run.Progress{Phase: "running", Elapsed: elapsed, Duration: demoWatched, Packets: run.Counts{WAN: int64(next)}})
		if elapsed >= demoWatched {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *demoHome) progressed(p run.Progress) {
	h.begin.Do(func() { close(h.begun) })
	h.mu.Lock()
	h.progress = p
	h.mu.Unlock()
}

func (h *demoHome) passed(r dataset.Row) {
	h.mu.Lock()
	h.rows = append(h.rows, r)
	h.mu.Unlock()
}

// since returns the rows from index i on.
func (h *demoHome) since(i int) []dataset.Row {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rows[i:len(h.rows):len(h.rows)]
}

func (h *demoHome) state() run.Progress {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.progress
}

func (h *demoHome) result() *run.Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.res
}

func (h *demoHome) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}
