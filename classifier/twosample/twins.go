package twosample

import (
	"math"
	"slices"
)

// twins are the same responses in the other runs of a fold: runs of one seed have the same exchanges at the same times, so a response has
// a counterpart from the same server. The difference of their lags is that of the two networks, whatever the server's distance.
type twins struct {
	replies   [len(lagReaches)]map[habit][][]moment // by run
	measures  []measure
	questions questioner
}

// moment is one response: its time and its lag.
type moment struct {
	at  int64   // ns
	lag float32 // ms
}

const (
	twinSpan  = int64(2e9) // maximum distance in time of a twin, ns
	twinLeast = 2          // ms; shorter lags are the machine's
	twinMost  = 1000
	twinClip  = 20 // ms; larger differences are clipped
)

func nameTwins(add func(format string, a ...any)) {
	for _, d := range dirNames {
		for _, r := range lagReaches {
			add("%s: lag behind a question at most %d packets before: mean ms above its twin", d, r)
			add("%s: lag behind a question at most %d packets before: how many have a twin", d, r)
		}
	}
}

// collectTwins collects the responses of a fold's runs.
func collectTwins(runs [2][]Run) *twins {
	t := &twins{}
	for i := range t.replies {
		t.replies[i] = make(map[habit][][]moment)
	}
	all := len(runs[0]) + len(runs[1])
	for n, r := range slices.Concat(runs[0], runs[1]) {
		for i := range r.Packets {
			t.questions.of(r.Packets, i, func(reach int, k habit, lag float32) {
				ms := math.Pow(10, float64(lag)-6)
				if ms < twinLeast || ms > twinMost {
					return
				}
				m := t.replies[reach]
				if m[k] == nil {
					m[k] = make([][]moment, all)
				}
				m[k][n] = append(m[k][n], moment{r.Packets[i].TsNs, float32(ms)})
			})
		}
	}
	return t
}

// follow measures run number n of the fold.
func (t *twins) follow(p []Packet, n int) {
	t.measures = clean(t.measures, 2*len(lagReaches), len(p))
	for i := range p {
		t.questions.of(p, i, func(reach int, k habit, lag float32) {
			ms := float32(math.Pow(10, float64(lag)-6))
			if ms < twinLeast || ms > twinMost {
				return
			}
			for other, moments := range t.replies[reach][k] {
				if other == n {
					continue
				}
				if m, ok := nearest(moments, p[i].TsNs); ok {
					t.measures[dirIndex(p[i].Dir)*len(lagReaches)+reach].note(i, min(max(ms-m.lag, -twinClip), twinClip))
				}
			}
		})
	}
}

// nearest returns the moment nearest to at; ok is false if none is within twinSpan.
func nearest(m []moment, at int64) (near moment, ok bool) {
	k, _ := slices.BinarySearchFunc(m, at, func(x moment, at int64) int { return int(min(max(x.at-at, -1), 1)) })
	best := twinSpan
	for _, i := range []int{k - 1, k} {
		if i < 0 || i >= len(m) {
			continue
		}
		if d := max(m[i].at-at, at-m[i].at); d <= best {
			near, ok, best = m[i], true, d
		}
	}
	return near, ok
}
