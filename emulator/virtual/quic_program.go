package virtual

import (
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

// quicProgram is what an end says and reads on the stream.
type quicProgram struct {
	index int
	base  int64 // ns: from which the next wait counts
	want  int64 // stream offset up to which it reads
	reads bool  // it waits for that
	due   int64 // it sleeps until then; 0 = it does not
	ready bool  // it has slept before what it sends next
	until int64 // ns: when its patience ends
	had   int64 // what had come when that was set
	waits bool  // for the far end to finish
}

// walk goes through the exchange's messages.
func (e *quicEnd) walk(now int64) {
	m := e.c.messages
	for e.running && e.due == 0 && e.index < len(m) {
		x := &m[e.index]
		switch at := e.base + x.Wait; {
		case x.Dir != e.dir && !e.reads:
			e.reads = true
			e.want += int64(x.Size)
			e.had, e.until = e.rnxt, now+x.Wait+int64(policy.StreamTimeout)
			if e.rnxt < e.want {
				e.timer(e.until, quicPatience)
			}
			continue
		case x.Dir != e.dir && e.rnxt < e.want:
			return
		case x.Dir != e.dir:
			e.reads = false
			e.base = now
		case at > now && !e.ready:
			e.ready = true
			e.due = at + e.c.n.latency.Sleep()
			e.timer(e.due, quicSleep)
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
func (e *quicEnd) finished(now int64) {
	far := e.other()
	switch {
	case e.over:
	case e.dir == packet.Down:
		if far.index == len(e.c.messages) {
			far.later(e.c.n.latency.Wake())
		}
	case far.index == len(e.c.messages):
		e.close()
		e.c.done(nil)
	case !e.waits:
		e.waits = true
		e.c.n.at(now+int64(policy.StreamTimeout), func() { e.fail(errPatience) })
	}
}

// waitedLong ends the connection if nothing has come for long.
func (e *quicEnd) waitedLong(now int64) {
	if e.rnxt == e.had {
		e.fail(errPatience)
		return
	}
	e.had, e.until = e.rnxt, now+int64(policy.StreamTimeout)
	e.timer(e.until, quicPatience)
}
