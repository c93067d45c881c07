package learn

import (
	"cmp"
	"slices"
)

// Said is one dialogue, as it is compared.
type Said struct {
	At       int64
	Proto    uint8
	Port     uint16
	Shape    string // sizes above TCP or UDP
	Messages []Message
}

// Message is what one end says at once: At is its first packet, Size its bytes above TCP or UDP.
type Message struct {
	At   int64
	Up   bool
	Size int
	Lag  int64 // ns behind the message before it in its dialogue; 0 of the first
}

// Dialogues lists what is said in a trace, in order.
func Dialogues(t *Trace) []Said {
	var out []Said
	for _, p := range peersOf(t) {
		if p.lan {
			continue
		}
		for _, k := range p.talks {
			for _, d := range k.dialogues() {
				s := Said{At: d.at(), Proto: p.proto, Port: p.port, Shape: sketch(d.messages, 0)}
				for i, m := range d.messages {
					x := Message{At: m.at, Up: m.up, Size: m.size}
					if i > 0 {
						x.Lag = m.at - d.messages[i-1].end
					}
					s.Messages = append(s.Messages, x)
				}
				out = append(out, s)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Said) int { return cmp.Compare(a.At, b.At) })
	return out
}

// Beats groups dialogues of one shape that keep a rhythm, the most frequent first: those with a period, seen ten times or more.
func Beats(said []Said) []Beat {
	by := make(map[string]*Beat)
	var out []*Beat
	for _, s := range said {
		b := by[s.Shape]
		if b == nil {
			b = &Beat{Shape: s.Shape, Port: s.Port}
			by[s.Shape], out = b, append(out, b)
		} else {
			b.Gaps = append(b.Gaps, s.At-b.last)
		}
		b.last = s.At
		b.N++
	}
	var beats []Beat
	for _, b := range out {
		if r := rhythmOf(b.Gaps); b.N >= 10 && r.Share >= 0.5 {
			b.Rhythm = r
			beats = append(beats, *b)
		}
	}
	slices.SortStableFunc(beats, func(a, b Beat) int { return cmp.Compare(b.N, a.N) })
	return beats
}

// Beat is a shape of dialogue that comes regularly.
type Beat struct {
	Shape  string
	Port   uint16
	N      int
	Gaps   []int64 // ns from one to the next
	Rhythm Rhythm
	last   int64
}

// RTT returns the median way and back of the SYNs in a trace, ns; 0 where there is none.
func RTT(t *Trace) int64 {
	var rtts []int64
	for _, p := range peersOf(t) {
		for _, k := range p.talks {
			if k.rtt > 0 {
				rtts = append(rtts, k.rtt)
			}
		}
	}
	return quantile(sorted(rtts), 0.5)
}

// Lag returns the median lag of replies in traces, ns, or the SYNs' of the first where there are few; 0 where there is none.
func Lag(traces ...*Trace) int64 {
	var lags []int64
	for _, t := range traces {
		for _, s := range Dialogues(t) {
			for i := 1; i < len(s.Messages); i++ {
				if s.Messages[i-1].Up && !s.Messages[i].Up {
					lags = append(lags, s.Messages[i].Lag)
				}
			}
		}
	}
	if len(lags) < 3 && len(traces) > 0 {
		return RTT(traces[0])
	}
	return quantile(sorted(lags), 0.5)
}
