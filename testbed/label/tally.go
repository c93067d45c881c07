package label

import (
	"sync"

	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
)

// Tally counts a run's packets and keeps its events until they have ended. Safe for concurrent use.
type Tally struct {
	mu     sync.Mutex
	n      run.Counts
	bare   int64 // WAN packets without a LAN frame: the gateway's, the internet's, and what died in between
	up     int64 // LAN frames that left towards the WAN
	upSeen int64 // of these, seen by the tap
	down   int64 // LAN frames that came from the WAN
	open   map[int64]*dataset.Event
	over   []dataset.Event
	events int64
}

// WithoutLAN is how many WAN packets have no LAN frame.
func (t *Tally) WithoutLAN() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bare
}

// ScriptedEvents is how many events the script has held.
func (t *Tally) ScriptedEvents() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.events
}

// Frame counts a captured LAN frame.
func (t *Tally) Frame() {
	t.mu.Lock()
	t.n.LAN++
	t.mu.Unlock()
}

// Crosses counts a LAN frame that goes to the WAN, or came from it.
func (t *Tally) Crosses(up bool) {
	t.mu.Lock()
	if up {
		t.up++
	} else {
		t.down++
	}
	t.mu.Unlock()
}

// Local is how many LAN frames stayed on the LAN.
func (t *Tally) Local() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n.LAN - t.up - t.down
}

// Forwarded is how many LAN frames went towards the WAN and were not seen by the tap.
func (t *Tally) Forwarded() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.up - t.upSeen
}

// Row counts a completed row.
func (t *Tally) Row(dir int8, x packet.Lineage) {
	t.mu.Lock()
	t.n.WAN++
	if dir == packet.Up {
		t.n.Up++
	} else {
		t.n.Down++
	}
	if x.Unit == packet.UnitUnknown {
		t.n.Unattributed++
	}
	switch {
	case x.LANFrame == 0:
		t.bare++
	case dir == packet.Up:
		t.upSeen++
	}
	t.mu.Unlock()
}

// Counts gives what was counted so far.
func (t *Tally) Counts() run.Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// Scripted notes an event that the script holds.
func (t *Tally) Scripted(event int64, s *script.Specimen, act *script.Activity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[int64]*dataset.Event)
	}
	t.events++
	t.open[event] = NewEvent(event, s, act)
}

// Started notes when an event was handed to its host, ns of script time.
func (t *Tally) Started(event, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.open[event]; e != nil {
		e.TStart = at
	}
}

// Ended notes how and when an event ended.
func (t *Tally) Ended(event int64, outcome string, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.open[event]; e != nil {
		e.Outcome, e.TEnd = outcome, at
		t.over = append(t.over, *e)
		delete(t.open, event)
	}
}

// Settled takes the events that have ended; at the run's end, all that are left.
func (t *Tally) Settled(all bool) []dataset.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	done := t.over
	t.over = nil
	if all {
		for _, e := range t.open { // the writer sorts by event
			done = append(done, *e)
		}
		t.open = nil
	}
	return done
}
