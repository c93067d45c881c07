package classifier

import (
	"slices"
	"sync"
)

// maxBins is how many values a feature can take while a tree is grown: one byte a value.
const maxBins = 255

// table is training data in bins: column-major.
type table struct {
	n       int
	cols    [][]uint8
	cuts    [][]float32 // bin b holds values <= cuts[b]; the last bin holds the rest
	y       []uint8
	classes int
}

// newTable bins features (row-major: a row for each of y) at their quantiles, on some workers. y must not be empty.
func newTable(x []float32, y []uint8, classes, workers int) *table {
	features := len(x) / len(y)
	t := &table{n: len(y), y: y, classes: classes, cols: make([][]uint8, features), cuts: make([][]float32, features)}
	share(features, workers, func() func(int) {
		values := make([]float32, t.n)
		return func(f int) {
			for i := range t.n {
				values[i] = x[i*features+f]
			}
			slices.Sort(values)
			t.cuts[f] = quantileCuts(values)
			col := make([]uint8, t.n)
			for i := range t.n {
				col[i] = binOf(t.cuts[f], x[i*features+f])
			}
			t.cols[f] = col
		}
	})
	return t
}

// share does the jobs 0 to n-1 on some workers; each worker begins with start, which makes its buffers and returns what does
// a job. It returns when all are done. Which worker does which job is left to chance: a job must not depend on it.
func share(n, workers int, start func() func(job int)) {
	if workers = min(max(workers, 1), n); workers <= 1 {
		do := start()
		for i := range n {
			do(i)
		}
		return
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			do := start()
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// quantileCuts returns at most maxBins-1 upper bounds between distinct values, spread over the values, which are sorted.
func quantileCuts(v []float32) []float32 {
	distinct := 0
	for i := range v {
		if i == 0 || v[i] != v[i-1] {
			distinct++
		}
	}
	var cuts []float32
	if distinct <= maxBins {
		for i := 1; i < len(v); i++ {
			if v[i] != v[i-1] {
				cuts = append(cuts, between(v[i-1], v[i]))
			}
		}
		return cuts
	}
	for q := 1; q < maxBins; q++ {
		i := max(q*len(v)/maxBins, 1)
		for i < len(v) && v[i-1] == v[i] { // a value is not cut in two: the cut lies above its last
			i++
		}
		if i == len(v) {
			break
		}
		if c := between(v[i-1], v[i]); len(cuts) == 0 || c > cuts[len(cuts)-1] {
			cuts = append(cuts, c)
		}
	}
	return cuts
}

// between returns a value c with a <= c < b.
func between(a, b float32) float32 {
	if c := a + (b-a)/2; c < b {
		return c
	}
	return a
}

// binOf returns the bin of a value: the index of the first cut that is not below it.
func binOf(cuts []float32, v float32) uint8 {
	lo, hi := 0, len(cuts)
	for lo < hi {
		mid := (lo + hi) / 2
		if cuts[mid] < v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint8(lo)
}
