package parity

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// Messages compares what was said, flow by flow, over the events that ended well on both sides. A stream's messages
// must be equal one by one. A datagram may be lost, and is then missing on a side.
type Messages struct {
	Compared  bool       `json:"compared"` // false where a side has no LAN capture
	Streams   int        `json:"streams"`  // one event's bytes in one direction of one remote end
	Equal     int        `json:"equal"`    // of which the same messages in the same order
	SameBytes int        `json:"same_bytes"`
	WireApart int        `json:"wire_apart"` // of which the bytes on the wire differ by more than TLS records can
	Differing []FlowDiff `json:"differing"`  // streams that are not equal, at most maxFlowDiffs
	Events    int        `json:"events"`     // that ended well on both sides
	Failed    [2]int     `json:"failed"`     // events that ended well on the other side only
	Datagrams [2]int     `json:"datagrams"`
	Missing   [2]int     `json:"datagrams_missing"` // that the other side has
}

// FlowDiff is a stream that says something else on the two sides.
type FlowDiff struct {
	Seed     uint64   `json:"seed"`
	Event    int64    `json:"event"`
	Unit     string   `json:"unit"`
	Activity string   `json:"activity"`
	Remote   string   `json:"remote"`
	Dir      string   `json:"dir"`
	Messages [2]int   `json:"messages"`
	AppBytes [2]int64 `json:"app_bytes"`
	Wire     [2]int64 `json:"wire_bytes"`
	Sizes    [2][]int `json:"sizes"` // of the messages from the first that differs, at most maxSizes
}

const (
	maxFlowDiffs = 50
	maxSizes     = 6
)

// flowID names what one event says to one remote end, in one direction.
type flowID struct {
	event    int64
	unit     string
	remote   netip.AddrPort
	dir      int8
	datagram bool
}

func (f flowID) less(o flowID) int {
	return cmp.Or(cmp.Compare(f.event, o.event), cmp.Compare(f.unit, o.unit), f.remote.Compare(o.remote), cmp.Compare(f.dir, o.dir))
}

// spoken is what a flow carried.
type spoken struct {
	sizes []int // of the messages, application bytes
	app   int64
	wire  int64
}

func (s *spoken) say(app, wire int) {
	s.sizes = append(s.sizes, app)
	s.app += int64(app)
	s.wire += int64(wire)
}

// recordOverhead is the most that a TLS record adds to its content, bytes: header, explicit nonce and tag of TLS 1.2 with GCM.
const recordOverhead = 5 + 8 + 16

func (m *Messages) compare(both [2]homeRun) error {
	if !both[0].d.Manifest.HasLAN() || !both[1].d.Manifest.HasLAN() {
		return nil
	}
	m.Compared = true
	well := m.endedWell(both)
	var flows [2]map[flowID]*spoken
	for side := range both {
		var err error
		if flows[side], err = both[side].flows(); err != nil {
			return err
		}
	}
	ids := slices.Collect(maps.Keys(flows[0]))
	for id := range flows[1] {
		if flows[0][id] == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, flowID.less)
	for _, id := range ids {
		e, ok := well[id.event]
		if !ok {
			continue
		}
		var x [2]*spoken
		for side := range flows {
			if x[side] = flows[side][id]; x[side] == nil {
				x[side] = &spoken{}
			}
		}
		if id.datagram {
			m.datagrams(x[0], x[1])
			continue
		}
		m.stream(both[0].d.Manifest.Seed, id, e, x)
	}
	return nil
}

// endedWell lists the events that ended well on both sides.
func (m *Messages) endedWell(both [2]homeRun) map[int64]*dataset.Event {
	const ok = "ok"
	other := make(map[int64]bool)
	for i := range both[1].events {
		if e := &both[1].events[i]; e.Outcome == ok {
			other[e.Event] = true
		}
	}
	well := make(map[int64]*dataset.Event)
	for i := range both[0].events {
		e := &both[0].events[i]
		switch {
		case e.Outcome == ok && other[e.Event]:
			well[e.Event] = e
		case e.Outcome == ok:
			m.Failed[1]++
		case other[e.Event]:
			m.Failed[0]++
		}
	}
	m.Events += len(well)
	return well
}

func (m *Messages) stream(seed uint64, id flowID, e *dataset.Event, x [2]*spoken) {
	m.Streams++
	a, b := x[0], x[1]
	if slices.Equal(a.sizes, b.sizes) {
		m.Equal++
	}
	if a.app == b.app {
		m.SameBytes++
	}
	if apart := (a.wire - a.app) - (b.wire - b.app); max(apart, -apart) > int64(recordOverhead*max(len(a.sizes), len(b.sizes))) {
		m.WireApart++
	}
	if slices.Equal(a.sizes, b.sizes) || len(m.Differing) >= maxFlowDiffs {
		return
	}
	d := FlowDiff{
		Seed: seed, Event: id.event, Unit: id.unit, Activity: e.Activity, Remote: id.remote.String(), Dir: "up",
		Messages: [2]int{len(a.sizes), len(b.sizes)}, AppBytes: [2]int64{a.app, b.app}, Wire: [2]int64{a.wire, b.wire},
	}
	if id.dir == packet.Down {
		d.Dir = "down"
	}
	same := 0
	for same < min(len(a.sizes), len(b.sizes)) && a.sizes[same] == b.sizes[same] {
		same++
	}
	for side, s := range x {
		d.Sizes[side] = append([]int{}, s.sizes[same:min(same+maxSizes, len(s.sizes))]...)
	}
	m.Differing = append(m.Differing, d)
}

// datagrams counts the datagrams, and those of each size that the other side has more of.
func (m *Messages) datagrams(a, b *spoken) {
	m.Datagrams[0] += len(a.sizes)
	m.Datagrams[1] += len(b.sizes)
	sizes := make(map[int]int)
	for _, n := range a.sizes {
		sizes[n]++
	}
	for _, n := range b.sizes {
		sizes[n]--
	}
	for _, more := range sizes {
		if more > 0 {
			m.Missing[1] += more
		} else {
			m.Missing[0] -= more
		}
	}
}

// String names the flow for people.
func (d *FlowDiff) String() string {
	return fmt.Sprintf("seed %d, event %d (%s %s), %s %s: %d messages of %d bytes, %d of %d; from the first that differs %v, %v",
		d.Seed, d.Event, d.Unit, d.Activity, d.Dir, d.Remote, d.Messages[0], d.AppBytes[0], d.Messages[1], d.AppBytes[1], d.Sizes[0], d.Sizes[1])
}
