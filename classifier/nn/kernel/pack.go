package kernel

import "unsafe"

// panel is the width of a panel of a packed matrix, floats.
const panel = 32

// Packed is a matrix of K rows and N columns as Mul wants its right side: panels of 32 columns one after the other, the last
// filled up with zeros. The zero value is ready for Pack.
type Packed struct {
	K, N int
	data []float32
}

// Pack makes p a copy of b: k rows of n floats, ldb floats apart. It allocates only when p must grow.
func (p *Packed) Pack(b []float32, k, n, ldb int) {
	p.resize(k, n)
	for j := 0; j < n; j += panel {
		w := min(panel, n-j)
		at := p.data[j*k:]
		for i := range k {
			row := at[i*panel : i*panel+panel]
			copy(row, b[i*ldb+j:i*ldb+j+w])
			clear(row[w:])
		}
	}
}

// PackT makes p the transpose of b, which has n rows of k floats, ldb floats apart.
func (p *Packed) PackT(b []float32, k, n, ldb int) {
	p.resize(k, n)
	for j := 0; j < n; j += panel {
		at := p.data[j*k:]
		if n-j < panel {
			clear(at[:k*panel])
		}
		for c := range min(panel, n-j) {
			for i, v := range b[(j+c)*ldb:][:k] {
				at[i*panel+c] = v
			}
		}
	}
}

// Rows copies k rows of p from row first on to q.
func (p *Packed) Rows(q *Packed, first, k int) {
	q.resize(k, p.N)
	for j := 0; j < p.N; j += panel {
		copy(q.data[j*k:(j+panel)*k], p.data[j*p.K+first*panel:])
	}
}

func (p *Packed) resize(k, n int) {
	p.K, p.N = k, n
	size := (n + panel - 1) / panel * panel * k
	if cap(p.data) < size {
		p.data = Floats(size)
	}
	p.data = p.data[:size]
}

// Floats returns n zeros that begin at a cache line.
func Floats(n int) []float32 { return aligned[float32](n) }

// aligned returns n zeros that begin at a cache line.
func aligned[T int8 | int16 | int32 | float32](n int) []T {
	const line = 64
	var v T
	size := int(unsafe.Sizeof(v))
	b := make([]T, n+line/size)
	skip := int(-uintptr(unsafe.Pointer(&b[0]))&(line-1)) / size
	return b[skip : skip+n : skip+n]
}
