package activity

import "glasshouse/testbed/dataset"

// TruthWindow is a window's packets with their true activities.
type TruthWindow struct {
	Roll   Roll
	Counts map[string]map[string]int // by class: packets of each activity
}

// Truth adds a packet's label.
func (w *TruthWindow) Truth(class string, l *dataset.Label) {
	if w.Counts == nil {
		w.Counts = make(map[string]map[string]int)
	}
	a := w.Counts[class]
	if a == nil {
		a = make(map[string]int)
		w.Counts[class] = a
	}
	a[activityOf(l)]++
}

// Does returns a class's activity: the one that most of its packets belong to.
func (w *TruthWindow) Does(class string) string {
	best := ""
	for _, name := range Names() {
		if n := w.Counts[class][name]; n > 0 && (best == "" || n > w.Counts[class][best]) {
			best = name
		}
	}
	return best
}

// Reset empties the window for the next one.
func (w *TruthWindow) Reset() {
	w.Roll.Reset()
	clear(w.Counts)
}
