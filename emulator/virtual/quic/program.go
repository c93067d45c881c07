package quic

import (
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

// program is what an end says and reads on the stream.
type program struct {
	index int
	base  int64 // ns: from which the next wait counts
	want  int64 // stream offset up to which it reads
	reads bool  // it waits for that
	due   int64 // it sleeps until then; 0 = it does not
	ready bool  // it has slept before what it sends next
	until int64 // ns: when its patience ends
	had   int64 // what had come when that was set
	waits bool  // for the peer to finish
}

// walk goes through the exchange's messages.
func (e *end) walk(now int64) {
	m := e.c.cfg.Messages
	for e.running && e.due == 0 && e.index < len(m) {
		x := &m[e.index]
		switch at := e.base + x.Wait; {
		case x.Dir != e.dir && !e.reads:
			e.reads = true
			e.want += int64(x.Size)
			e.had, e.until = e.rnxt, now+x.Wait+int64(policy.StreamTimeout)
			if e.rnxt < e.want {
				e.timer(e.until, timerIdle)
			}
			continue
		case x.Dir != e.dir && e.rnxt < e.want:
			return
		case x.Dir != e.dir:
			e.reads = false
			e.base = now
		case at > now && !e.ready:
			e.ready = true
			e.due = at + e.c.cfg.Latency.Sleep()
			e.timer(e.due, timerSleep)
			return
		default:
			e.ready = false
			e.base = at
			e.written += int64(x.Size)
		}
		e.index++
	}
	if e.running && e.index == len(m) {
		e.finished(now)
	}
}

// finished is the end of an end's part. The device closes the connection once both have done theirs.
func (e *end) finished(now int64) {
	peer := e.other()
	switch {
	case e.over:
	case e.dir == packet.Down:
		if peer.index == len(e.c.cfg.Messages) {
			peer.later(e.c.cfg.Latency.Wake())
		}
	case peer.index == len(e.c.cfg.Messages):
		e.close()
		e.c.cfg.Done(nil)
	case !e.waits:
		e.waits = true
		e.c.cfg.Clock.At(now+int64(policy.StreamTimeout), func() { e.fail(errTimeout) })
	}
}

// waitedLong ends the connection if nothing has come for long.
func (e *end) waitedLong(now int64) {
	if e.rnxt == e.had {
		e.fail(errTimeout)
		return
	}
	e.had, e.until = e.rnxt, now+int64(policy.StreamTimeout)
	e.timer(e.until, timerIdle)
}
