package kernel

import "math"

// Products of whole numbers, for where one row after the other is multiplied by weights that do not fit into a core's first cache:
// 16 bits a number are half the way that 32 are, and 8 a quarter. Sums are exact, so that every kernel has the same.
const (
	// WholeOne is what 1 is as a whole number of GatesWhole's.
	WholeOne = 4096
)

// Whole is a matrix of K rows and N columns as whole numbers, each column of a scale of its own. It is kept in panels of some columns,
// the last filled up; a row of a panel has two rows of the matrix, column by column, or four where numbers have 8 bits.
type Whole struct {
	K, N   int
	panel  int       // columns
	rows   int       // of the matrix in a panel's row: 2 or 4
	scale  []float32 // of a column
	data   []int16   // of 16 bits,
	small  []int8    // or of 8
	offset []int32   // of a column of 8 bits: its sum times -32768
}

// Bits of a weight.
const (
	Bits16 = 16
	Bits8  = 8
)

// Pack makes w a copy of b: k rows of n floats, ldb floats apart. Rows that it is multiplied by have one for 1, and numbers up to most,
// which is up to 32767. A weight is half a 32767th (of 8 bits: half a 127th) of its column's largest off at most; or, if that is more,
// as much as keeps sums in 32 bits: most times what the column amounts to, divided by 2 to the 32.
func (w *Whole) Pack(b []float32, k, n, ldb int, one, most float64, bits int) {
	*w = Whole{K: k, N: n, panel: 64, rows: 2}
	switch { // the widest that a kernel has, as long as the last is full
	case bits == Bits8 && n%128 == 0:
		w.panel = 128
	case bits == Bits16 && n <= 16:
		w.panel = 16
	}
	panels := (n + w.panel - 1) / w.panel
	w.scale = Floats(panels * w.panel)
	top := 0.0
	var put func(i int, v float64)
	if bits == Bits8 {
		w.rows = 4
	}
	if size := panels * w.panel * w.steps() * w.rows; bits == Bits8 {
		w.small, w.offset, top = aligned[int8](size), aligned[int32](panels*w.panel), math.MaxInt8
		put = func(i int, v float64) { w.small[i] = int8(v) }
	} else {
		w.data, top = aligned[int16](size), math.MaxInt16
		put = func(i int, v float64) { w.data[i] = int16(v) }
	}
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
		unit := max(largest/top, sum/limit)
		if unit == 0 {
			continue
		}
		w.scale[c] = float32(unit / one)
		for r := range k {
			q := math.RoundToEven(float64(b[r*ldb+c]) / unit)
			q = min(max(q, -top), top)
			put(w.place(r, c), q)
			if bits == Bits8 {
				w.offset[c] -= int32(q) << 15
			}
		}
	}
}

// steps is how many rows a panel has.
func (w *Whole) steps() int { return (w.K + w.rows - 1) / w.rows }

// place is where the weight of a row and column is.
func (w *Whole) place(r, c int) int {
	return c/w.panel*w.panel*w.steps()*w.rows + (r/w.rows*w.panel+c%w.panel)*w.rows + r%w.rows
}

// MulWhole adds x·W to y. x holds W.K numbers up to what Pack was told, and any others up to a multiple of 2, or with 8 bits of 4. It
// panics if a slice is too short.
func (kn *Kernel) MulWhole(y []float32, x []int16, w *Whole) {
	if w.N == 0 || w.K == 0 {
		return
	}
	steps := w.steps()
	_, _ = y[w.N-1], x[w.rows*steps-1]
	panels := 0
	if kn.whole16 != nil {
		if panels = w.N / w.panel; panels > 0 && w.small != nil {
			kn.whole8[w.panel](&y[0], &w.scale[0], &w.offset[0], &x[0], &w.small[0], steps, panels)
		} else if panels > 0 {
			kn.whole16[w.panel](&y[0], &w.scale[0], &x[0], &w.data[0], steps, panels)
		}
	}
	for c := panels * w.panel; c < w.N; c++ {
		sum := int32(0)
		if w.small != nil {
			sum = dot(x[:w.K], w.small, w, c)
		} else {
			sum = dot(x[:w.K], w.data, w, c)
		}
		y[c] += float32(sum) * w.scale[c]
	}
}

// dot is x times a column.
func dot[T int8 | int16](x []int16, data []T, w *Whole, c int) int32 {
	at, sum := w.place(0, c), int32(0)
	for i, v := range x {
		sum += int32(v) * int32(data[at+i/w.rows*w.panel*w.rows+i%w.rows])
	}
	return sum
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

// Softmax makes sums probabilities, of whatever kind where a sum is no finite number, which the weights of no training lead to. Only the
// first n of x are sums; what is behind them, up to a multiple of 16, is overwritten.
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
	if sum != sum {
		for i := range n {
			x[i] = 1 / float32(n)
		}
		return
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
