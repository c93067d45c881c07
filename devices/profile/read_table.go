package profile

import (
	"fmt"
	"time"

	"glasshouse/devices/draw"
	"glasshouse/devices/strictyaml"
)

// maxQuantiles is how long a table can be: percentiles.
const maxQuantiles = 101

// mostStates is how many states a chain may have.
const mostStates = 16

// series reads quantiles that stand alone, as one does, or with the chain that says how each value depends on the last:
// {table: [...], next: [[...], ...]}.
func series(n strictyaml.Node, one func(strictyaml.Node) []int64) ([]int64, draw.Chain) {
	if !n.IsMap() {
		return one(n), nil
	}
	m := n.Map("table", "next")
	at := m.Need("table")
	if at.Given() && at.Len() < 3 {
		at.Errorf("3 quantiles or more", "too few for a chain")
		return nil, nil
	}
	q := one(at)
	nodes := m.Need("next").List()
	if m.Has("next") && (len(nodes) < 2 || len(nodes) > mostStates || len(nodes) >= len(q)) {
		m.Opt("next").Errorf(fmt.Sprintf("2 to %d rows, fewer than quantiles", mostStates), "%d rows", len(nodes))
		return q, nil
	}
	var next draw.Chain
	for _, row := range nodes {
		weights, total := row.List(), int64(0)
		if len(weights) != len(nodes) {
			row.Errorf(fmt.Sprintf("%d weights, as there are rows", len(nodes)), "%d weights", len(weights))
		}
		var r []int64
		for _, w := range weights {
			r = append(r, w.Int(0, 1_000_000))
			total += r[len(r)-1]
		}
		if total == 0 && len(weights) > 0 {
			row.Errorf("a weight above 0", "nothing can follow")
		}
		next = append(next, r)
	}
	return q, next
}

// spread reads a duration, a range of them to draw from evenly, or three and more: the quantiles of a distribution. A table's
// range is from its first to its last.
func spread(n strictyaml.Node, lo, hi time.Duration) (draw.Range, []int64) {
	if n.Len() < 3 {
		return durations(n, lo, hi), nil
	}
	q := table(n, lo, hi)
	return draw.Range{Min: q[0], Max: q[len(q)-1]}, q
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
