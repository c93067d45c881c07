package cli

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"glasshouse/testbed/run"
)

func seeds(n int) []twin {
	twins := make([]twin, n)
	for i := range twins {
		twins[i].seed = uint64(i + 1)
	}
	return twins
}

// Virtual homes begin when the last live one has ended, and every seed is run in both worlds.
func TestTwinsLeaveLiveHomesAlone(t *testing.T) {
	twins := seeds(2*liveAtOnce + 1)
	var live, ended, most atomic.Int64
	var mu sync.Mutex
	err := runTwins(t.Context(), twins, func(_ context.Context, world string, seed uint64) (*run.Result, error) {
		if world == "live" {
			n := live.Add(1)
			mu.Lock()
			most.Store(max(most.Load(), n))
			mu.Unlock()
			time.Sleep(time.Duration(seed) * 2 * time.Millisecond)
			live.Add(-1)
			ended.Add(1)
		} else if ended.Load() != int64(len(twins)) {
			t.Errorf("seed %d: virtual, while %d live homes run and %d of %d have ended", seed, live.Load(), ended.Load(), len(twins))
		}
		return &run.Result{Seed: seed, Scenario: world}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if most.Load() > liveAtOnce {
		t.Errorf("%d live homes at once, at most %d may run", most.Load(), liveAtOnce)
	}
	for _, w := range twins {
		if w.live == nil || w.virtual == nil || w.live.Scenario != "live" || w.virtual.Scenario != "virtual" || w.live.Seed != w.seed || w.virtual.Seed != w.seed {
			t.Errorf("seed %d: %+v, %+v", w.seed, w.live, w.virtual)
		}
	}
}

// The first home that fails stops those that run and keeps the rest from beginning; its error is the one that is reported.
func TestTwinsStopWithTheFirstFailure(t *testing.T) {
	broken := errors.New("no namespace")
	var begun atomic.Int64
	err := runTwins(t.Context(), seeds(4*liveAtOnce), func(ctx context.Context, world string, seed uint64) (*run.Result, error) {
		begun.Add(1)
		if world != "live" {
			t.Error("a virtual home was run after a failure")
		}
		if seed == 2 {
			return nil, broken
		}
		select {
		case <-ctx.Done():
			return &run.Result{Cut: true}, nil // as testbed.Run does
		case <-time.After(20 * time.Second):
			t.Error("a home was not stopped")
			return nil, nil
		}
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if n := begun.Load(); n > liveAtOnce+1 {
		t.Errorf("%d homes were begun", n)
	}
}

// A user's stop is an error, also where every home ends in order.
func TestTwinsStopWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := runTwins(ctx, seeds(2), func(_ context.Context, world string, _ uint64) (*run.Result, error) {
		if world != "live" {
			t.Error("a virtual home was run after a stop")
		}
		cancel()
		return &run.Result{Cut: true}, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
