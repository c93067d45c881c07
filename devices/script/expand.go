package script

import (
	"cmp"
	"slices"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
)

// expand draws the exchanges of an activity, ordered by offset.
func expand(p *profile.Profile, steps []profile.Step, d *draw.Stream, now epoch) []Exchange {
	var xs []Exchange
	for i := range steps {
		s := &steps[i]
		if !d.Chance(s.Chance) {
			continue
		}
		svc := p.Service(s.Service)
		offset := d.In(s.After)
		for n := d.In(s.Repeat); n > 0; n-- {
			x := Exchange{Op: s.Op, Service: s.Service, Offset: offset, Fresh: s.Fresh}
			if s.Op == profile.OpConnect || s.Op == profile.OpReconnect {
				x.Messages = loginMessages(svc, d, now.of(svc))
			} else {
				e := expander{svc: svc, d: d, level: now.of(svc)}
				e.items(s.Messages)
				x.Messages = e.out
			}
			xs = append(xs, x)
			offset += d.In(s.Gap)
		}
	}
	byOffset(xs)
	return xs
}

func byOffset(xs []Exchange) {
	slices.SortStableFunc(xs, func(a, b Exchange) int { return cmp.Compare(a.Offset, b.Offset) })
}

// expander turns items into messages.
type expander struct {
	svc *profile.Service
	d   *draw.Stream
	out []Message

	level  int64                  // ns that every reply takes now beyond its own time
	states map[*profile.Item]*int // of what is drawn with regard to the last one
}

func (e *expander) items(items []profile.Item) {
	for i := range items {
		it := &items[i]
		for n := e.d.In(it.Repeat); n > 0; n-- {
			switch {
			case len(it.Group) > 0:
				e.items(it.Group)
			case len(it.Variants) > 0:
				e.items(e.variant(it.Variants))
			case it.Stream != nil:
				e.stream(it.Stream, e.wait(it, it.Dir))
			default:
				e.out = append(e.out, Message{Dir: it.Dir, Size: int(e.d.In(it.Size)), Wait: e.wait(it, it.Dir)})
			}
		}
	}
}

// next draws a wait from quantiles, with regard to the last one of the same item in this exchange.
func (e *expander) next(it *profile.Item) int64 {
	if len(it.WaitNext) == 0 {
		return e.d.Quantile(it.Waits)
	}
	if e.states == nil {
		e.states = make(map[*profile.Item]*int)
	}
	state := e.states[it]
	if state == nil {
		first := -1
		state = &first
		e.states[it] = state
	}
	return e.d.Follow(it.Waits, it.WaitNext, state)
}

// variant picks one by its weight.
func (e *expander) variant(vs []profile.Variant) []profile.Item {
	total := int64(0)
	for i := range vs {
		total += vs[i].Weight
	}
	at := e.d.N(total)
	for i := range vs {
		if at -= vs[i].Weight; at < 0 {
			return vs[i].Messages
		}
	}
	return nil
}

// wait draws what passes before a message. A far end that answers takes the service's latency, unless told.
func (e *expander) wait(it *profile.Item, dir int8) int64 {
	reply := dir == profile.Down && len(e.out) > 0 && e.out[len(e.out)-1].Dir == profile.Up
	wait := int64(0)
	switch {
	case len(it.Waits) > 0:
		wait = e.next(it)
	case it.HasWait:
		wait = e.d.In(it.Wait)
	case reply && len(e.svc.Replies) > 0:
		wait = e.d.Quantile(e.svc.Replies)
	case reply:
		wait = e.d.In(e.svc.Latency)
	}
	if reply {
		wait += e.level
	}
	return wait
}

// stream appends the chunks of an audio or video stream. first is the wait before its first frame.
func (e *expander) stream(s *profile.Stream, first int64) {
	duration := e.d.In(s.Duration)
	chunk := e.d.In(s.Chunk)
	wait := first
	for frame := int64(0); frame*s.Every < duration; frame++ {
		size := e.d.In(s.Size)
		if s.KeyEvery > 0 && frame%s.KeyEvery == 0 {
			size = e.d.In(s.KeySize)
		}
		for size > 0 {
			n := min(size, chunk)
			if rest := size - n; rest > 0 && rest < profile.MinOpening {
				n = size - profile.MinOpening // each datagram names its session
			}
			e.out = append(e.out, Message{Dir: s.Dir, Size: int(n), Wait: wait})
			size -= n
			wait = 0
		}
		wait = s.Every
	}
}

// Assumed of the network, only to keep a person's acts on one unit apart.
const (
	assumedTurn    = int64(60 * time.Millisecond)  // an answer's way
	assumedOpening = int64(300 * time.Millisecond) // DNS, TCP and TLS handshakes
	assumedByte    = int64(800)                    // ns: 10 Mbit/s
)

// span returns about how long an activity takes, ns.
func span(a *Activity) int64 {
	var longest int64
	for i := range a.Exchanges {
		x := &a.Exchanges[i]
		t := x.Offset
		if x.Fresh || x.Op != profile.OpDialogue {
			t += assumedOpening
		}
		for j := range x.Messages {
			m := &x.Messages[j]
			t += m.Wait + int64(m.Size)*assumedByte
			if j > 0 && m.Dir != x.Messages[j-1].Dir {
				t += assumedTurn
			}
		}
		longest = max(longest, t)
	}
	return longest
}
