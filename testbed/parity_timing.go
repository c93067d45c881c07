package testbed

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"glasshouse/emulator/packet"
)

// Distance says how far apart the distributions of one quantity are on the two sides.
type Distance struct {
	Name    string     `json:"name"`
	Unit    string     `json:"unit"`
	N       [2]int     `json:"n"`
	KS      float64    `json:"ks"` // Kolmogorov-Smirnov: the largest difference of the distribution functions, 0 to 1
	W1      float64    `json:"w1"` // Wasserstein-1: how far, on average, a value must move, in Unit
	Medians [2]float64 `json:"medians"`
	P90     [2]float64 `json:"p90"`
	P99     [2]float64 `json:"p99"`
}

// DistanceOf compares two samples, which it sorts. Where one is empty, KS and W1 are 0 and N tells.
func DistanceOf(name, unit string, a, b []float64) Distance {
	d := Distance{Name: name, Unit: unit, N: [2]int{len(a), len(b)}}
	for side, v := range [2][]float64{a, b} {
		slices.Sort(v)
		if len(v) > 0 {
			d.Medians[side], d.P90[side], d.P99[side] = quantile(v, 0.5), quantile(v, 0.9), quantile(v, 0.99)
		}
	}
	if len(a) > 0 && len(b) > 0 {
		d.KS = stat.KolmogorovSmirnov(a, nil, b, nil)
		d.W1 = stat.WassersteinDistance(a, b, nil, nil)
	}
	return d
}

// quantile returns the smallest value that a share q of sorted values does not exceed.
func quantile(v []float64, q float64) float64 {
	return v[min(max(int(math.Ceil(q*float64(len(v))))-1, 0), len(v)-1)]
}

// Quantities whose distributions are compared.
const (
	timeInterval = iota
	timeLengthUp
	timeLengthDown
	timeLate
	timeReply
	numTimings
)

var timingNames = [numTimings][2]string{
	{"interval between packets", "log10 s"},
	{"frame length up", "bytes"},
	{"frame length down", "bytes"},
	{"heartbeat after its scripted time", "ms"},
	{"request to reply", "ms"},
}

// timings collects the quantities of both sides.
type timings struct{ values [numTimings][2][]float64 }

func newTimings() *timings { return &timings{} }

// triggerTimer marks the events that a device's own timer begins.
const triggerTimer = "timer"

// remoteExchange is one event's exchange with one remote end, as the tap sees it.
type remoteExchange struct {
	event      int64
	remote     string
	port, here uint16
}

func (t *timings) add(side int, h *homeRun) {
	put := func(what int, v float64) { t.values[what][side] = append(t.values[what][side], v) }
	script := make(map[int64]int64) // of timers' events whose first packet is still to come
	for i := range h.events {
		if e := &h.events[i]; e.Trigger == triggerTimer {
			script[e.Event] = e.TScript
		}
	}
	asked := make(map[remoteExchange]int64)
	start := h.d.Manifest.StartNs
	last := int64(-1)
	for i := range h.rows {
		r := &h.rows[i]
		before := last
		last = r.TsNs
		if !h.settled(r) {
			continue
		}
		if before >= 0 {
			put(timeInterval, math.Log10(math.Max(float64(r.TsNs-before), 1)/1e9))
		}
		put(lengthOf(r.Dir), float64(r.Length))
		if r.Event == packet.EventNone || r.Role != packet.RoleData.String() || r.PayloadLength == 0 {
			continue
		}
		if at, ok := script[r.Event]; ok && r.Dir == packet.Up {
			delete(script, r.Event)
			put(timeLate, float64(r.TsNs-start-at)/1e6)
		}
		x := remoteExchange{r.Event, r.RemoteAddr, r.RemotePort, r.LocalPort}
		if r.Dir == packet.Up {
			asked[x] = r.TsNs
		} else if at, ok := asked[x]; ok {
			delete(asked, x)
			put(timeReply, float64(r.TsNs-at)/1e6)
		}
	}
}

func lengthOf(dir int8) int {
	if dir == packet.Up {
		return timeLengthUp
	}
	return timeLengthDown
}

func (t *timings) distances() []Distance {
	out := make([]Distance, numTimings)
	for k, v := range t.values {
		out[k] = DistanceOf(timingNames[k][0], timingNames[k][1], v[0], v[1])
	}
	return out
}
