package testbed

import (
	"context"
	"errors"

	"glasshouse/classifier"
	"glasshouse/devices/learn"
)

// Windows of the two-sample tests.
const (
	windowBeats   = 20 // messages
	windowEvents  = 10
	windowPackets = 40
)

// test lets a forest tell the sides apart: by the messages of dialogues that keep a rhythm in the capture, by all other
// messages, and by all packets, acknowledgements and handshakes included; of the messages also by those up alone, in which the
// network and the cloud have no part. Blocks are held out whole.
func (c *Comparison) test(ctx context.Context, o CompareOptions, sides [2][]*learn.Trace) error {
	rhythmic := make(map[string]bool)
	var all []learn.Said
	for _, t := range sides[0] {
		all = append(all, learn.Dialogues(t)...)
	}
	for _, b := range learn.Beats(all) {
		rhythmic[b.Shape] = true
	}
	var beats, events, packets, beatsUp, eventsUp [2][]classifier.Run
	for side, traces := range sides {
		for i, t := range traces {
			var x, y, z classifier.Run
			x.Seed, y.Seed, z.Seed = uint64(i), uint64(i), uint64(i)
			if len(t.Packets) == 0 {
				continue
			}
			start := t.Packets[0].At
			for _, s := range learn.Dialogues(t) {
				run := &y
				if rhythmic[s.Shape] {
					run = &x
				}
				for _, m := range s.Messages {
					run.Packets = append(run.Packets, classifier.Packet{TsNs: m.At - start, Dir: direction(m.Up), Length: int32(min(m.Size, 1<<30))})
				}
			}
			for j := range t.Packets {
				if p := &t.Packets[j]; compared(p) {
					z.Packets = append(z.Packets, classifier.Packet{TsNs: p.At - start, Dir: direction(p.Up), Length: int32(p.Length)})
				}
			}
			beats[side], events[side], packets[side] = append(beats[side], x), append(events[side], y), append(packets[side], z)
			beatsUp[side], eventsUp[side] = append(beatsUp[side], upOf(x)), append(eventsUp[side], upOf(y))
		}
	}
	for _, k := range []struct {
		name   string
		runs   [2][]classifier.Run
		window int
	}{
		{"heartbeats: messages that keep a rhythm", beats, windowBeats},
		{"  those up alone", beatsUp, windowEvents},
		{"events: all other messages", events, windowEvents},
		{"  those up alone", eventsUp, windowEvents},
		{"all packets", packets, windowPackets},
	} {
		r, err := classifier.TwoSample(ctx, k.runs[0], k.runs[1], classifier.TwoSampleOptions{
			Window: k.window, Trees: o.Trees, Workers: max(1, o.Workers), Seed: o.Seed,
		})
		switch {
		case errors.Is(err, classifier.ErrTooFewRuns):
			r = nil
		case err != nil:
			return err
		}
		c.Tests = append(c.Tests, CompareTest{k.name, k.window, r})
	}
	return nil
}

// upOf keeps what the device sends.
func upOf(r classifier.Run) classifier.Run {
	up := classifier.Run{Seed: r.Seed}
	for _, p := range r.Packets {
		if p.Dir > 0 {
			up.Packets = append(up.Packets, p)
		}
	}
	return up
}

func direction(up bool) int8 {
	if up {
		return 1
	}
	return -1
}
