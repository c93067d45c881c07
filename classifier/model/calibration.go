package model

import "glasshouse/classifier/exact"

// Calibration is temperature scaling (Guo et al. 2017): probabilities are raised to the power of 1/Temperature and normalised. The
// predicted class does not change. The temperature is fitted on training homes that are held out from the net; for trees, whose final
// model trains on all homes, from a smaller model made for this purpose.
type Calibration struct {
	Method      string      `json:"method"` // temperature
	Temperature float64     `json:"temperature"`
	Homes       int         `json:"homes"`   // that it was fitted on; 0: the end of the only home
	Packets     int         `json:"packets"` // that it was fitted on
	Before      Reliability `json:"before"`
	After       Reliability `json:"after"`
}

// Reliability measures how well probabilities are calibrated.
type Reliability struct {
	LogLoss          float64 `json:"log_loss"`          // mean of -ln p of the true class, nats; p is at least 1e-6
	CalibrationError float64 `json:"calibration_error"` // expected, as in Trust
}

// Bounds of what is fitted.
const (
	CalibrateMost        = 20_000 // most packets that a temperature is fitted on
	CalibrateLeast       = 200
	Coldest              = 0.2
	Hottest              = 10
	LeastProbability     = 1e-6 // in a log loss
	LeastTempered        = 1e-4 // replaces a forest's probability when no leaf has the class
	CalibrateTemperature = "temperature"
)

// Temper raises probabilities to a power and normalises them. It allocates nothing.
func Temper(probs []float32, power float64) {
	sum := 0.0
	for i, p := range probs {
		e := exact.Exp(float64(exact.LogFast(float64(max(p, LeastTempered))) * power))
		probs[i] = float32(e)
		sum += e
	}
	for i, p := range probs {
		probs[i] = float32(float64(p) / sum)
	}
}

// Untemper undoes Temper, except for probabilities that were below LeastTempered.
func Untemper(probs []float32, temperature float64) {
	sum := 0.0
	for i, p := range probs {
		e := exact.Exp(float64(exact.LogFast(float64(max(p, 1e-30))) * temperature))
		probs[i] = float32(e)
		sum += e
	}
	for i, p := range probs {
		probs[i] = float32(float64(p) / sum)
	}
}
