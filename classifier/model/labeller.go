package model

import (
	"fmt"

	"glasshouse/classifier/novelty"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// Labeller labels the packets of one home and passes each label on with the caller's value for the packet, because models that look
// ahead label packets late. It is for one goroutine.
type Labeller[T any] struct {
	classes []string
	stream  Stream
	probs   []float32
	find    *novelty.Detector // nil: the model does not detect unknown devices
	novel   float32
	waiting []held[T]
	first   int // index in waiting of the first packet without a label
	answer  func(of T, class string, p float32) error
}

// held is a packet without a label.
type held[T any] struct {
	frame int64
	of    T
	novelty.Glance
}

// NewLabeller returns a labeller for a home's packets. answer is called once per packet, in order, with the most probable class and its
// probability, or with novelty.Label and the novelty.
func NewLabeller[T any](m Model, answer func(of T, class string, p float32) error) *Labeller[T] {
	l := &Labeller[T]{classes: m.Classes(), stream: m.Stream(), probs: make([]float32, len(m.Classes())), answer: answer}
	if u := m.Meta().Unknown; u != nil {
		l.find = novelty.NewDetector(u)
	}
	return l
}

// Novelty is the novelty score of the packet that answer was called for, 0 to 1; 0 if the model does not detect unknown devices.
func (l *Labeller[T]) Novelty() float32 { return l.novel }

// Probs are the probabilities of the classes for the packet that answer was called for; they are valid until answer returns.
func (l *Labeller[T]) Probs() []float32 { return l.probs }

// Step takes the next packet and the caller's value for it.
func (l *Labeller[T]) Step(o *dataset.Observation, of T) error {
	h := held[T]{frame: o.Frame, of: of}
	if l.find != nil {
		h.Glance = l.find.See(o)
	}
	l.waiting = append(l.waiting, h)
	if frame, ready := l.stream.Step(o, l.probs); ready {
		return l.hand(frame)
	}
	return nil
}

// Flush labels the packets that the model still holds back, at the end of a home. The next Step begins a new home.
func (l *Labeller[T]) Flush() error {
	for {
		frame, ready := l.stream.Flush(l.probs)
		if !ready {
			break
		}
		if err := l.hand(frame); err != nil {
			return err
		}
	}
	if n := len(l.waiting) - l.first; n > 0 {
		return fmt.Errorf("the model left %d packets without a label", n)
	}
	if l.find != nil {
		l.find.Reset()
	}
	return nil
}

func (l *Labeller[T]) hand(frame int64) error {
	if l.first == len(l.waiting) || l.waiting[l.first].frame != frame {
		return fmt.Errorf("the model labelled frame %d out of order", frame)
	}
	of, seen := l.waiting[l.first].of, l.waiting[l.first].Glance
	l.first++
	if 2*l.first >= len(l.waiting) { // amortised: at most one move per packet
		n := copy(l.waiting, l.waiting[l.first:])
		clear(l.waiting[n:])
		l.waiting, l.first = l.waiting[:n], 0
	}
	best := stat.Argmax(l.probs)
	if l.find != nil {
		if l.novel = l.find.Novelty(&seen, l.probs); l.novel > l.find.U.Thresholds[best] {
			return l.answer(of, novelty.Label, l.novel)
		}
	}
	return l.answer(of, l.classes[best], l.probs[best])
}
