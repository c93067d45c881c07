package classifier

import "glasshouse/testbed/dataset"

// truthWindow is a window's packets with what they belong to.
type truthWindow struct {
	roll ActivityRoll
	acts map[string]map[string]int // by class: packets of each activity
}

func (w *truthWindow) truth(class string, l *dataset.Label) {
	if w.acts == nil {
		w.acts = make(map[string]map[string]int)
	}
	a := w.acts[class]
	if a == nil {
		a = make(map[string]int)
		w.acts[class] = a
	}
	a[activityOf(l)]++
}

// does is what a class does: what most of its packets belong to.
func (w *truthWindow) does(class string) string {
	best := ""
	for _, name := range activityNames() {
		if n := w.acts[class][name]; n > 0 && (best == "" || n > w.acts[class][best]) {
			best = name
		}
	}
	return best
}

func (w *truthWindow) reset() {
	w.roll.Reset()
	clear(w.acts)
}
