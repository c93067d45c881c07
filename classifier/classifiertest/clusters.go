// Package classifiertest makes small datasets and feature rows for the tests of the classifier's packages.
package classifiertest

import (
	"math/rand/v2"

	"glasshouse/classifier/feature"
	"glasshouse/testbed/dataset"
)

// Clusters makes rows of separable classes: each class has its own lengths. A share of wrong labels is random.
func Clusters(n, classes int, wrong float64, seed uint64) (x []float32, y []uint8) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		c := r.IntN(classes)
		var e feature.Extractor
		f := make([]float32, feature.NumFeatures)
		e.Step(&dataset.Observation{Dir: int8(1 - 2*(c%2)), Length: int32(60 + 100*(c/2) + r.IntN(90)), RemotePort: uint16(400 + r.IntN(100)), IPProto: 6}, f)
		if r.Float64() < wrong {
			c = r.IntN(classes)
		}
		x, y = append(x, f...), append(y, uint8(c))
	}
	return x, y
}
