package classifier

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// maxBins is how many values a feature can take while a tree is grown: one byte a value.
const maxBins = 255

// ForestOptions shape a forest; zero values mean the defaults.
type ForestOptions struct {
	Trees    int // 60
	MaxDepth int // 24
	MinLeaf  int // packets; 0 = one in ten thousand, from 2 to 50: smaller leaves learn the moments of their own homes
	Try      int // features tried a split; 0 = the square root of their number, rounded up
	Workers  int // 1
	Seed     uint64
	Progress func(done, of int)
}

// table is training data in bins: column-major.
type table struct {
	n       int
	cols    [][]uint8
	cuts    [][]float32 // bin b holds values <= cuts[b]; the last bin holds the rest
	y       []uint8
	classes int
}

// newTable bins features (row-major: a row for each of y) at their quantiles. y must not be empty.
func newTable(x []float32, y []uint8, classes int) *table {
	features := len(x) / len(y)
	t := &table{n: len(y), y: y, classes: classes, cols: make([][]uint8, features), cuts: make([][]float32, features)}
	values := make([]float32, t.n)
	for f := range features {
		for i := range t.n {
			values[i] = x[i*features+f]
		}
		t.cuts[f] = quantileCuts(slices.Clone(values))
		col := make([]uint8, t.n)
		for i, v := range values {
			col[i] = binOf(t.cuts[f], v)
		}
		t.cols[f] = col
	}
	return t
}

// quantileCuts returns at most maxBins-1 upper bounds between distinct values, spread over the sorted values.
func quantileCuts(v []float32) []float32 {
	slices.Sort(v)
	distinct := slices.Compact(slices.Clone(v))
	if len(distinct) <= maxBins {
		cuts := make([]float32, 0, len(distinct))
		for i := 1; i < len(distinct); i++ {
			cuts = append(cuts, between(distinct[i-1], distinct[i]))
		}
		return cuts
	}
	var cuts []float32
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

func binOf(cuts []float32, v float32) uint8 {
	i, _ := slices.BinarySearch(cuts, v) // the first cut >= v
	return uint8(i)
}

// node is one node of a tree: a split, or a leaf.
type node struct {
	feature int16   // -1 at a leaf
	cut     float32 // left if value <= cut
	left    int32   // right is left+1; at a leaf the offset of its probabilities
}

// tree is a decision tree: nodes[0] is its root.
type tree struct {
	nodes []node
	probs []float32 // classes a leaf
}

// forest is a random forest (Breiman 2001): each tree on a bootstrap sample, a random choice of features at each split.
type forest struct {
	classes int
	trees   []tree
}

func growForest(ctx context.Context, t *table, o ForestOptions) (*forest, error) {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&o.Trees, 60)
	set(&o.MaxDepth, 24)
	set(&o.MinLeaf, min(max(t.n/10_000, 2), 50))
	set(&o.Workers, 1)
	set(&o.Try, int(math.Ceil(math.Sqrt(float64(len(t.cols))))))
	f := &forest{classes: t.classes, trees: make([]tree, o.Trees)}
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range o.Workers {
		wg.Go(func() {
			g := newGrower(t, &o)
			for i := range next {
				f.trees[i] = g.grow(rand.New(rand.NewPCG(o.Seed, uint64(i))))
				if o.Progress != nil {
					mu.Lock()
					done++
					o.Progress(done, o.Trees)
					mu.Unlock()
				}
			}
		})
	}
	var err error
	for i := range o.Trees {
		if err = ctx.Err(); err != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return f, err
}

// grower grows trees one after the other in buffers of its own.
type grower struct {
	t     *table
	o     *ForestOptions
	rows  []int32
	hist  []int32 // maxBins x classes
	order []int   // of the features, as drawn at a split
	r     *rand.Rand
	out   tree
}

func newGrower(t *table, o *ForestOptions) *grower {
	return &grower{
		t: t, o: o, rows: make([]int32, t.n), hist: make([]int32, (maxBins+1)*t.classes), order: make([]int, len(t.cols)),
	}
}

func (g *grower) grow(r *rand.Rand) tree {
	g.r, g.out = r, tree{nodes: make([]node, 1, 256)}
	for i := range g.rows {
		g.rows[i] = int32(r.IntN(g.t.n))
	}
	g.split(0, g.rows, 0)
	return g.out
}

func (g *grower) split(at int, rows []int32, depth int) {
	counts := make([]int32, g.t.classes)
	for _, i := range rows {
		counts[g.t.y[i]]++
	}
	f, bin := -1, 0
	if depth < g.o.MaxDepth && len(rows) >= 2*g.o.MinLeaf && !pure(counts, len(rows)) {
		f, bin = g.best(rows, counts)
	}
	if f < 0 {
		g.leaf(at, counts, len(rows))
		return
	}
	col := g.t.cols[f]
	mid := partition(rows, func(i int32) bool { return int(col[i]) <= bin })
	left := int32(len(g.out.nodes))
	g.out.nodes = append(g.out.nodes, node{}, node{})
	g.out.nodes[at] = node{feature: int16(f), cut: g.t.cuts[f][bin], left: left}
	g.split(int(left), rows[:mid], depth+1)
	g.split(int(left)+1, rows[mid:], depth+1)
}

func pure(counts []int32, n int) bool { return slices.Contains(counts, int32(n)) }

func (g *grower) leaf(at int, counts []int32, n int) {
	g.out.nodes[at] = node{feature: -1, left: int32(len(g.out.probs))}
	for _, c := range counts {
		g.out.probs = append(g.out.probs, float32(c)/float32(n))
	}
}

// best returns the split of least Gini impurity among features drawn at random; features that are constant here are drawn
// again, as long as there are any.
func (g *grower) best(rows []int32, counts []int32) (feature, bin int) {
	order := g.order
	for i := range order {
		order[i] = i
	}
	feature = -1
	least := math.Inf(1)
	tried := 0
	for k := 0; k < len(order) && tried < g.o.Try; k++ {
		j := k + g.r.IntN(len(order)-k)
		order[k], order[j] = order[j], order[k]
		b, gini, ok := g.scan(order[k], rows, counts)
		if !ok {
			continue
		}
		tried++
		if gini < least {
			least, feature, bin = gini, order[k], b
		}
	}
	return feature, bin
}

// scan finds the best cut of one feature: gini is the weighted impurity of both sides, times the number of rows.
func (g *grower) scan(f int, rows []int32, counts []int32) (bin int, gini float64, ok bool) {
	classes, bins := g.t.classes, len(g.t.cuts[f])+1
	if bins < 2 {
		return 0, 0, false
	}
	h := g.hist[:bins*classes]
	clear(h)
	col, y := g.t.cols[f], g.t.y
	for _, i := range rows {
		h[int(col[i])*classes+int(y[i])]++
	}
	left := make([]int64, classes)
	var leftSquares, rightSquares float64
	right := make([]int64, classes)
	for c, n := range counts {
		right[c] = int64(n)
		rightSquares += float64(n) * float64(n)
	}
	gini = math.Inf(1)
	nl := 0
	for b := range bins - 1 {
		moved := 0
		for c := range classes {
			k := int64(h[b*classes+c])
			if k == 0 {
				continue
			}
			moved += int(k)
			leftSquares += float64(k * (2*left[c] + k))
			rightSquares -= float64(k * (2*right[c] - k))
			left[c] += k
			right[c] -= k
		}
		nl += moved
		nr := len(rows) - nl
		if moved == 0 || nl < g.o.MinLeaf || nr < g.o.MinLeaf {
			continue
		}
		if v := float64(len(rows)) - leftSquares/float64(nl) - rightSquares/float64(nr); v < gini {
			gini, bin, ok = v, b, true
		}
	}
	return bin, gini, ok
}

// partition moves the rows for which keep holds to the front and returns how many there are.
func partition(rows []int32, keep func(int32) bool) int {
	mid := 0
	for i, r := range rows {
		if keep(r) {
			rows[i], rows[mid] = rows[mid], r
			mid++
		}
	}
	return mid
}

// predict writes the mean of the trees' class probabilities to probs. It allocates nothing.
func (f *forest) predict(x, probs []float32) {
	clear(probs)
	for i := range f.trees {
		t := &f.trees[i]
		n := &t.nodes[0]
		for n.feature >= 0 {
			next := n.left
			if x[n.feature] > n.cut {
				next++
			}
			n = &t.nodes[next]
		}
		for c, p := range t.probs[n.left : int(n.left)+f.classes] {
			probs[c] += p
		}
	}
	scale := 1 / float32(len(f.trees))
	for c := range probs {
		probs[c] *= scale
	}
}
