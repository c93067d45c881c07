// Package tree grows decision trees: random forests and gradient-boosted trees over histograms of at most 255 bins. It is deterministic
// for a seed, whatever the number of workers.
package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Node is one node of a tree: a split, or a leaf.
type Node struct {
	Feature int16   // -1 at a leaf
	Cut     float32 // left if value <= cut
	Left    int32   // right is left+1; at a leaf the offset of its values
}

// Tree is a decision tree: nodes[0] is its root.
type Tree struct {
	Nodes  []Node
	Values []float32 // at each leaf: the probabilities of the classes (forest), or one number (boosted trees)
}

// leaf returns the offset of the values of the leaf that x falls into.
func (t *Tree) leaf(x []float32) int32 {
	nodes := t.Nodes
	n := &nodes[0]
	for n.Feature >= 0 {
		next := n.Left
		if x[n.Feature] > n.Cut {
			next++
		}
		n = &nodes[next]
	}
	return n.Left
}

// MarshalTrees appends trees: their number; for each the numbers of nodes and values, the nodes, the values.
func MarshalTrees(b []byte, trees []Tree) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(trees)))
	for i := range trees {
		t := &trees[i]
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Nodes)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Values)))
		for _, n := range t.Nodes {
			b = binary.LittleEndian.AppendUint16(b, uint16(n.Feature))
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n.Cut))
			b = binary.LittleEndian.AppendUint32(b, uint32(n.Left))
		}
		b = AppendFloats(b, t.Values)
	}
	return b
}

// AppendFloats appends numbers as little-endian IEEE 754 of 32 bits.
func AppendFloats(b []byte, v []float32) []byte {
	for _, p := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(p))
	}
	return b
}

// UnmarshalTrees reads trees over so many features, with width values a leaf, and returns what is behind them.
func UnmarshalTrees(b []byte, features, width int) (trees []Tree, rest []byte, err error) {
	bad := func(what string) ([]Tree, []byte, error) {
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
	trees = make([]Tree, n)
	for i := range trees {
		if len(b) < 8 {
			return bad("one cut short")
		}
		nodes, values := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if nodes == 0 || nodes*10+values*4 > uint64(len(b)) {
			return bad("one cut short")
		}
		t := Tree{Nodes: make([]Node, nodes), Values: make([]float32, values)}
		for k := range t.Nodes {
			x := Node{
				Feature: int16(binary.LittleEndian.Uint16(b)), Cut: math.Float32frombits(binary.LittleEndian.Uint32(b[2:])),
				Left: int32(binary.LittleEndian.Uint32(b[6:])),
			}
			b = b[10:]
			switch {
			case x.Cut != x.Cut:
				return bad("a cut that is no number")
			case int(x.Feature) >= features || x.Feature < -1:
				return bad("an unknown feature")
			case x.Feature == -1 && (x.Left < 0 || uint64(x.Left)+uint64(width) > values):
				return bad("a leaf without values")
			case x.Feature >= 0 && (int64(x.Left) <= int64(k) || uint64(x.Left)+1 >= nodes): // children come later: no loops
				return bad("a branch that leads nowhere")
			}
			t.Nodes[k] = x
		}
		for k := range t.Values {
			t.Values[k] = math.Float32frombits(binary.LittleEndian.Uint32(b))
			if !sensible(t.Values[k]) {
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

// BadModel says what is wrong with a model file.
func BadModel(err error) error { return fmt.Errorf("%w: %w", ErrNotModel, err) }
