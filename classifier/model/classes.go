package model

import (
	"fmt"
	"slices"
	"sort"
	"strconv"

	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Class modes: what a classifier is asked for.
const (
	ClassPaper    = "paper" // the paper's classes: its ten IoT devices and noise
	ClassDevice   = "device"
	ClassCategory = "category"
)

// ClassModes lists the modes.
func ClassModes() []string { return []string{ClassPaper, ClassDevice, ClassCategory} }

// Kinds of models.
const (
	KindForest = "forest" // random forest
	KindBoost  = "boost"  // gradient-boosted trees
)

// Kinds lists the models that Train makes.
func Kinds() []string { return append([]string{KindForest, KindBoost}, NeuralKinds()...) }

// ClassOf returns a row's class in a mode.
func ClassOf(l *dataset.Label, mode string) string {
	switch mode {
	case ClassDevice:
		return l.Device
	case ClassCategory:
		return l.Category
	}
	return l.Class
}

// IsScored tells whether a row counts: sent by or for a device, after the home's start-up.
func IsScored(m *dataset.Manifest, r *dataset.Row) bool {
	return !r.Passed && r.Owned() && r.TsNs >= m.StartNs+m.WarmUpNs
}

// Kinds of neural models.
const (
	KindLSTM   = "lstm"   // the paper's: 2 layers of 64 units; answers at once
	KindBiLSTM = "bilstm" // the paper's, both ways
	KindTCN    = "tcn"    // temporal convolution with a richer view of the past: beyond the paper
)

// NeuralKinds lists the neural models.
func NeuralKinds() []string { return []string{KindLSTM, KindBiLSTM, KindTCN} }

// Know notes the classes and what is commonest, from the packets of each class, in all and by length.
func (m *Meta) Know(counts map[string]int, byLength map[string]map[string]int) error {
	for c := range counts {
		m.Classes = append(m.Classes, c)
	}
	sort.Strings(m.Classes)
	if len(m.Classes) > tree.MaxClasses {
		return fmt.Errorf("%d classes; at most %d can be told apart", len(m.Classes), tree.MaxClasses)
	}
	m.Majority = Commonest(counts, m.Classes)
	m.Lengths = make(map[string]int, len(byLength))
	for k, c := range byLength {
		m.Lengths[k] = slices.Index(m.Classes, Commonest(c, m.Classes))
	}
	return nil
}

// Commonest returns the class with the highest count; the first in order of equals.
func Commonest(counts map[string]int, order []string) string {
	best := order[0]
	for _, c := range order {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// LengthKey is a packet's key in Meta.Lengths: direction and length.
func LengthKey(o *dataset.Observation) string {
	return strconv.Itoa(int(o.Dir)) + " " + strconv.Itoa(int(o.Length))
}

// PathOf says how the homes of the data sets reach the internet.
func PathOf(sets []*dataset.Dataset) string {
	path := ""
	for _, d := range sets {
		switch {
		case path == "":
			path = d.Manifest.Path
		case path != d.Manifest.Path:
			return "mixed"
		}
	}
	return path
}

// LookUp is the packet-length baseline: the majority class of training packets of this direction and length.
func (m *Meta) LookUp(o *dataset.Observation) string {
	if c, ok := m.Lengths[LengthKey(o)]; ok {
		return m.Classes[c]
	}
	return m.Majority
}
