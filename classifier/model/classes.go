package model

import (
	"fmt"
	"slices"
	"sort"
	"strconv"

	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// Class modes: what a classifier predicts.
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

// Kinds lists the kinds of models that package train makes.
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

// IsScored reports whether a row counts in scores: sent by or for a device, after the home's start-up.
func IsScored(m *dataset.Manifest, r *dataset.Row) bool {
	return !r.Passed && r.Owned() && r.TsNs >= m.StartNs+m.WarmUpNs
}

// Kinds of neural models.
const (
	KindLSTM   = "lstm"   // the paper's: 2 layers of 64 units; no look-ahead
	KindBiLSTM = "bilstm" // the paper's, bidirectional
	KindTCN    = "tcn"    // temporal convolution with more inputs from the past; not in the paper
)

// NeuralKinds lists the neural models.
func NeuralKinds() []string { return []string{KindLSTM, KindBiLSTM, KindTCN} }

// SetClasses sets the classes and the tables of the baselines from the number of packets of each class, in total and by length.
func (m *Meta) SetClasses(counts map[string]int, byLength map[string]map[string]int) error {
	for c := range counts {
		m.Classes = append(m.Classes, c)
	}
	sort.Strings(m.Classes)
	if len(m.Classes) > tree.MaxClasses {
		return fmt.Errorf("%d classes; at most %d are supported", len(m.Classes), tree.MaxClasses)
	}
	m.Majority = Commonest(counts, m.Classes)
	m.Lengths = make(map[string]int, len(byLength))
	for k, c := range byLength {
		m.Lengths[k] = slices.Index(m.Classes, Commonest(c, m.Classes))
	}
	return nil
}

// Commonest returns the class with the highest count; of equal ones the first in order.
func Commonest(counts map[string]int, order []string) string {
	best := order[0]
	for _, c := range order {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// LengthKey is a packet's key in Meta.Lengths.
func LengthKey(o *dataset.Observation) string {
	return strconv.Itoa(int(o.Dir)) + " " + strconv.Itoa(int(o.Length))
}

// PathOf returns the path of the datasets' homes: napt, vpn, or mixed.
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

// LookUp is the packet-length baseline: the most common class for the packet's length and direction.
func (m *Meta) LookUp(o *dataset.Observation) string {
	if c, ok := m.Lengths[LengthKey(o)]; ok {
		return m.Classes[c]
	}
	return m.Majority
}
