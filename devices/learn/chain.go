package learn

import "slices"

// Of chains: how each value of a rhythm depends on the one before.
const (
	enoughForChain = 100 // values
	fineChain      = 800 // from so many on, the finer number of states
	coarseStates   = 4
	fineStates     = 8
)

// chainOf counts which state of a table follows which in a sequence of values; nil where there are too few, or where the values do
// hardly depend on each other: where Pearson's chi-squared is below twice its degrees of freedom, or the square of Cramér's V below
// least.
func chainOf(values, table []int64, least float64) [][]int64 {
	n := coarseStates
	if len(values) >= fineChain {
		n = fineStates
	}
	if len(values) < enoughForChain || len(table) <= n {
		return nil
	}
	next := make([][]int64, n)
	for i := range next {
		next[i] = make([]int64, n)
	}
	last := -1
	rows, columns, total := make([]float64, n), make([]float64, n), 0.0
	for _, v := range values {
		state := stateOf(v, table, n)
		if last >= 0 {
			next[last][state]++
			rows[last]++
			columns[state]++
			total++
		}
		last = state
	}
	chi := 0.0
	for i := range next {
		for j, seen := range next[i] {
			if want := rows[i] * columns[j] / total; want > 0 {
				chi += (float64(seen) - want) * (float64(seen) - want) / want
			}
		}
	}
	if chi < 2*float64((n-1)*(n-1)) || chi < least*total*float64(n-1) {
		return nil
	}
	for i := range next {
		if rows[i] == 0 { // never seen: whatever comes as often as ever
			for j := range next[i] {
				next[i][j] = 1
			}
		}
	}
	return next
}

// stateOf returns the state in which a value lies: of those that have it, the middle one.
func stateOf(v int64, table []int64, n int) int {
	steps := len(table) - 1
	lo, _ := slices.BinarySearch(table, v)
	hi, _ := slices.BinarySearch(table, v+1)
	step := min(max((lo+hi-1)/2, 0), steps-1)
	for k := range n { // as the states share the steps
		if step < (k+1)*steps/n {
			return k
		}
	}
	return n - 1
}
