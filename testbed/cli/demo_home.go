package cli

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
)

// demoHome is one home of the demo, in a process of its own.
type demoHome struct {
	name     string
	sc       *scenarios.Scenario
	home     *scenarios.Home // as drawn; nil for the homes that are learned from
	seed     uint64
	duration time.Duration
	watched  bool
	over     chan struct{}

	mu       sync.Mutex
	rows     []dataset.Row // of a watched home, in order
	progress testbed.Progress
	res      *testbed.Result
	err      error
}

func newDemoHome(name string, sc *scenarios.Scenario, home *scenarios.Home, seed uint64, d time.Duration, watched bool) *demoHome {
	return &demoHome{name: name, sc: sc, home: home, seed: seed, duration: d, watched: watched, over: make(chan struct{})}
}

func (h *demoHome) dir(root string) string { return filepath.Join(root, h.name) }

func (h *demoHome) run(ctx context.Context, root string) {
	defer close(h.over)
	o := testbed.Options{
		Scenario: h.sc, Seed: h.seed, Duration: h.duration, Out: h.dir(root), TimeScale: demoDensity, Lab: "demo-" + h.name,
		Progress: func(p testbed.Progress) {
			h.mu.Lock()
			h.progress = p
			h.mu.Unlock()
		},
	}
	if h.watched {
		o.OnRow = func(r *dataset.Row) {
			h.mu.Lock()
			h.rows = append(h.rows, *r)
			h.mu.Unlock()
		}
	}
	res, err := testbed.Run(ctx, o)
	h.mu.Lock()
	h.res, h.err = res, err
	h.mu.Unlock()
}

// since returns the rows from index i on.
func (h *demoHome) since(i int) []dataset.Row {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rows[i:len(h.rows):len(h.rows)]
}

func (h *demoHome) state() testbed.Progress {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.progress
}

func (h *demoHome) result() *testbed.Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.res
}

func (h *demoHome) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// wait returns when the home's run is over, with its error.
func (h *demoHome) wait(ctx context.Context) error {
	select {
	case <-h.over:
		return h.failed()
	case <-ctx.Done():
		return ctx.Err()
	}
}
