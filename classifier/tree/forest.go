package tree

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
)

// ForestOptions shape a forest; zero values mean the defaults.
type ForestOptions struct {
	Trees    int // 60
	MaxDepth int // 24
	MinLeaf  int // packets drawn; 0 = one in 6,300, from 3 to 80: smaller leaves learn the moments of their own homes
	Draw     int // features drawn a split; 0 = the square root of their number, rounded down
	Try      int // if set, more are drawn until so many part the packets there
	Workers  int // 1
	Seed     uint64
	Progress func(done, of int)
}

// OrDefault sets v to a default if it is not set.
func OrDefault(v *int, d int) {
	if *v <= 0 {
		*v = d
	}
}

// smallestLeaf is how many drawn packets a leaf of a tree on n packets holds at least.
func smallestLeaf(n int) int { return min(max(n/6_300, 3), 80) }

// Forest is a random forest (Breiman 2001): each tree on a bootstrap sample, a random choice of features at each split.
type Forest struct {
	Classes int
	Trees   []Tree
}

// GrowForest trains a forest on a table.
func GrowForest(ctx context.Context, t *table, o ForestOptions) (*Forest, error) {
	OrDefault(&o.Trees, 60)
	OrDefault(&o.MaxDepth, 24)
	OrDefault(&o.MinLeaf, smallestLeaf(t.n))
	OrDefault(&o.Draw, int(math.Sqrt(float64(len(t.cols)))))
	f := &Forest{Classes: t.classes, Trees: make([]Tree, o.Trees)}
	var mu sync.Mutex
	done := 0
	Parallel(o.Trees, o.Workers, func() func(int) {
		g := newGrower(t, &o)
		return func(i int) {
			if ctx.Err() != nil {
				return
			}
			f.Trees[i] = g.grow(rand.New(rand.NewPCG(o.Seed, uint64(i))))
			if o.Progress != nil {
				mu.Lock()
				defer mu.Unlock()
				done++
				o.Progress(done, o.Trees)
			}
		}
	})
	return f, ctx.Err()
}

// grower grows trees one after the other in buffers of its own.
type grower struct {
	t     *table
	o     *ForestOptions
	drawn []uint16 // of each row: how often it is in the sample
	rows  []int32  // those that are, in order; a node's lie together
	spare []int32
	what  []uint32 // of the node's rows: how often they are in the sample, and behind the lowest byte, their class
	hist  []int32  // maxBins x classes; all zero between scans
	used  [4]uint64
	left  []int64 // rows of each class on either side of a cut
	right []int64
	order []int // of the features, as drawn at a split
	r     *rand.Rand
	out   Tree
}

func newGrower(t *table, o *ForestOptions) *grower {
	return &grower{
		t: t, o: o, drawn: make([]uint16, t.n), rows: make([]int32, 0, t.n), spare: make([]int32, t.n), what: make([]uint32, t.n),
		hist: make([]int32, (maxBins+1)*t.classes), left: make([]int64, t.classes), right: make([]int64, t.classes), order: make([]int, len(t.cols)),
	}
}

func (g *grower) grow(r *rand.Rand) Tree {
	g.r, g.out = r, Tree{Nodes: make([]Node, 1, 256)}
	clear(g.drawn)
	for range g.t.n {
		g.drawn[r.IntN(g.t.n)]++ // more than 65,535 times one row: less likely than any fault of the machine
	}
	g.rows = g.rows[:0]
	for i, k := range g.drawn {
		if k > 0 {
			g.rows = append(g.rows, int32(i))
		}
	}
	g.split(0, g.rows, 0)
	return g.out
}

func (g *grower) split(at int, rows []int32, depth int) {
	counts := make([]int32, g.t.classes)
	n := 0
	what := g.what[:len(rows)]
	for i, row := range rows {
		k, c := g.drawn[row], g.t.y[row]
		what[i] = uint32(k)<<8 | uint32(c)
		counts[c] += int32(k)
		n += int(k)
	}
	f, bin, next := -1, 0, 0
	if depth < g.o.MaxDepth && n >= 2*g.o.MinLeaf && !slices.Contains(counts, int32(n)) {
		f, bin, next = g.best(rows, counts, n)
	}
	if f < 0 {
		g.leaf(at, counts, n)
		return
	}
	mid := g.partition(rows, g.t.cols[f], uint8(bin))
	left := int32(len(g.out.Nodes))
	g.out.Nodes = append(g.out.Nodes, Node{}, Node{})
	g.out.Nodes[at] = Node{Feature: int16(f), Cut: g.t.cut(f, bin, next), Left: left}
	g.split(int(left), rows[:mid], depth+1)
	g.split(int(left)+1, rows[mid:], depth+1)
}

func (g *grower) leaf(at int, counts []int32, n int) {
	g.out.Nodes[at] = Node{Feature: -1, Left: int32(len(g.out.Values))}
	for _, c := range counts {
		g.out.Values = append(g.out.Values, float32(c)/float32(n))
	}
}

// partition moves the rows up to a bin to the front, both sides in their order, and returns how many there are.
func (g *grower) partition(rows []int32, col []uint8, bin uint8) int {
	mid, behind := 0, 0
	for _, r := range rows {
		if col[r] <= bin {
			rows[mid] = r
			mid++
		} else {
			g.spare[behind] = r
			behind++
		}
	}
	copy(rows[mid:], g.spare[:behind])
	return mid
}

// best returns the split of least Gini impurity among features drawn at random. Those that are constant here count as drawn, as long as
// one is not, and where no cut leaves leaves that are large enough there is no split: trees that always look for another feature
// split by the moments of single homes, all by the same ones.
func (g *grower) best(rows []int32, counts []int32, n int) (feature, bin, next int) {
	order := g.order
	for i := range order {
		order[i] = i
	}
	feature = -1
	least := math.Inf(1)
	parted, varied := 0, false
	for k := range order {
		if g.o.Try > 0 && parted == g.o.Try || g.o.Try == 0 && k >= g.o.Draw && varied {
			break
		}
		j := k + g.r.IntN(len(order)-k)
		order[k], order[j] = order[j], order[k]
		c := g.scan(order[k], rows, counts, n)
		varied = varied || c.varied
		if !c.ok {
			continue
		}
		parted++
		if c.gini < least {
			least, feature, bin, next = c.gini, order[k], c.bin, c.next
		}
	}
	return feature, bin, next
}

// scanned is what scan finds.
type scanned struct {
	varied    bool // the feature has several bins here
	ok        bool // and there is a cut
	bin, next int
	gini      float64
}

// scan finds the best cut of one feature, above bin and below next, the next that holds a row: gini is the weighted impurity of
// both sides, times the number of packets, n.
func (g *grower) scan(f int, rows []int32, counts []int32, n int) (best scanned) {
	if len(g.t.cuts[f]) == 0 {
		return best
	}
	classes := g.t.classes
	col, what, hist := g.t.cols[f], g.what[:len(rows)], g.hist
	used := &g.used
	for i, row := range rows {
		b, w := col[row], what[i]
		hist[int(b)*classes+int(w&255)] += int32(w >> 8)
		used[b>>6] |= 1 << (b & 63)
	}
	var leftSquares, rightSquares int64
	for c, k := range counts {
		g.left[c], g.right[c] = 0, int64(k)
		rightSquares += int64(k) * int64(k)
	}
	best.gini = math.Inf(1)
	nl, bins, fresh := 0, 0, false
	for word, set := range used {
		used[word] = 0
		for ; set != 0; set &= set - 1 {
			b := word<<6 + bits.TrailingZeros64(set)
			bins++
			if fresh {
				best.next, fresh = b, false
			}
			h := hist[b*classes:][:classes]
			left, right := g.left[:len(h)], g.right[:len(h)]
			for c, moved := range h {
				if moved == 0 {
					continue
				}
				k := int64(moved)
				h[c] = 0
				nl += int(k)
				leftSquares += k * (2*left[c] + k)
				rightSquares -= k * (2*right[c] - k)
				left[c] += k
				right[c] -= k
			}
			nr := n - nl
			if nl < g.o.MinLeaf || nr < g.o.MinLeaf || nr == 0 {
				continue
			}
			if v := float64(n) - float64(leftSquares)/float64(nl) - float64(rightSquares)/float64(nr); v < best.gini {
				best.gini, best.bin, best.ok, fresh = v, b, true, true
			}
		}
	}
	best.varied = bins > 1
	return best
}

// Predict writes the mean of the trees' class probabilities to probs. It allocates nothing.
func (f *Forest) Predict(x, probs []float32) {
	clear(probs)
	for i := range f.Trees {
		t := &f.Trees[i]
		at := t.leaf(x)
		for c, p := range t.Values[at : int(at)+len(probs)] {
			probs[c] += p
		}
	}
	scale := 1 / float32(len(f.Trees))
	for c := range probs {
		probs[c] *= scale
	}
}

// Marshal writes what UnmarshalForest reads.
func (f *Forest) Marshal() []byte { return MarshalTrees(nil, f.Trees) }

// UnmarshalForest reads a forest over so many features and classes; an error is an ErrNotModel.
func UnmarshalForest(b []byte, features, classes int) (*Forest, error) {
	trees, rest, err := UnmarshalTrees(b, features, classes)
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("%w: something behind its trees", ErrNotModel)
	}
	return &Forest{Classes: classes, Trees: trees}, err
}
