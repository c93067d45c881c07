package backlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"glasshouse/testbed/backlog"
)

// A blocked consumer does not block the producer: what fits is taken later, in order, and the rest is counted.
func TestQueueNeverWaits(t *testing.T) {
	taking, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var got []int
	q := backlog.New(4, func(v int) {
		once.Do(func() { close(taking) })
		<-release
		got = append(got, v)
	})
	q.Offer(0)
	<-taking
	for v := 1; v <= 10; v++ {
		if fits := v <= 4; q.Offer(v) != fits {
			t.Errorf("value %d: queued %v, want %v", v, !fits, fits)
		}
	}
	if q.Dropped() != 6 {
		t.Errorf("%d values dropped, want 6", q.Dropped())
	}
	close(release)
	q.Close()
	if want := []int{0, 1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("taken %v, want %v", got, want)
	}
	if q.Offer(11) || q.Dropped() != 7 {
		t.Error("a closed queue took a value")
	}
	q.Close()
}

// Each value that many producers offer is taken once or counted once, also while the queue is being closed.
func TestQueueLosesNoCount(t *testing.T) {
	taken := int64(0)
	q := backlog.New(8, func(int) { taken++ })
	var offering sync.WaitGroup
	const producers, each = 4, 5000
	for range producers {
		offering.Go(func() {
			for i := range each {
				q.Offer(i)
			}
		})
	}
	q.Close()
	offering.Wait()
	if taken+q.Dropped() != producers*each {
		t.Errorf("%d taken and %d dropped of %d", taken, q.Dropped(), producers*each)
	}
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(p), nil
}

func TestWriter(t *testing.T) {
	var out bytes.Buffer
	w := backlog.NewWriter(&out, 100)
	line := []byte("line 0\n")
	_, _ = w.Write(line)
	copy(line, "spoilt!") // the caller's again
	for i := 1; i < 5; i++ {
		fmt.Fprintf(w, "line %d\n", i)
	}
	if err := w.Close(); err != nil || w.Dropped() != 0 {
		t.Fatal(err, w.Dropped())
	}
	if want := "line 0\nline 1\nline 2\nline 3\nline 4\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
	w = backlog.NewWriter(&failing{after: 1}, 100)
	fmt.Fprint(w, "a")
	fmt.Fprint(w, "b")
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("%v", err)
	}
}
