package write

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/testbed/dataset"
)

// Events end in any order, and are in the order of their numbers in the file.
func TestEventsAreSorted(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		n := rapid.IntRange(0, 3*eventWindow).Draw(t, "events")
		late := rapid.IntRange(0, 4).Draw(t, "late")
		away := rapid.IntRange(1, eventWindow).Draw(t, "away")
		s := newEventSorter(dir)
		order := make([]int64, n)
		for i := range order {
			order[i] = int64(i)
		}
		for i := range order { // each ends near its place
			k := min(i+r.IntN(away), n-1)
			order[i], order[k] = order[k], order[i]
		}
		for i := range min(late, n) { // and a few, from the first on, only when all is over
			for k, e := range order {
				if e == int64(i) {
					order = append(append(order[:k], order[k+1:]...), e)
					break
				}
			}
		}
		for _, e := range order {
			if err := s.add(&dataset.Event{Event: e, Device: "d", Activity: []string{"a", "b"}[e%2], TScript: e, TStart: -1, TEnd: e + 1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		next := int64(0)
		if err := dataset.ReadEvents(filepath.Join(dir, dataset.FileEvents), func(e *dataset.Event) error {
			want := dataset.Event{Event: next, Device: "d", Activity: []string{"a", "b"}[next%2], TScript: next, TStart: -1, TEnd: next + 1}
			next++
			if *e != want {
				return errors.New(cmp.Diff(want, *e))
			}
			return nil
		}); err != nil || next != int64(n) {
			t.Fatalf("%d of %d events: %v", next, n, err)
		}
		if _, err := os.Stat(filepath.Join(dir, fileScratch)); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the scratch file is left: %v", err)
		}
	})
}
