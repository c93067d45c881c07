package calibration

import (
	"context"
	"errors"
	"slices"
	"time"

	"glasshouse/classifier/twosample"
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
func (c *Comparison) test(ctx context.Context, o Options, sides [2][]*learn.Trace) error {
	tests, err := twoSamples(ctx, o, sides, sides[0])
	c.Tests = tests
	return err
}

// floor puts beside each test what it says of the capture's earlier half against its later half: a device that has changed its
// habits between them cannot be emulated better from the earlier.
func (c *Comparison) floor(ctx context.Context, o Options, sides [2][]*learn.Trace) error {
	tests, err := twoSamples(ctx, o, sides, append(slices.Clone(sides[0]), sides[1]...))
	for i := range tests {
		t := &c.Tests[i]
		t.Floor = tests[i].Result
		what := "message"
		if i == len(tests)-1 {
			what = "packet"
		}
		t.Tells = tells(t.Result, what)
		t.Note = note(t)
	}
	return err
}

// earlier returns the blocks that the floor compares the later ones with, of the same length. Without an earlier capture they are
// the first half of this one, and real is cut to the second.
func (c *Comparison) earlier(o Options, real []*learn.Trace, block time.Duration) (early, late []*learn.Trace) {
	if o.Earlier == nil || len(o.Earlier.Packets) == 0 {
		n := len(real) / 2
		return real[:n], real[n:]
	}
	first := o.Earlier.Packets[0].At
	for i := range int64(max(c.Blocks, 1)) {
		if p := o.Earlier.Part(first+i*int64(block), first+(i+1)*int64(block)); len(p.Packets) > 0 {
			early = append(early, p)
		}
	}
	return early, real
}

// twoSamples makes the tests of two sides; rhythm is where it is seen which dialogues keep one.
func twoSamples(ctx context.Context, o Options, sides [2][]*learn.Trace, rhythm []*learn.Trace) ([]Test, error) {
	var tests []Test
	rhythmic := make(map[string]bool)
	var all []learn.Said
	for _, t := range rhythm {
		all = append(all, learn.Dialogues(t)...)
	}
	for _, b := range learn.Beats(all) {
		rhythmic[b.Shape] = true
	}
	var beats, events, packets, beatsUp, eventsUp [2][]twosample.Run
	for side, traces := range sides {
		for i, t := range traces {
			var x, y, z twosample.Run
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
					run.Packets = append(run.Packets, twosample.Packet{TsNs: m.At - start, Dir: direction(m.Up), Length: int32(min(m.Size, 1<<30))})
				}
			}
			for j := range t.Packets {
				if p := &t.Packets[j]; compared(p) {
					z.Packets = append(z.Packets, twosample.Packet{TsNs: p.At - start, Dir: direction(p.Up), Length: int32(p.Length)})
				}
			}
			beats[side], events[side], packets[side] = append(beats[side], x), append(events[side], y), append(packets[side], z)
			beatsUp[side], eventsUp[side] = append(beatsUp[side], upOf(x)), append(eventsUp[side], upOf(y))
		}
	}
	for _, k := range []struct {
		name   string
		runs   [2][]twosample.Run
		window int
	}{
		{"heartbeats: messages that keep a rhythm", beats, windowBeats},
		{"  those up alone", beatsUp, windowEvents},
		{"events: all other messages", events, windowEvents},
		{"  those up alone", eventsUp, windowEvents},
		{"all packets", packets, windowPackets},
	} {
		r, err := twosample.Test(ctx, k.runs[0], k.runs[1], twosample.Options{
			Window: k.window, Trees: o.Trees, Workers: max(1, o.Workers), Seed: o.Seed,
		})
		switch {
		case errors.Is(err, twosample.ErrTooFewRuns):
			r = nil
		case err != nil:
			return nil, err
		}
		tests = append(tests, Test{Name: k.name, Window: k.window, Result: r})
	}
	return tests, nil
}

// upOf keeps what the device sends.
func upOf(r twosample.Run) twosample.Run {
	up := twosample.Run{Seed: r.Seed}
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
