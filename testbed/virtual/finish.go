package virtual

import (
	"fmt"
	"slices"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/label"
)

// finish closes the files and says how well it went.
func (l *lab) finish() (*Result, error) {
	left := make([]int64, 0, len(l.open))
	for event := range l.open {
		left = append(left, event)
	}
	slices.Sort(left)
	for _, event := range left {
		l.event(l.open[event])
	}
	for p, ok := l.agenda.Next(); ok; p, ok = l.agenda.Next() { // begun after the end: nothing, but for the lead
		s, a := &l.o.Home.Specimens[p.Unit], &p.Activity
		l.event(label.NewEvent(p.Event, s, a))
	}
	if err := l.files.Close(); err != nil {
		return nil, err
	}
	r := &Result{Counts: l.files.Counts(), Files: l.files.Hashes(), Packets: l.n, Simulated: l.o.Duration}
	d := l.wan.Dropped()
	r.Counts.Local = l.n.LAN - l.up - l.down
	r.Counts.Drops = map[string]int64{"wan_queue": d.UpQueue, "nat": d.UpNAT}
	inside := int64(0)
	if l.client != nil {
		t := l.client.Drops()
		inside = t.Unfit + t.Overflow + t.NoHandshake
		r.Counts.Drops["tunnel"] = inside
	}
	r.Counts.Drops["after_end"] = l.up - l.upSeen - d.UpQueue - d.UpNAT - inside
	f := &r.Fidelity
	f.Unattributed, f.Late = l.n.Unattributed, l.rows.Lateness()
	f.Drops = make(map[string]int64)
	d.Unseen(f.Drops, l.ap.Drops())
	if l.server != nil {
		t := l.server.Drops()
		f.Drops["far_tunnel"] = t.Unfit + t.Overflow + t.NoHandshake
	}
	r.Reasons = l.reasons(f)
	return r, nil
}

func (l *lab) reasons(f *dataset.Fidelity) []string {
	r := []string{}
	say := func(n int64, what string) {
		if n > 0 {
			r = append(r, fmt.Sprintf("home %d: %d packets %s", l.o.Home.Index, n, what))
		}
	}
	say(f.Unattributed, "could not be attributed")
	say(f.Late, "got their truth after their rows were closed")
	say(l.net.Faults.Misdelivered, "reached another device than their own")
	say(l.net.Faults.Unknown, "belong to no connection of theirs")
	return r
}
