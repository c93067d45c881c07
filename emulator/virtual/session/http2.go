package session

import (
	"glasshouse/emulator/packet"
	"glasshouse/emulator/wire"
	"glasshouse/emulator/wire/secure"
)

// step is one write of an end of an HTTP/2 connection. Both ends walk one list of them.
type step struct {
	dir    int8
	size   int   // bytes of frames; 0 = nothing is written: the end has then read what it waited for
	needs  int64 // bytes of the other end's stream, from the exchange's start, that must have come before
	wait   int64 // ns: the program's own pause before
	answer int64 // ns: the longest pause of the other end's program that is waited for
}

// steps are the writes of an exchange of requests and responses: all on one connection, one pair after the other.
func (s *Session) steps(j *Job) []step {
	token := [wire.HTTPTokenSize]byte(wire.AppendRandom(nil, s.cfg.Draws, wire.HTTPTokenSize))
	path := string(wire.AppendHTTP2Path(nil, token))
	h := wire.NewHTTP2()
	var list []step
	var sent [2]int64 // by the client, the server
	for i := 0; i+1 < len(j.Messages); i += 2 {
		ask, reply := &j.Messages[i], &j.Messages[i+1]
		base := sent
		var after [2][]int64 // what each end has sent after so many of its writes
		first := true
		for _, w := range h.Exchange(s.cfg.Service.Host, path, ask.Size, reply.Size, 0) {
			end, x := 1, step{dir: packet.Down, size: w.Size, answer: reply.Wait}
			if w.Up {
				end, x.dir = 0, packet.Up
			}
			x.needs = base[1-end]
			if w.After > 0 {
				x.needs = after[1-end][w.After-1]
			}
			switch {
			case first:
				x.wait, first = ask.Wait, false
			case w.Reply:
				x.wait = reply.Wait
			}
			sent[end] += s.recordsSize(w.Size)
			after[end] = append(after[end], sent[end])
			list = append(list, x)
		}
	}
	return append(list, step{dir: packet.Up, needs: sent[1]}, step{dir: packet.Down, needs: sent[0]})
}

// recordsSize is what so many bytes take on the stream in TLS records.
func (s *Session) recordsSize(n int) int64 {
	return int64(n + (n+secure.MaxPlaintext-1)/secure.MaxPlaintext*secure.RecordOverhead(s.version))
}

// step takes one step, if it is this end's; false when it has to wait.
func (d *side) step(x *step, t packet.Tag, now int64) bool {
	if d.index == 0 && !d.ready && !d.reads {
		d.from = d.want
	}
	if x.dir != d.dir {
		return true
	}
	if need := d.from + x.needs; !d.ready && (d.reads || need > d.want) && !d.await(need-d.want, now, x.wait+x.answer) {
		return false
	}
	if x.wait > 0 && !d.ready {
		d.ready = true
		d.sleep(now + x.wait + d.s.cfg.Latency.Sleep())
		return false
	}
	d.ready = false
	for rest := x.size; rest > 0; rest -= secure.MaxPlaintext {
		d.sendRecord(min(rest, secure.MaxPlaintext), t)
	}
	return true
}
