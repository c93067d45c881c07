// Package model defines models, which label the packets of a home, and their metadata (Meta). It has the file format, the classes, the
// calibration of probabilities, and models of trees; neural networks are in package neural. A model is read-only once trained and may
// be shared; a Stream or a Labeller is for one goroutine.
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
	// Meta is the model's metadata.
	Meta() *Meta
	// Save writes the model in a form that Load reads.
	Save(w io.Writer) error
}

// Stream labels the packets of one home as they pass.
type Stream interface {
	// Step takes the next packet and writes the probabilities of the classes (len(Classes()) of them) for the packet whose
	// frame it returns; ready is false while the model needs more packets to look ahead.
	Step(o *dataset.Observation, probs []float32) (frame int64, ready bool)
	// Flush returns the results for the packets still held back, one per call, at the end of a home. Once it returns not ready, the
	// stream is reset.
	Flush(probs []float32) (frame int64, ready bool)
}

// HomeID identifies a home that a model was trained on.
type HomeID struct {
	ScenarioDigest string `json:"scenario_digest"`
	Seed           uint64 `json:"seed"`
	Home           int    `json:"home"`
}

// Meta is what a model was trained on and for.
type Meta struct {
	Kind      string         `json:"kind"`
	ClassMode string         `json:"class_mode"` // paper, device or category
	Classes   []string       `json:"classes"`
	Features  []string       `json:"features"`
	Path      string         `json:"path"` // of the training homes: napt, vpn or mixed
	Seed      uint64         `json:"seed"`
	Window    int            `json:"window"`
	Packets   int            `json:"packets"` // in training
	TrainedOn []HomeID       `json:"trained_on"`
	Majority  string         `json:"majority"`       // most common class in training
	Lengths   map[string]int `json:"length_look_up"` // "dir length" to the index of its most common class

	Calibration *Calibration         `json:"calibration,omitempty"` // nil: probabilities are not calibrated
	Unknown     *novelty.Unknown     `json:"unknown,omitempty"`     // nil: every packet is labelled with one of the classes
	Activities  *activity.Activities `json:"activities,omitempty"`  // nil: activities are not inferred
}

// WindowPackets is how many packets the model's windows have.
func (m *Meta) WindowPackets() int {
	if m.Window <= 0 {
		return 100
	}
	return m.Window
}

// DetectsUnknown reports whether the model can label a packet unknown. A model trained with a detector cannot if there was too little data
// for the detector or its thresholds.
func (m *Meta) DetectsUnknown() bool {
	return m.Unknown != nil && slices.ContainsFunc(m.Unknown.Thresholds, func(v float32) bool { return v < 1 })
}
