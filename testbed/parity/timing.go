package parity

import (
	"math"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/distributions"
)

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

func (t *timings) distances() []distributions.Distance {
	out := make([]distributions.Distance, numTimings)
	for k, v := range t.values {
		out[k] = distributions.Compare(timingNames[k][0], timingNames[k][1], v[0], v[1])
	}
	return out
}
