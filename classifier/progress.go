package classifier

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

// work follows the phases of a piece of work. Nil follows none. It is used from one goroutine at a time.
type work struct {
	tell func(Progress)
	at   Progress
	rows bool // the phase counts packets that are read
}

func newWork(tell func(Progress)) *work {
	if tell == nil {
		return nil
	}
	return &work{tell: tell}
}

// read begins a phase that reads so many packets.
func (w *work) read(phase string, packets int64) { w.begin(phase, packets, true) }

// do begins a phase that counts something else.
func (w *work) do(phase string, of int64) { w.begin(phase, of, false) }

func (w *work) begin(phase string, of int64, rows bool) {
	if w == nil {
		return
	}
	w.at.Phase, w.at.Of, w.at.Done, w.rows = phase, of, 0, rows
	w.tell(w.at)
}

func (w *work) step(n int64) { w.set(w.done()+n, w.of()) }

func (w *work) done() int64 {
	if w == nil {
		return 0
	}
	return w.at.Done
}

func (w *work) of() int64 {
	if w == nil {
		return 0
	}
	return w.at.Of
}

func (w *work) set(done, of int64) {
	if w == nil {
		return
	}
	w.at.Done, w.at.Of = done, max(of, done)
	w.tell(w.at)
}

// follow counts each step of a training that says how far it is.
func (w *work) follow(also func(done, of int)) func(done, of int) {
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

// watch returns views of data sets whose reading is counted.
func (w *work) watch(sets []*dataset.Dataset) []*dataset.Dataset {
	if w == nil {
		return sets
	}
	out := make([]*dataset.Dataset, len(sets))
	for i, d := range sets {
		out[i] = d.Watched(func(rows int64) error {
			if w.rows {
				w.step(rows)
			}
			return nil
		})
	}
	return out
}

// Watched returns views of data sets whose reading, once, is the phase PhaseScore.
func Watched(sets []*dataset.Dataset, tell func(Progress)) []*dataset.Dataset {
	w := newWork(tell)
	w.read(PhaseScore, packetsOf(sets))
	return w.watch(sets)
}

// signaturePasses is how often the packets are read to find what tells unknown devices.
func signaturePasses(folds []rehearsal) int64 {
	if len(folds) > 1 {
		return 2*int64(len(folds)) + 1
	}
	return 2
}

// packetsOf is how many packets data sets have, those that a view drops too.
func packetsOf(sets []*dataset.Dataset) (n int64) {
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			n += h.Packets
		}
	}
	return n
}
