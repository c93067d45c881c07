package tree

import (
	"math"
	"math/bits"
)

// booster grows regression trees on gradients, one after the other in buffers of its own.
//
// A row's gradient g and hessian h, as multiples of 1/scale (a power of two), travel in one int64: g*2^32 + h. Sums of such words are sums of
// both, as long as those of h stay below 2^32 and those of g below 2^31: scale sees to that.
type booster struct {
	t     *table
	o     *BoostOptions
	scale float64
	grad  []int64 // of each row
	rows  []int32 // a leaf's lie together, in order
	spare []int32
	tidy  []int64   // gradients of a leaf's rows, in its order
	free  [][]int64 // histograms that are not in use
	open  []openLeaf
	out   Tree
}

// openLeaf is a leaf that may still be split.
type openLeaf struct {
	node     int
	from, to int // of rows
	sum      int64
	hist     []int64 // features x (maxBins+1); nil if it cannot be split
	gain     float64 // of its best split; 0: there is none
	feature  int
	bin      int
	next     int // bin with rows
}

func newBooster(t *table, o *BoostOptions) *booster {
	return &booster{
		t: t, o: o, scale: float64(int(1) << min(30-bits.Len(uint(t.n)), 16)), grad: make([]int64, t.n), rows: make([]int32, t.n),
		spare: make([]int32, t.n), tidy: make([]int64, t.n),
	}
}

// grow grows the tree of a class in a round and adds its values to the scores.
func (g *booster) grow(class, round int, probs, score []float32) Tree {
	t := g.t
	g.out = Tree{Nodes: make([]Node, 1, 2*g.o.Leaves)}
	root := openLeaf{to: t.n}
	for i := range t.n {
		p := float64(probs[i*t.classes+class])
		d := p
		if int(t.y[i]) == class {
			d--
		}
		gr := math.Floor(float64(d*g.scale) + g.dither(i, class, round))
		h := math.Floor(float64(float64(p*(1-p))*g.scale) + g.dither(i, class, ^round))
		g.grad[i] = int64(gr)<<32 + int64(h)
		g.rows[i] = int32(i)
		root.sum += g.grad[i]
	}
	root.hist = g.histogram(0, t.n)
	g.seek(&root)
	g.open = append(g.open[:0], root)
	for leaves := 1; leaves < g.o.Leaves; leaves++ {
		best := -1
		for i := range g.open {
			if g.open[i].gain > 0 && (best < 0 || g.open[i].gain > g.open[best].gain) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		g.divide(best)
	}
	rate := g.o.Rate * float64(t.classes-1) / float64(max(t.classes, 1))
	for i := range g.open {
		l := &g.open[i]
		sg, sh := g.parts(l.sum)
		v := float32(-sg / (sh + lambda) * rate)
		g.out.Nodes[l.node] = Node{Feature: -1, Left: int32(len(g.out.Values))}
		g.out.Values = append(g.out.Values, v)
		for _, row := range g.rows[l.from:l.to] {
			score[int(row)*t.classes+class] += v
		}
		if l.hist != nil {
			g.free = append(g.free, l.hist)
		}
	}
	return g.out
}

// dither is a number in [0, 1) that looks random: what is rounded with it is right on average.
func (g *booster) dither(row, class, round int) float64 {
	z := (g.o.Seed ^ uint64(round)<<40 ^ uint64(class)<<32 ^ uint64(row)) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// parts splits a sum of gradients and hessians.
func (g *booster) parts(sum int64) (gradient, hessian float64) {
	h := sum & 0xffffffff
	return float64((sum-h)>>32) / g.scale, float64(h) / g.scale
}

// histogram sums the gradients of rows by feature and bin.
func (g *booster) histogram(from, to int) []int64 {
	var h []int64
	if n := len(g.free); n > 0 {
		h, g.free = g.free[n-1], g.free[:n-1]
		clear(h)
	} else {
		h = make([]int64, len(g.t.cols)*(maxBins+1))
	}
	rows := g.rows[from:to]
	tidy := g.tidy[:len(rows)]
	for i, row := range rows {
		tidy[i] = g.grad[row]
	}
	for f, col := range g.t.cols {
		one := (*[maxBins + 1]int64)(h[f*(maxBins+1):])
		for i, row := range rows {
			one[col[row]] += tidy[i]
		}
	}
	return h
}

// seek finds the best split of a leaf.
func (g *booster) seek(l *openLeaf) {
	l.gain = 0
	sg, sh := g.parts(l.sum)
	whole := sg * sg / (sh + lambda)
	for f := range g.t.cols {
		one := l.hist[f*(maxBins+1):][:maxBins+1]
		left, fresh := int64(0), false
		for b := range len(g.t.cuts[f]) + 1 {
			if one[b] == 0 {
				continue
			}
			if fresh {
				l.next, fresh = b, false
			}
			left += one[b]
			lg, lh := g.parts(left)
			rg, rh := g.parts(l.sum - left)
			if lh < g.o.MinHessian || rh < g.o.MinHessian {
				continue
			}
			if gain := lg*lg/(lh+lambda) + rg*rg/(rh+lambda) - whole; gain > l.gain {
				l.gain, l.feature, l.bin, fresh = gain, f, b, true
			}
		}
	}
}

// divide splits an open leaf; the histogram of the larger side is what the smaller leaves of its parent's.
func (g *booster) divide(at int) {
	l := g.open[at]
	col := g.t.cols[l.feature]
	rows := g.rows[l.from:l.to]
	mid, behind := 0, 0
	for _, r := range rows {
		if int(col[r]) <= l.bin {
			rows[mid] = r
			mid++
		} else {
			g.spare[behind] = r
			behind++
		}
	}
	copy(rows[mid:], g.spare[:behind])
	child := len(g.out.Nodes)
	g.out.Nodes = append(g.out.Nodes, Node{}, Node{})
	g.out.Nodes[l.node] = Node{Feature: int16(l.feature), Cut: g.t.cut(l.feature, l.bin, l.next), Left: int32(child)}
	a := openLeaf{node: child, from: l.from, to: l.from + mid}
	b := openLeaf{node: child + 1, from: l.from + mid, to: l.to}
	small, large := &a, &b
	if mid > behind {
		small, large = &b, &a
	}
	small.hist = g.histogram(small.from, small.to)
	for i, v := range small.hist {
		l.hist[i] -= v
	}
	large.hist = l.hist
	for _, v := range small.hist[:maxBins+1] {
		small.sum += v
	}
	large.sum = l.sum - small.sum
	g.seek(small)
	g.seek(large)
	g.open[at] = a
	g.open = append(g.open, b)
}
