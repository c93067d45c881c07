package score

import (
	"math"

	"glasshouse/classifier/exact"
	"glasshouse/classifier/model"
	"glasshouse/classifier/stat"
)

// Trust is the calibration of predicted probabilities.
type Trust struct {
	N               int     `json:"n"` // scored predictions with a probability; "unknown" has none
	MeanProbability float64 `json:"mean_probability"`
	Accuracy        float64 `json:"accuracy"`
	// CalibrationError is the expected calibration error of the predicted class over 15 equal bins (Guo et al. 2017): the mean distance
	// between probability and accuracy.
	CalibrationError float64 `json:"calibration_error"`
	Brier            float64 `json:"brier"` // mean square of (probability of the predicted class - 1 if it is correct, else 0)
	// LogLoss is the mean of -ln p of the true class, p at least 1e-6; 0 if only the predicted class has a probability.
	LogLoss float64 `json:"log_loss,omitempty"`
	// Before is the same without the model's calibration; nil if it has none.
	Before *model.Reliability `json:"before_calibration,omitempty"`
}

const trustBins = 15

// TrustTally counts predictions by probability.
type TrustTally struct {
	n, right [trustBins]int
	p        [trustBins]float64
	brier    float64
	loss     float64
	losses   int
}

func (t *TrustTally) add(p float32, right bool) {
	if !(p >= 0 && p <= 1) {
		return
	}
	b := min(int(p*trustBins), trustBins-1)
	t.n[b]++
	t.p[b] += float64(p)
	miss := float64(p)
	if right {
		t.right[b]++
		miss--
	}
	t.brier += miss * miss
}

// AddAll counts a prediction with the probabilities of all classes; truth is the index of the true class, negative if it is not one of them.
func (t *TrustTally) AddAll(probs []float32, truth int) {
	best := stat.Argmax(probs)
	t.add(probs[best], best == truth)
	p := model.LeastProbability
	if truth >= 0 {
		p = max(float64(probs[truth]), p)
	}
	t.loss -= exact.LogFast(p)
	t.losses++
}

// Result gives the calibration error and the log loss of what was added.
func (t *TrustTally) Result() *Trust {
	r := &Trust{}
	right, off := 0, 0.0
	for b, n := range t.n {
		r.N += n
		right += t.right[b]
		r.MeanProbability += t.p[b]
		off += math.Abs(t.p[b] - float64(t.right[b]))
	}
	if r.N == 0 {
		return nil
	}
	n := float64(r.N)
	r.MeanProbability /= n
	if t.losses > 0 {
		r.LogLoss = t.loss / float64(t.losses)
	}
	r.Accuracy, r.CalibrationError, r.Brier = stat.Ratio(right, r.N), off/n, t.brier/n
	return r
}
