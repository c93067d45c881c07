package wan

import "glasshouse/emulator/packet"

// leaving holds the packets that are to pass the tap on their way up, in order. Where all runs on one goroutine, what becomes of a
// packet is known when it enters the WAN queue: no timer is spent on its passing, and the tap notes it before the next that passes,
// and before it arrives.
type leaving struct {
	used bool
	due  []departure
	head int
}

type departure struct {
	p    packet.Packet // passes at p.At
	kept bool          // it is not lost behind the tap
}

// leave sends a packet that will pass the tap at a moment.
func (w *WAN) leave(p *packet.Packet, at int64) {
	arrives, kept := w.upPath.Send(at)
	l := &w.leaving
	if l.head > 64 && l.head*2 > len(l.due) {
		l.due = l.due[:copy(l.due, l.due[l.head:])]
		l.head = 0
	}
	l.due = append(l.due, departure{})
	d := &l.due[len(l.due)-1]
	d.p, d.kept = *p, kept
	d.p.At = at
	if kept {
		w.upPathLine.Send(p, arrives)
	}
}

// TapUntil lets those pass the tap that are due until a moment. Where there are several goroutines none wait here, and nothing is touched.
func (w *WAN) TapUntil(now int64) {
	l := &w.leaving
	if !l.used {
		return
	}
	for l.head < len(l.due) && l.due[l.head].p.At <= now {
		d := &l.due[l.head]
		l.head++
		w.tap(w.pass(d.p.At), &d.p, d.kept)
		if !d.kept {
			w.pool.Put(d.p.Data)
		}
	}
	if l.head == len(l.due) {
		l.due, l.head = l.due[:0], 0
	}
}
