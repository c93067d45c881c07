package twosample

import (
	"math"
	"slices"
)

// habits are the usual times in the homes of one fold, over both sides: intervals between packets of given lengths, and lags between a
// request of one length and a response of another. An adversary who knows the home compares each packet with similar ones; with
// servers at many distances, nothing else shows a small delay. Labels are not used.
type habits struct {
	intervals map[habit][]float32 // log10 ns, sorted
	lags      [len(lagReaches)]map[habit][]float32
	measures  []measure
	questions questioner
}

// habit is two packets' directions and lengths, the earlier first.
type habit [4]int32

func habitOf(a, b *Packet) habit { return habit{int32(a.Dir), a.Length, int32(b.Dir), b.Length} }

// A response's request is searched among lagReaches packets before it. A pair of lengths counts as request and response if the
// interquartile range of its lags is at most lagSpreads decades.
var (
	lagReaches = [3]int{4, 12, maxReach}
	lagSpreads = [3]float32{0.2, 0.1, 0.4}
)

const (
	maxReach  = 30
	leastLike = 4   // minimum number of packets of a habit
	leastSlow = 6.5 // log10 ns, about 3 ms: shorter times are the machine's, not the network's
	mostSlow  = 9
)

// measure has the contributions of a run's packets to one feature.
type measure struct{ sum, count []float32 }

func (m *measure) note(i int, v float32) {
	m.sum[i] += v
	m.count[i]++
}

// clean returns n zeroed measures for a run of packets, reusing m.
func clean(m []measure, n, packets int) []measure {
	if m == nil {
		m = make([]measure, n)
	}
	for i := range m {
		m[i].sum = append(m[i].sum[:0], make([]float32, packets)...)
		m[i].count = append(m[i].count[:0], make([]float32, packets)...)
	}
	return m
}

// means appends the means and counts of the measures over the window of size packets from at.
func means(out []float32, measures []measure, at, size int) []float32 {
	for _, m := range measures {
		var sum, count float32
		for i := at; i < at+size; i++ {
			sum, count = sum+m.sum[i], count+m.count[i]
		}
		if count > 0 {
			sum /= count
		}
		out = append(out, sum, count)
	}
	return out
}

// The measures: the mean rank, from -0.5 to 0.5, of a packet's interval or lag among those of similar packets.
const (
	measureTurn = 0               // by turn
	measureSlow = len(turnNames)  // of up-down, where the network sets the pace
	measureLag  = measureSlow + 1 // by direction of the response, and reach
	numMeasures = measureLag + 2*len(lagReaches)
)

func nameMeasures(add func(format string, a ...any)) {
	name := func(format string, a ...any) {
		add(format+": mean rank among its like", a...)
		add(format+": how many have their like", a...)
	}
	for _, t := range turnNames {
		name("%s: interval", t)
	}
	name("up-down: slow interval")
	for _, d := range dirNames {
		for _, r := range lagReaches {
			name("%s: lag behind a question at most %d packets before", d, r)
		}
	}
}

// collectHabits collects the habits of a fold's runs.
func collectHabits(runs [2][]Run) *habits {
	h := &habits{intervals: make(map[habit][]float32)}
	for i := range h.lags {
		h.lags[i] = make(map[habit][]float32)
	}
	for _, side := range runs {
		for _, r := range side {
			p := r.Packets
			for i := 1; i < len(p); i++ {
				k := habitOf(&p[i-1], &p[i])
				h.intervals[k] = append(h.intervals[k], logLag(&p[i-1], &p[i]))
				h.questions.of(p, i, func(reach int, k habit, lag float32) {
					h.lags[reach][k] = append(h.lags[reach][k], lag)
				})
			}
		}
	}
	for k, v := range h.intervals {
		if slices.Sort(v); len(v) < leastLike {
			delete(h.intervals, k)
		}
	}
	for i, lags := range h.lags {
		for k, v := range lags {
			slices.Sort(v)
			n := len(v)
			if mid := v[n/2]; n < leastLike || v[n*3/4]-v[n/4] > lagSpreads[i] || mid < leastSlow-0.5 || mid > mostSlow {
				delete(lags, k)
			}
		}
	}
	return h
}

func logLag(a, b *Packet) float32 { return float32(math.Log10(float64(max(b.TsNs-a.TsNs, 1)))) }

// questioner finds the requests that a packet may be the response to.
type questioner struct{ seen [maxReach][2]int32 }

// of yields, for packet i, the latest packet of each length in the other direction, once for each reach that it is in.
func (q *questioner) of(p []Packet, i int, yield func(reach int, k habit, lag float32)) {
	seen := q.seen[:0]
	for j := i - 1; j >= max(i-maxReach, 0); j-- {
		if p[j].Dir == p[i].Dir {
			continue
		}
		id := [2]int32{int32(p[j].Dir), p[j].Length}
		if slices.Contains(seen, id) {
			continue
		}
		seen = append(seen, id)
		k, lag := habitOf(&p[j], &p[i]), logLag(&p[j], &p[i])
		for r, reach := range lagReaches {
			if i-j <= reach {
				yield(r, k, lag)
			}
		}
	}
}

// follow measures a run against the habits.
func (h *habits) follow(p []Packet) {
	h.measures = clean(h.measures, numMeasures, len(p))
	note := func(m, i int, rank float32) { h.measures[m].note(i, rank) }
	for i := 1; i < len(p); i++ {
		turn := 2*dirIndex(p[i-1].Dir) + dirIndex(p[i].Dir)
		if v := h.intervals[habitOf(&p[i-1], &p[i])]; v != nil {
			rank := rankIn(v, logLag(&p[i-1], &p[i]))
			note(measureTurn+turn, i, rank)
			if mid := v[len(v)/2]; turn == 1 && mid > leastSlow && mid < mostSlow {
				note(measureSlow, i, rank)
			}
		}
		h.questions.of(p, i, func(reach int, k habit, lag float32) {
			if v := h.lags[reach][k]; v != nil {
				note(measureLag+dirIndex(p[i].Dir)*len(lagReaches)+reach, i, rankIn(v, lag))
			}
		})
	}
}

// rankIn returns the rank of x, an element of the sorted v, from -0.5 to 0.5; equal elements have their mean rank.
func rankIn(v []float32, x float32) float32 {
	low, _ := slices.BinarySearch(v, x)
	high := low
	for high < len(v) && v[high] == x {
		high++
	}
	return float32(low+high-1)/2/float32(len(v)-1) - 0.5
}
