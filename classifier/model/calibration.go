package model

import "glasshouse/classifier/exact"

// Calibration makes a model's probabilities be what they say: they are taken to the power of 1/Temperature and made to sum to 1
// again (temperature scaling, Guo et al. 2017). What is guessed stays. The temperature is fitted on homes of the training data that the
// judged trees or net have not learned from; for trees, those of a smaller model of its own, for theirs learn from all homes.
type Calibration struct {
	Method      string      `json:"method"` // temperature
	Temperature float64     `json:"temperature"`
	Homes       int         `json:"homes"`   // that it was fitted on; 0 = the end of the only one
	Packets     int         `json:"packets"` // of them
	Before      Reliability `json:"before"`
	After       Reliability `json:"after"`
}

// Reliability says how far probabilities are from what they say.
type Reliability struct {
	LogLoss          float64 `json:"log_loss"`          // mean of -ln p of the true class, nats; p is at least 1e-6
	CalibrationError float64 `json:"calibration_error"` // expected, as in Trust
}

// Bounds of what is fitted.
const (
	CalibrateMost        = 20_000 // packets that a temperature is fitted on at most
	CalibrateLeast       = 200
	Coldest              = 0.2
	Hottest              = 10
	LeastProbability     = 1e-6 // in a log loss
	LeastTempered        = 1e-4 // what a forest's probability counts as when no leaf holds the class
	CalibrateTemperature = "temperature"
)

// Temper takes probabilities to a power and makes them sum to 1. It allocates nothing.
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

// Untemper undoes temper, but for what was below leastTempered.
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
