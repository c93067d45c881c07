// Package watch labels the packets of any capture or interface as they pass. There is no truth beside them.
//
// A Watcher takes frames in order and gives each packet that crosses the edge of the home its label as soon as the model has
// one, and each window of packets the classes that are in it. It does no I/O; used by one goroutine. Not modelled: several
// homes behind one capture; fragments after the first show no ports.
package watch

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"glasshouse/classifier/activity"
	"glasshouse/classifier/model"
	"glasshouse/classifier/novelty"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/frames"
)

// Packet is a labelled packet.
type Packet struct {
	dataset.Observation
	Class       string
	Probability float32
}

// Window is what a number of consecutive packets hold.
type Window struct {
	Index   int            `json:"window"` // from 1
	FromNs  int64          `json:"from_ns"`
	ToNs    int64          `json:"to_ns"`
	Packets int            `json:"packets"`
	Present []ClassPackets `json:"present"` // most packets first
	// Of models that tell unknown devices: how new the window seems, and whether that is more than windows of known homes do; that is
	// known of windows of the model's own number of packets, so others are never unknown.
	Novelty float32 `json:"novelty,omitempty"`
	Unknown bool    `json:"unknown,omitempty"`
}

// ClassPackets counts a class's packets.
type ClassPackets struct {
	Class   string `json:"class"`
	Packets int    `json:"packets"`
	// What it does, "" where the model does not tell, and from when to when its packets are in the window.
	Activity string `json:"activity,omitempty"`
	FromNs   int64  `json:"from_ns"`
	ToNs     int64  `json:"to_ns"`
}

// ClassTotal is what was seen of a class in all.
type ClassTotal struct {
	Class           string  `json:"class"`
	Packets         int64   `json:"packets"`
	Bytes           int64   `json:"bytes"` // with the Ethernet header
	MeanProbability float64 `json:"mean_probability"`
	FirstNs         int64   `json:"first_ns"`
	LastNs          int64   `json:"last_ns"`
	Windows         int     `json:"windows"` // that hold it
	// Activities counts the windows in which the model says that it does something; nil where the model does not say.
	Activities map[string]int `json:"activities,omitempty"`
}

// Counts are the frames that were read.
type Counts struct {
	Frames  int64 `json:"frames"`  // in all
	Labeled int64 `json:"labeled"` // that cross the edge of the home, and have their label
	Inside  int64 `json:"inside"`  // both ends are the home's, or neither is, or sent to many
	NotIP   int64 `json:"not_ip"`  // or so that no packet can be read from them: left_out says why
}

// lookFirst is how many IP packets are looked at to tell which side is the home's, where nobody says.
// Where packets are rare, a few of them do after a while.
const (
	lookFirst = 500
	lookLeast = 20
	lookLong  = 3e9 // ns
)

// Watcher labels frames as they come.
type Watcher struct {
	// OnPacket and OnWindow are given what is labelled, in order; nil is allowed. They must not keep Present's memory.
	OnPacket func(*Packet) error
	OnWindow func(*Window) error

	local  Local
	guess  sideGuess
	held   []heldFrame // until the side is known
	dec    frames.Decoder
	cutter *frames.Cutter
	copies *frames.Copies
	left   frames.LeftOut // of the packets that are not labelled
	parser *dataset.Parser
	label  *model.Labeller[dataset.Observation]
	buf    []byte
	window int
	open   Window
	find   *novelty.Unknown
	meta   *model.Meta
	acts   activity.Roll
	novel  []float32 // of the open window's packets
	inOpen map[string]int
	totals map[string]*ClassTotal
	counts Counts
}

type heldFrame = frames.Frame

// New returns a watcher for one home; without local addresses the first packets tell which side is the home's.
func New(m model.Model, local Local, window int) *Watcher {
	if window <= 0 {
		window = m.Meta().WindowPackets()
	}
	w := &Watcher{
		dec: frames.NewDecoder(), cutter: frames.NewCutter(), copies: frames.NewCopies(), left: make(frames.LeftOut),
		local: local, parser: dataset.NewParser(), window: window, inOpen: make(map[string]int), totals: make(map[string]*ClassTotal),
	}
	w.label, w.find = model.NewLabeller(m, w.labelled), m.Meta().Unknown
	w.meta = m.Meta()
	return w
}

// Local is which side is the home's; nil while it is not known.
func (w *Watcher) Local() Local { return w.local }

// Counts are the frames so far.
func (w *Watcher) Counts() Counts { return w.counts }

// LeftOut counts the frames that are not labelled, by reason.
func (w *Watcher) LeftOut() frames.LeftOut {
	all := make(frames.LeftOut)
	all.Add(w.left)
	all.Add(w.dec.LeftOut())
	return all
}

// Frame takes the next frame. Its data is the caller's again afterwards.
func (w *Watcher) Frame(rec frames.Record) error {
	w.counts.Frames++
	rec.Number = w.counts.Frames
	f, ok := w.dec.Decode(rec)
	switch {
	case !ok:
		w.counts.NotIP++
		return nil
	case w.copies.Seen(f):
		w.left[frames.Copy]++
		return nil
	case w.local != nil:
		return w.cut(f)
	}
	w.guess.add(f)
	h := *f
	h.IP = slices.Clone(f.IP[:min(len(f.IP), keptBytes)])
	w.held = append(w.held, h)
	if len(w.held) < lookFirst {
		if len(w.held) < lookLeast || f.At-w.held[0].At < lookLong {
			return nil
		}
		if _, err := w.guess.local(); err != nil { // more packets may tell
			return nil
		}
	}
	return w.decide()
}

// keptBytes is as much of a packet as an observation needs: headers with all options, and some bytes above them.
const keptBytes = 200

// cut observes a packet as the link carried it.
func (w *Watcher) cut(f *frames.Frame) (err error) {
	w.cutter.Cut(f, func(p *frames.Frame) {
		if err == nil {
			err = w.observe(p)
		}
	})
	return err
}

// decide tells the side, and labels what was held.
func (w *Watcher) decide() error {
	var err error
	if w.local, err = w.guess.local(); err != nil {
		return err
	}
	held := w.held
	w.held = nil
	for i := range held {
		if err := w.cut(&held[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *Watcher) observe(f *frames.Frame) error {
	dir := w.local.dir(f.Src, f.Dst)
	if dir == 0 {
		w.counts.Inside++
		w.left[frames.StaysLocal]++
		return nil
	}
	ether := uint16(0x0800)
	if f.Is6() {
		ether = 0x86dd
	}
	w.buf = binary.BigEndian.AppendUint16(append(w.buf[:0], make([]byte, 12)...), ether)
	w.buf = append(w.buf, f.IP[:min(len(f.IP), keptBytes)]...)
	o := w.parser.ObserveLen(f.At, dir, w.buf, dataset.EthernetHeader+f.Length)
	o.Frame = f.Number
	return w.label.Step(&o, o)
}

func (w *Watcher) labelled(o dataset.Observation, class string, p float32) error {
	w.counts.Labeled++
	t := w.totals[class]
	if t == nil {
		t = &ClassTotal{Class: class, FirstNs: o.TsNs}
		w.totals[class] = t
	}
	t.Packets++
	t.Bytes += int64(o.Length)
	t.MeanProbability += float64(p)
	t.LastNs = o.TsNs
	if w.OnPacket != nil {
		if err := w.OnPacket(&Packet{o, class, p}); err != nil {
			return err
		}
	}
	if w.open.Packets == 0 {
		w.open.FromNs = o.TsNs
	}
	w.open.ToNs = o.TsNs
	w.open.Packets++
	w.inOpen[class]++
	w.acts.Add(class, &o)
	if w.find != nil {
		w.novel = append(w.novel, w.label.Novelty())
	}
	if w.open.Packets == w.window {
		return w.closeWindow()
	}
	return nil
}

func (w *Watcher) closeWindow() error {
	w.open.Index++
	w.open.Present = w.open.Present[:0]
	for c, n := range w.inOpen {
		p := ClassPackets{Class: c, Packets: n}
		p.Activity, p.FromNs, p.ToNs = w.acts.Infer(w.meta.Activities, w.meta.Classes, c)
		w.open.Present = append(w.open.Present, p)
		w.totals[c].Windows++
		if p.Activity != "" {
			if w.totals[c].Activities == nil {
				w.totals[c].Activities = make(map[string]int)
			}
			w.totals[c].Activities[p.Activity]++
		}
	}
	slices.SortFunc(w.open.Present, func(a, b ClassPackets) int {
		if a.Packets != b.Packets {
			return b.Packets - a.Packets
		}
		if a.Class < b.Class {
			return -1
		}
		return 1
	})
	clear(w.inOpen)
	w.acts.Reset()
	if w.find != nil {
		w.open.Novelty = novelty.WindowNovelty(w.novel)
		w.open.Unknown = w.open.Packets == w.meta.WindowPackets() && w.open.Novelty > w.find.Window
		w.novel = w.novel[:0]
	}
	var err error
	if w.OnWindow != nil {
		err = w.OnWindow(&w.open)
	}
	w.open.Packets = 0
	return err
}

// Close labels what the model still holds back, and what waits for the side to be known. A last window that is not full is
// given too.
func (w *Watcher) Close() error {
	if w.local == nil && w.dec.Unread() {
		return fmt.Errorf("%w: %w", ErrSide, frames.ErrLink)
	}
	if w.local == nil && w.counts.Frames > 0 {
		if err := w.decide(); err != nil {
			return err
		}
	}
	if err := w.label.Flush(); err != nil {
		return err
	}
	if w.open.Packets > 0 {
		return w.closeWindow()
	}
	return nil
}

// Totals are the classes so far, most packets first.
func (w *Watcher) Totals() []ClassTotal {
	out := make([]ClassTotal, 0, len(w.totals))
	for _, t := range w.totals {
		c := *t
		c.MeanProbability /= float64(c.Packets)
		c.Activities = maps.Clone(t.Activities)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b ClassTotal) int {
		if a.Packets != b.Packets {
			return int(b.Packets - a.Packets)
		}
		if a.Class < b.Class {
			return -1
		}
		return 1
	})
	return out
}
