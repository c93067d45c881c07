// Package model says what a model is: it labels the packets of a home, stream by stream, and knows how it came about (Meta). It holds
// the file format, the classes, probabilities' calibration, and models of trees; nets are in package neural. A model is read-only once
// trained and may be shared; a Stream or a Labeller is for one goroutine.
package model

import (
	"io"
	"slices"

	"glasshouse/classifier/activity"
	"glasshouse/classifier/novelty"
	"glasshouse/testbed/dataset"
)

// Model labels packets.
type Model interface {
	// Classes lists the classes in the order of a Stream's probabilities.
	Classes() []string
	// Stream begins a new sequence of packets: one home.
	Stream() Stream
	// Meta says how the model came about.
	Meta() *Meta
	// Save writes the model in a form that Load reads.
	Save(w io.Writer) error
}

// Stream labels the packets of one home as they pass.
type Stream interface {
	// Step takes the next packet and writes the probabilities of the classes (len(Classes()) of them) for the packet whose
	// frame it returns; ready is false while a model still looks ahead.
	Step(o *dataset.Observation, probs []float32) (frame int64, ready bool)
	// Flush answers, call by call, for the packets that a model which looks ahead still holds back: no more will come. After
	// it is not ready the stream is as new.
	Flush(probs []float32) (frame int64, ready bool)
}

// HomeID names a home that a model has seen.
type HomeID struct {
	ScenarioDigest string `json:"scenario_digest"`
	Seed           uint64 `json:"seed"`
	Home           int    `json:"home"`
}

// Meta says how a model came about.
type Meta struct {
	Kind      string         `json:"kind"`
	ClassMode string         `json:"class_mode"` // paper, device or category
	Classes   []string       `json:"classes"`
	Features  []string       `json:"features"`
	Path      string         `json:"path"` // of the homes that it learned from: napt, vpn or mixed
	Seed      uint64         `json:"seed"`
	Window    int            `json:"window"`
	Packets   int            `json:"packets"` // learned from
	TrainedOn []HomeID       `json:"trained_on"`
	Majority  string         `json:"majority"`       // commonest class in training
	Lengths   map[string]int `json:"length_look_up"` // "dir length" to the index of the class that is commonest for it

	Calibration *Calibration         `json:"calibration,omitempty"` // nil: probabilities are as the model was trained to give them
	Unknown     *novelty.Unknown     `json:"unknown,omitempty"`     // nil: every packet is called one of the classes
	Activities  *activity.Activities `json:"activities,omitempty"`  // nil: it is not told what devices do
}

// WindowPackets is how many packets the model's windows have.
func (m *Meta) WindowPackets() int {
	if m.Window <= 0 {
		return 100
	}
	return m.Window
}

// TellsUnknown tells whether the model can call a packet unknown at all. One that was trained to do so cannot where there was too little to
// make a detector or its thresholds from.
func (m *Meta) TellsUnknown() bool {
	return m.Unknown != nil && slices.ContainsFunc(m.Unknown.Thresholds, func(v float32) bool { return v < 1 })
}
