package train

import "glasshouse/testbed/dataset"

// Phases of a training or an evaluation. Each has a Progress of its own, from nothing to all.
const (
	PhaseRead       = "reading packets" // and making features of them
	PhaseTrain      = "training"
	PhaseHeldBack   = "training without the homes held back" // smaller models, to calibrate by
	PhaseCalibrate  = "calibration"
	PhaseSignatures = "unknown devices: signatures"
	PhaseStrangers  = "unknown devices: training without each class"
	PhaseActivities = "activities"
	PhaseScore      = "scoring"
	PhaseLeaks      = "leaks"
	PhaseShuffle    = "shuffling labels"
)

// Progress says how far a phase is. Done and Of count the same: packets, trees, rounds, shares of epochs. Of is what a phase takes at most:
// one may end before.
type Progress struct {
	Of, Done int64
	Phase    string
	Model    string // in an evaluation: which of the models
}

// Work follows the phases of a piece of work. Nil follows none. It is used from one goroutine at a time.
type Work struct {
	tell func(Progress)
	at   Progress
	rows bool // the phase counts packets that are read
}

func NewWork(tell func(Progress)) *Work {
	if tell == nil {
		return nil
	}
	return &Work{tell: tell}
}

// Read begins a phase that reads so many packets.
func (w *Work) Read(phase string, packets int64) { w.begin(phase, packets, true) }

// do begins a phase that counts something else.
func (w *Work) do(phase string, of int64) { w.begin(phase, of, false) }

func (w *Work) begin(phase string, of int64, rows bool) {
	if w == nil {
		return
	}
	w.at.Phase, w.at.Of, w.at.Done, w.rows = phase, of, 0, rows
	w.tell(w.at)
}

func (w *Work) Step(n int64) { w.set(w.done()+n, w.of()) }

func (w *Work) done() int64 {
	if w == nil {
		return 0
	}
	return w.at.Done
}

func (w *Work) of() int64 {
	if w == nil {
		return 0
	}
	return w.at.Of
}

func (w *Work) set(done, of int64) {
	if w == nil {
		return
	}
	w.at.Done, w.at.Of = done, max(of, done)
	w.tell(w.at)
}

// Uncount ends the counting of packets that are read.
func (w *Work) Uncount() {
	if w != nil {
		w.rows = false
	}
}

// follow counts each step of a training that says how far it is.
func (w *Work) follow(also func(done, of int)) func(done, of int) {
	if w == nil {
		return also
	}
	return func(done, of int) {
		w.set(int64(done), int64(of))
		if also != nil {
			also(done, of)
		}
	}
}

// Watch returns views of data sets whose reading is counted.
func (w *Work) Watch(sets []*dataset.Dataset) []*dataset.Dataset {
	if w == nil {
		return sets
	}
	out := make([]*dataset.Dataset, len(sets))
	for i, d := range sets {
		out[i] = d.Watched(func(rows int64) error {
			if w.rows {
				w.Step(rows)
			}
			return nil
		})
	}
	return out
}

// Watched returns views of data sets whose reading, once, is the phase PhaseScore.
func Watched(sets []*dataset.Dataset, tell func(Progress)) []*dataset.Dataset {
	w := NewWork(tell)
	w.Read(PhaseScore, PacketsOf(sets))
	return w.Watch(sets)
}

// signaturePasses is how often the packets are read to find what tells unknown devices.
func signaturePasses(folds []rehearsal) int64 {
	if len(folds) > 1 {
		return 2*int64(len(folds)) + 1
	}
	return 2
}

// PacketsOf is how many packets data sets have, those that a view drops too.
func PacketsOf(sets []*dataset.Dataset) (n int64) {
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			n += h.Packets
		}
	}
	return n
}
