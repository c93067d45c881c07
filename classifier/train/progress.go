package train

import "glasshouse/testbed/dataset"

// Phases of a training or an evaluation. The Progress of each starts at 0.
const (
	PhaseRead       = "reading packets" // and computing features
	PhaseTrain      = "training"
	PhaseHeldBack   = "training for calibration" // smaller models, without held-out homes
	PhaseCalibrate  = "calibration"
	PhaseSignatures = "unknown devices: signatures"
	PhaseUnknown    = "unknown devices: training without each class"
	PhaseActivities = "activities"
	PhaseScore      = "scoring"
	PhaseLeaks      = "leaks"
	PhaseShuffle    = "shuffling labels"
)

// Progress is the progress of a phase. Done and Of have the same unit: packets, trees, rounds, shares of epochs. Of is an upper bound: a
// phase may end earlier.
type Progress struct {
	Of, Done int64
	Phase    string
	Model    string // name of the model, in an evaluation
}

// Work reports the progress of phases. A nil Work reports none. It is for one goroutine at a time.
type Work struct {
	report func(Progress)
	at     Progress
	rows   bool // the phase counts packets read
}

// NewWork returns a Work that calls report, or nil if report is nil.
func NewWork(report func(Progress)) *Work {
	if report == nil {
		return nil
	}
	return &Work{report: report}
}

// Read begins a phase that reads a number of packets.
func (w *Work) Read(phase string, packets int64) { w.begin(phase, packets, true) }

// do begins a phase that counts something else.
func (w *Work) do(phase string, of int64) { w.begin(phase, of, false) }

func (w *Work) begin(phase string, of int64, rows bool) {
	if w == nil {
		return
	}
	w.at.Phase, w.at.Of, w.at.Done, w.rows = phase, of, 0, rows
	w.report(w.at)
}

// Step adds to what is done of the phase.
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
	w.report(w.at)
}

// Uncount stops counting packets read.
func (w *Work) Uncount() {
	if w != nil {
		w.rows = false
	}
}

// follow returns a progress function that also sets the phase's progress.
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

// Watch returns views of datasets that count the packets read.
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

// Watched returns views of datasets that report a single reading as PhaseScore.
func Watched(sets []*dataset.Dataset, report func(Progress)) []*dataset.Dataset {
	w := NewWork(report)
	w.Read(PhaseScore, PacketsOf(sets))
	return w.Watch(sets)
}

// signaturePasses is the number of times that the packets are read for the detector of unknown devices.
func signaturePasses(folds []rehearsal) int64 {
	if len(folds) > 1 {
		return 2*int64(len(folds)) + 1
	}
	return 2
}

// PacketsOf returns the number of packets of datasets, including those that a view drops.
func PacketsOf(sets []*dataset.Dataset) (n int64) {
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			n += h.Packets
		}
	}
	return n
}
