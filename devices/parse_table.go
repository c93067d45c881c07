package devices

import (
	"fmt"
	"time"

	"glasshouse/devices/strictyaml"
)

// maxQuantiles is how long a table can be: percentiles.
const maxQuantiles = 101

// spread reads a duration, a range of them to draw from evenly, or three and more: the quantiles of a distribution. A table's
// range is from its first to its last.
func spread(n strictyaml.Node, lo, hi time.Duration) (Range, []int64) {
	if n.Len() < 3 {
		return durations(n, lo, hi), nil
	}
	q := table(n, lo, hi)
	return Range{q[0], q[len(q)-1]}, q
}

// table reads 2 quantiles or more, in equal steps of probability, in rising order.
func table(n strictyaml.Node, lo, hi time.Duration) []int64 {
	nodes := n.List()
	if nodes == nil {
		return []int64{0, 0}
	}
	if len(nodes) < 2 || len(nodes) > maxQuantiles {
		n.Errorf(fmt.Sprintf("2 to %d durations, from the least to the greatest", maxQuantiles), "%d quantiles", len(nodes))
		return []int64{0, 0}
	}
	q := make([]int64, len(nodes))
	for i, x := range nodes {
		d, ok := x.TryDuration(lo, hi)
		if q[i] = d; i > 0 && d < q[i-1] {
			if ok {
				x.Errorf("durations in rising order", "a quantile below the one before it")
			}
			q[i] = q[i-1]
		}
	}
	return q
}
