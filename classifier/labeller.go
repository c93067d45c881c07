package classifier

import (
	"fmt"

	"glasshouse/testbed/dataset"
)

// Labeller labels the packets of one home and gives each answer back with what the caller keeps of the packet: models that
// look ahead answer late. Used by one goroutine.
type Labeller[T any] struct {
	classes []string
	stream  Stream
	probs   []float32
	waiting []held[T]
	first   int // of waiting that has no answer yet
	answer  func(of T, class string, p float32) error
}

// held is a packet without an answer.
type held[T any] struct {
	frame int64
	of    T
}

// NewLabeller returns a labeller for a home's packets: answer is called once for each packet, in their order, with the class
// that the model thinks the likeliest and its probability.
func NewLabeller[T any](m Model, answer func(of T, class string, p float32) error) *Labeller[T] {
	return &Labeller[T]{classes: m.Classes(), stream: m.Stream(), probs: make([]float32, len(m.Classes())), answer: answer}
}

// Probs are the probabilities of the classes for the packet that is being answered; they are valid until answer returns.
func (l *Labeller[T]) Probs() []float32 { return l.probs }

// Step takes the next packet, of which the caller keeps of.
func (l *Labeller[T]) Step(o *dataset.Observation, of T) error {
	l.waiting = append(l.waiting, held[T]{o.Frame, of})
	if frame, ready := l.stream.Step(o, l.probs); ready {
		return l.hand(frame)
	}
	return nil
}

// Flush labels the packets that the model still holds back: the home's packets are at their end. The next Step begins a new home.
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
		return fmt.Errorf("the model left %d packets without an answer", n)
	}
	return nil
}

// Pending is how many packets wait for their answer.
func (l *Labeller[T]) Pending() int { return len(l.waiting) - l.first }

func (l *Labeller[T]) hand(frame int64) error {
	if l.first == len(l.waiting) || l.waiting[l.first].frame != frame {
		return fmt.Errorf("the model answers for frame %d out of turn", frame)
	}
	of := l.waiting[l.first].of
	l.first++
	if 2*l.first >= len(l.waiting) { // what is left moves to the front, at most once a packet on average
		n := copy(l.waiting, l.waiting[l.first:])
		clear(l.waiting[n:])
		l.waiting, l.first = l.waiting[:n], 0
	}
	best := argmax(l.probs)
	return l.answer(of, l.classes[best], l.probs[best])
}
