package activity

import "glasshouse/testbed/dataset"

// TruthWindow is a window's packets with what they belong to.
type TruthWindow struct {
	Roll Roll
	Acts map[string]map[string]int // by class: packets of each activity
}

// Truth adds a packet of a class with its label.
func (w *TruthWindow) Truth(class string, l *dataset.Label) {
	if w.Acts == nil {
		w.Acts = make(map[string]map[string]int)
	}
	a := w.Acts[class]
	if a == nil {
		a = make(map[string]int)
		w.Acts[class] = a
	}
	a[activityOf(l)]++
}

// Does is what a class does: what most of its packets belong to.
func (w *TruthWindow) Does(class string) string {
	best := ""
	for _, name := range Names() {
		if n := w.Acts[class][name]; n > 0 && (best == "" || n > w.Acts[class][best]) {
			best = name
		}
	}
	return best
}

// Reset empties the window for the next one.
func (w *TruthWindow) Reset() {
	w.Roll.Reset()
	clear(w.Acts)
}
