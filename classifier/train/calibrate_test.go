package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"glasshouse/classifier/model"
)

// sure draws packets whose classes follow the probabilities, and raises the probabilities to a power: overconfident above 1.
func sure(n int, power float64) *judged {
	r := rand.New(rand.NewPCG(4, 4))
	j := &judged{}
	for range n {
		p := make([]float32, 4)
		sum := float32(0)
		for i := range p {
			p[i] = float32(math.Exp(2 * r.NormFloat64()))
			sum += p[i]
		}
		at, class := r.Float32()*sum, 0
		for class < 3 && at >= p[class] {
			at -= p[class]
			class++
		}
		sum = 0
		for i := range p {
			p[i] = float32(math.Pow(float64(p[i]), power))
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
		j.probs, j.class = append(j.probs, p...), append(j.class, int32(class))
	}
	return j
}

func TestCalibrationFindsTheTemperature(t *testing.T) {
	v := &validation{homes: map[int]bool{0: true, 1: true}}
	for _, power := range []float64{0.5, 1, 2} {
		c := sure(20_000, power).fit(v)
		if c == nil || math.Abs(c.Temperature-power) > 0.05*power || c.Homes != 2 {
			t.Fatalf("power %v: %+v", power, c)
		}
		if c.After.CalibrationError > 0.015 || c.After.LogLoss > c.Before.LogLoss+1e-6 || power != 1 && c.Before.CalibrationError < 0.05 {
			t.Errorf("power %v: %+v", power, c)
		}
	}
	if c := sure(model.CalibrateLeast-1, 2).fit(v); c != nil {
		t.Errorf("calibration from too few packets: %+v", c)
	}
}
