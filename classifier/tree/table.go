package tree

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
	low     [][]float32 // the least value in each bin
	high    [][]float32 // and the largest
	y       []uint8
	classes int
}

// NewTable bins features (row-major: a row for each of y) at their quantiles, on some workers. y must not be empty.
func NewTable(x []float32, y []uint8, classes, workers int) *table {
	features := len(x) / len(y)
	t := &table{
		n: len(y), y: y, classes: classes, cols: make([][]uint8, features),
		cuts: make([][]float32, features), low: make([][]float32, features), high: make([][]float32, features),
	}
	Parallel(features, workers, func() func(int) {
		values := make([]float32, t.n)
		return func(f int) {
			for i := range t.n {
				values[i] = x[i*features+f]
			}
			slices.Sort(values)
			t.cuts[f] = quantileCuts(values)
			t.low[f], t.high[f] = edges(t.cuts[f], values)
			col := make([]uint8, t.n)
			for i := range t.n {
				col[i] = binOf(t.cuts[f], x[i*features+f])
			}
			t.cols[f] = col
		}
	})
	return t
}

// Parallel does the jobs 0 to n-1 on some workers; each worker begins with start, which makes its buffers and returns what does
// a job. It returns when all are done. Which worker does which job is left to chance: a job must not depend on it.
func Parallel(n, workers int, start func() func(job int)) {
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

// quantileCuts returns at most maxBins-1 upper bounds between distinct values, spread over the values, which are sorted. A
// value that is very common has a bin of its own, or a tree could not tell it from what lies just below it.
func quantileCuts(v []float32) []float32 {
	const common = maxBins / 2 // a value that is a common-th of all is very common: at most so many are
	distinct, alone, rest := 0, 0, 0
	for i, k := 0, 0; i < len(v); i = k {
		k = nextValue(v, i)
		if distinct++; (k-i)*common >= len(v) {
			alone++
		} else {
			rest += k - i
		}
	}
	full := 0 // values that fill a bin
	if distinct > maxBins {
		full = rest/(maxBins-2*alone) + 1 // each bin of one value may leave one before it that is not full
	}
	var cuts []float32
	in := 0
	for i, k := 0, 0; i < len(v); i = k {
		k = nextValue(v, i)
		single := full > 0 && (k-i)*common >= len(v)
		if i > 0 && (in >= full || single) {
			cuts = append(cuts, between(v[i-1], v[i]))
			in = 0
		}
		if in += k - i; single {
			in = len(v) // and no other value
		}
	}
	return cuts
}

// nextValue returns where the value after that at i begins.
func nextValue(v []float32, i int) int {
	for k := i + 1; k < len(v); k++ {
		if v[k] != v[i] {
			return k
		}
	}
	return len(v)
}

// edges returns the least and the largest of the values, which are sorted, in each bin.
func edges(cuts, v []float32) (low, high []float32) {
	low, high = make([]float32, len(cuts)+1), make([]float32, len(cuts)+1)
	b := 0
	low[0] = v[0]
	for i, x := range v {
		for b < len(cuts) && x > cuts[b] {
			b++
			low[b] = v[i]
		}
		high[b] = x
	}
	return low, high
}

// cut returns the bound between two bins with none in use between them: half way, so that values never seen go to the nearer
// side.
func (t *table) cut(feature, bin, next int) float32 {
	return between(t.high[feature][bin], t.low[feature][next])
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

// MaxClasses is how many classes a model tells apart at most.
const MaxClasses = 255
