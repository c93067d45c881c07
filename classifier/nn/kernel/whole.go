package kernel

import "math"

// Products of whole numbers, for where one row after the other is multiplied by weights that do not fit into a core's first cache:
// 16 bits a number are half the way that 32 are. Sums are exact, so that every kernel has the same.
const (
	// WholeOne is what 1 is as a whole number of GatesWhole's.
	WholeOne = 4096
	// wholePanel is the width of a panel, columns.
	wholePanel = 64
)

// Whole is a matrix of K rows and N columns as whole numbers, each column of a scale of its own. It is kept in panels of 64 columns,
// the last filled up; a row of a panel has two rows of the matrix, column by column.
type Whole struct {
	K, N  int
	scale []float32 // of a column
	data  []int16
}

// Pack makes w a copy of b: k rows of n floats, ldb floats apart. Rows that it is multiplied by have one for 1, and numbers up to most,
// which is up to 32767. A weight is half a 32767th of its column's largest off at most; or, if that is more, as much as keeps
// sums in 32 bits: most times what the column amounts to, divided by 2 to the 32.
func (w *Whole) Pack(b []float32, k, n, ldb int, one, most float64) {
	pairs := (k + 1) / 2
	panels := (n + wholePanel - 1) / wholePanel
	*w = Whole{K: k, N: n, scale: Floats(panels * wholePanel), data: whole16(panels * wholePanel * 2 * pairs)}
	limit := math.MaxInt32/most - float64(k) // rounding adds a half to each weight at most
	if k > 0 && limit < 1 {
		panic("kernel: too many rows for sums of 32 bits")
	}
	for c := range n {
		largest, sum := 0.0, 0.0
		for r := range k {
			v := math.Abs(float64(b[r*ldb+c]))
			largest, sum = max(largest, v), sum+v
		}
		unit := max(largest/math.MaxInt16, sum/limit)
		if unit == 0 {
			continue
		}
		w.scale[c] = float32(unit / one)
		at := w.data[c/wholePanel*wholePanel*2*pairs:]
		for r := range k {
			q := math.RoundToEven(float64(b[r*ldb+c]) / unit)
			at[(r/2*wholePanel+c%wholePanel)*2+r%2] = int16(min(max(q, -math.MaxInt16), math.MaxInt16))
		}
	}
}

// whole16 returns zeros that begin at a cache line.
func whole16(n int) []int16 {
	const line = 32
	b := make([]int16, n+line)
	skip := alignment(b)
	return b[skip : skip+n : skip+n]
}

// MulWhole adds x·W to y. x holds W.K numbers up to what Pack was told, and one more if W.K is odd. It panics if a slice is
// too short.
func (kn *Kernel) MulWhole(y []float32, x []int16, w *Whole) {
	if w.N == 0 || w.K == 0 {
		return
	}
	pairs := (w.K + 1) / 2
	_, _ = y[w.N-1], x[2*pairs-1]
	panels := 0
	if kn.whole != nil {
		if panels = w.N / wholePanel; panels > 0 {
			kn.whole(&y[0], &w.scale[0], &x[0], &w.data[0], pairs, panels)
		}
	}
	for c := panels * wholePanel; c < w.N; c++ {
		at := w.data[c/wholePanel*wholePanel*2*pairs:]
		sum := int32(0)
		for p := range pairs {
			i := (p*wholePanel + c%wholePanel) * 2
			sum += int32(x[2*p])*int32(at[i]) + int32(x[2*p+1])*int32(at[i+1])
		}
		y[c] += float32(sum) * w.scale[c]
	}
}

// GatesWhole is Gates for where only the cell and the output are wanted: cell is changed in place, and whole takes the output
// as whole numbers. g keeps the sums.
func (kn *Kernel) GatesWhole(g, cell, h []float32, whole []int16) {
	n := len(h)
	g, cell, whole = g[:4*n], cell[:n], whole[:n]
	done := 0
	if kn.rows > 0 && n >= kn.lanes {
		done = n / kn.lanes * kn.lanes
		kn.gatesWhole(&g[0], done, &cell[0], &h[0], &whole[0], n)
	}
	for u := done; u < n; u++ {
		cell[u] = sigmoid(g[n+u])*cell[u] + sigmoid(g[u])*tanh(g[3*n+u])
		h[u] = sigmoid(g[2*n+u]) * tanh(cell[u])
		whole[u] = int16(math.RoundToEven(float64(h[u] * WholeOne)))
	}
}

// Softmax makes sums probabilities. Only the first n of x are sums; what is behind them, up to a multiple of 16, is overwritten.
func (kn *Kernel) Softmax(x []float32, n int) {
	top := x[0]
	for _, v := range x[1:n] {
		if v > top {
			top = v
		}
	}
	wide := (n + 15) / 16 * 16
	x = x[:wide]
	for i := range x {
		x[i] -= top
	}
	if kn.rows > 0 {
		clear(x[n:])
		kn.exp(&x[0], wide)
	} else {
		for i := range n {
			x[i] = Exp(x[i])
		}
	}
	sum := float32(0)
	for _, v := range x[:n] {
		sum += v
	}
	sum = 1 / sum
	for i := range n {
		x[i] *= sum
	}
}

// Exp is e to the x for x up to 0, at most 1e-6 of it off; below −86 it is as for −86.
func Exp(x float32) float32 {
	x = max(x, -86)
	k := int32(x*math.Log2E - 0.5) // the next whole number
	f := float32(k)
	x -= f * 0.693359375
	x -= f * -2.12194440e-4
	p := 1 + x*(1+x*(0.5+x*(1.0/6+x*(1.0/24+x*(1.0/120+x*(1.0/720))))))
	return math.Float32frombits(uint32(int32(math.Float32bits(p)) + k<<23))
}
