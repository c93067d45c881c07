package kernel

import (
	"fmt"
	"os"
	"sync"
)

// maxRows bounds the rows of a tile of any kernel.
const maxRows = 12

// blockRows is how many rows of a panel are gone through at a time: 20 kB, which stay in a core's first cache.
const blockRows = 160

// Kernel is one implementation of the operations.
type Kernel struct {
	name    string
	rows    int // of the largest tile; 0 = plain Go
	width   int // columns of a tile
	tiles   [maxRows + 1]func(c *float32, ldc int, a *float32, rs, cs int, b *float32, k, set int)
	vectors []wide // widest first
	lanes   int    // floats in a vector
	parts   sync.Pool
	gates   func(g *float32, n int, prev, cell, tc, h *float32, units int)
	back    func(g *float32, n int, prev, tc, dh, dy, dc *float32, units int)

	whole16    map[int]func(y, scale *float32, x, w *int16, pairs, panels int) // by the columns of a panel
	whole8     map[int]func(y, scale *float32, offset *int32, x *int16, w *int8, quads, panels int)
	gatesWhole func(g *float32, n int, cell, h *float32, whole *int16, units int)
	exp        func(x *float32, n int)
}

// wide is a product of a row with several panels at once.
type wide struct {
	cols int
	mul  func(y, x, b *float32, k, size int)
}

// Name is avx512, avx2 or go.
func (kn *Kernel) Name() string { return kn.name }

// All lists the kernels that this processor can run, best first; the last is plain Go.
func All() []*Kernel { return append(assembly(), &Kernel{name: "go"}) }

// Best is the kernel that GLASSHOUSE_KERNEL names, or the best that the processor can run.
func Best() (*Kernel, error) { return best() }

var best = sync.OnceValues(func() (*Kernel, error) { return pick(All(), os.Getenv("GLASSHOUSE_KERNEL")) })

func pick(all []*Kernel, name string) (*Kernel, error) {
	if name == "" {
		return all[0], nil
	}
	var have []string
	for _, k := range all {
		if k.name == name {
			return k, nil
		}
		have = append(have, k.name)
	}
	return nil, fmt.Errorf("GLASSHOUSE_KERNEL=%s: this machine has %v", name, have)
}

// Mul adds A·B to C. A has m rows and b.K columns: element (i, k) is a[i*rs+k*cs], so that rs and cs tell a matrix from its
// transpose (and 0 repeats). Rows of C are ldc floats apart, and only b.N of each are touched. C must not overlap A.
// It panics if a slice is too short.
func (kn *Kernel) Mul(c []float32, ldc int, a []float32, rs, cs, m int, b *Packed) {
	kn.mul(c, ldc, a, rs, cs, m, b, 0)
}

// MulSet is Mul, but that C is A·B, whatever it was.
func (kn *Kernel) MulSet(c []float32, ldc int, a []float32, rs, cs, m int, b *Packed) {
	kn.mul(c, ldc, a, rs, cs, m, b, 1)
}

func (kn *Kernel) mul(c []float32, ldc int, a []float32, rs, cs, m int, b *Packed, set int) {
	if m == 0 || b.N == 0 {
		return
	}
	if set == 1 && (kn.rows == 0 || b.K == 0) {
		for i := range m {
			clear(c[i*ldc : i*ldc+b.N])
		}
	}
	if b.K == 0 {
		return
	}
	_ = c[(m-1)*ldc+b.N-1]
	_ = a[(m-1)*rs+(b.K-1)*cs]
	if kn.rows == 0 {
		mulGo(c, ldc, a, rs, cs, m, b)
		return
	}
	tiles := (m + kn.rows - 1) / kn.rows
	few, more := m/tiles, m%tiles // rows of a tile; so many have one more: of like heights, for a last one of few rows wastes most of a vector's time
	blocks := (b.K + blockRows - 1) / blockRows
	for block := range blocks { // sums go on where they were: the same bits as in one go
		if block > 0 {
			set = 0
		}
		k, end := block*b.K/blocks, (block+1)*b.K/blocks
		for j := 0; j < b.N; j += panel {
			at := b.data[j*b.K+k*panel:]
			for half := 0; half < panel && j+half < b.N; half += kn.width {
				w := min(kn.width, b.N-j-half)
				for i, t := 0, 0; t < tiles; t++ {
					rows := few
					if t < more {
						rows++
					}
					kn.tile(c[i*ldc+j+half:], ldc, w, a[i*rs+k*cs:], rs, cs, rows, at[half:], end-k, set)
					i += rows
				}
			}
		}
	}
}

// tile adds to rows × w of C, or sets them.
func (kn *Kernel) tile(c []float32, ldc, w int, a []float32, rs, cs, rows int, b []float32, k, set int) {
	if w == kn.width {
		kn.tiles[rows](&c[0], 4*ldc, &a[0], 4*rs, 4*cs, &b[0], k, set)
		return
	}
	part, ok := kn.parts.Get().(*[maxRows * panel]float32) // a whole tile would write past the matrix
	if !ok {
		part = new([maxRows * panel]float32)
	}
	defer kn.parts.Put(part)
	for i := range rows {
		copy(part[i*panel:i*panel+w], c[i*ldc:])
	}
	kn.tiles[rows](&part[0], 4*panel, &a[0], 4*rs, 4*cs, &b[0], k, set)
	for i := range rows {
		copy(c[i*ldc:i*ldc+w], part[i*panel:])
	}
}

// MulVec adds x·B to y: one row of Mul, faster.
func (kn *Kernel) MulVec(y, x []float32, b *Packed) {
	if b.N == 0 || b.K == 0 {
		return
	}
	_, _ = y[b.N-1], x[b.K-1]
	j := 0
	for _, v := range kn.vectors {
		for ; j+v.cols <= b.N; j += v.cols {
			v.mul(&y[j], &x[0], &b.data[j*b.K], b.K, 4*panel*b.K)
		}
	}
	if j < b.N {
		rest := Packed{K: b.K, N: b.N - j, data: b.data[j*b.K:]}
		kn.Mul(y[j:], b.N, x, 0, 1, 1, &rest)
	}
}

// Gates is a step of an LSTM for one row of len(h) units. g holds the sums of the gates i, f, o and of the candidate c, len(h) each,
// and takes their values; prev is the cell before; cell, tc and h take the cell, its tanh, and the output. cell may be prev.
func (kn *Kernel) Gates(g, prev, cell, tc, h []float32) {
	n := len(h)
	g, prev, cell, tc = g[:4*n], prev[:n], cell[:n], tc[:n]
	done := 0
	if kn.rows > 0 && n >= kn.lanes {
		done = n / kn.lanes * kn.lanes
		kn.gates(&g[0], done, &prev[0], &cell[0], &tc[0], &h[0], n)
	}
	gatesGo(g, prev, cell, tc, h, done)
}

// GatesBack is the step back. g holds what Gates left and takes the gradients of the sums; dh and dy amount to the gradient of the
// output; dc holds that of the cell, from the step after, and takes that of the cell before.
func (kn *Kernel) GatesBack(g, prev, tc, dh, dy, dc []float32) {
	n := len(dh)
	g, prev, tc, dy, dc = g[:4*n], prev[:n], tc[:n], dy[:n], dc[:n]
	done := 0
	if kn.rows > 0 && n >= kn.lanes {
		done = n / kn.lanes * kn.lanes
		kn.back(&g[0], done, &prev[0], &tc[0], &dh[0], &dy[0], &dc[0], n)
	}
	backGo(g, prev, tc, dh, dy, dc, done)
}
