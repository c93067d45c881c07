package clock

import "math/bits"

// Lateness is a histogram of how late timers fired, in powers of two of a microsecond.
type Lateness struct {
	count   [32]int64
	n       int64
	largest int64 // ns
}

func (l *Lateness) add(ns int64) {
	ns = max(ns, 0)
	l.n++
	l.largest = max(l.largest, ns)
	l.count[min(bits.Len64(uint64(ns/1000)), len(l.count)-1)]++
}

// N is the number of timers seen.
func (l *Lateness) N() int64 { return l.n }

// Max is the largest lateness, ns.
func (l *Lateness) Max() int64 { return l.largest }

// Merge adds what another clock saw.
func (l *Lateness) Merge(o Lateness) {
	for i, c := range o.count {
		l.count[i] += c
	}
	l.n += o.n
	l.largest = max(l.largest, o.largest)
}

// Quantile gives an upper bound, in ns, of the q-quantile (0 to 1): exact to a factor of two.
func (l *Lateness) Quantile(q float64) int64 {
	want, sum := int64(q*float64(l.n)), int64(0)
	for i, c := range l.count {
		sum += c
		if c > 0 && sum >= want {
			return min(int64(1000)<<i, l.largest)
		}
	}
	return l.largest
}
