package classifier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// node is one node of a tree: a split, or a leaf.
type node struct {
	feature int16   // -1 at a leaf
	cut     float32 // left if value <= cut
	left    int32   // right is left+1; at a leaf the offset of its values
}

// tree is a decision tree: nodes[0] is its root.
type tree struct {
	nodes  []node
	values []float32 // at each leaf: the probabilities of the classes (forest), or one number (boosted trees)
}

// leaf returns the offset of the values of the leaf that x falls into.
func (t *tree) leaf(x []float32) int32 {
	nodes := t.nodes
	n := &nodes[0]
	for n.feature >= 0 {
		next := n.left
		if x[n.feature] > n.cut {
			next++
		}
		n = &nodes[next]
	}
	return n.left
}

// marshalTrees appends trees: their number; for each the numbers of nodes and values, the nodes, the values.
func marshalTrees(b []byte, trees []tree) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(trees)))
	for i := range trees {
		t := &trees[i]
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.nodes)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.values)))
		for _, n := range t.nodes {
			b = binary.LittleEndian.AppendUint16(b, uint16(n.feature))
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n.cut))
			b = binary.LittleEndian.AppendUint32(b, uint32(n.left))
		}
		b = appendFloats(b, t.values)
	}
	return b
}

func appendFloats(b []byte, v []float32) []byte {
	for _, p := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(p))
	}
	return b
}

// unmarshalTrees reads trees over so many features, with width values a leaf, and returns what is behind them.
func unmarshalTrees(b []byte, features, width int) (trees []tree, rest []byte, err error) {
	bad := func(what string) ([]tree, []byte, error) {
		return nil, nil, fmt.Errorf("%w: trees with %s", ErrNotModel, what)
	}
	if len(b) < 4 {
		return bad("no number")
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if n == 0 || uint64(n)*8 > uint64(len(b)) {
		return bad("an impossible number")
	}
	trees = make([]tree, n)
	for i := range trees {
		if len(b) < 8 {
			return bad("one cut short")
		}
		nodes, values := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if nodes == 0 || nodes*10+values*4 > uint64(len(b)) {
			return bad("one cut short")
		}
		t := tree{nodes: make([]node, nodes), values: make([]float32, values)}
		for k := range t.nodes {
			x := node{
				feature: int16(binary.LittleEndian.Uint16(b)), cut: math.Float32frombits(binary.LittleEndian.Uint32(b[2:])),
				left: int32(binary.LittleEndian.Uint32(b[6:])),
			}
			b = b[10:]
			switch {
			case x.cut != x.cut:
				return bad("a cut that is no number")
			case int(x.feature) >= features || x.feature < -1:
				return bad("an unknown feature")
			case x.feature == -1 && (x.left < 0 || uint64(x.left)+uint64(width) > values):
				return bad("a leaf without values")
			case x.feature >= 0 && (int64(x.left) <= int64(k) || uint64(x.left)+1 >= nodes): // children come later: no loops
				return bad("a branch that leads nowhere")
			}
			t.nodes[k] = x
		}
		for k := range t.values {
			t.values[k] = math.Float32frombits(binary.LittleEndian.Uint32(b))
			if !sensible(t.values[k]) {
				return bad("a leaf that is no number")
			}
			b = b[4:]
		}
		trees[i] = t
	}
	return trees, b, nil
}

// sensible tells a number that can be added up from NaN, the infinities, and what would become one in a sum. Neither a probability nor a
// leaf of boosted trees, which is below the number of packets learned from, is anywhere near the limit.
func sensible(v float32) bool { return v > -1e12 && v < 1e12 }

// ErrNotModel means that a file is no model of ours, or is damaged.
var ErrNotModel = errors.New("not a Glasshouse model")

// badModel says what is wrong with a model file.
func badModel(err error) error { return fmt.Errorf("%w: %w", ErrNotModel, err) }
