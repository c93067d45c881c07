package onnx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/tree"
)

// ErrNoONNX means that a model cannot be expressed in ONNX.
var ErrNoONNX = errors.New("the model cannot be exported to ONNX")

// Export writes a model as ONNX. The input "features" has one row per packet and the columns of InputNames. The outputs are "label",
// the class, and "probabilities", one column per class in the order of Meta. The rows of a neural model are one home's packets in
// order; those of trees may be any. The file's metadata has the kind, features, classes and path.
func Export(w io.Writer, m model.Model) error {
	meta := m.Meta()
	if len(meta.Classes) < 2 {
		return fmt.Errorf("%w: it has one class only", ErrNoONNX)
	}
	names := InputNames(meta)
	features, err := json.Marshal(names)
	if err != nil {
		return err
	}
	classes, err := json.Marshal(meta.Classes)
	if err != nil {
		return err
	}
	k := int64(len(meta.Classes))
	g := &Graph{
		Name: "glasshouse-" + meta.Kind, Doc: "Labels a packet seen on a home's WAN with the class of its device.",
		Inputs:  []Value{{Name: "features", Type: Float, Dims: []int64{-1, int64(len(names))}}},
		Outputs: []Value{{Name: "label", Type: String, Dims: []int64{-1}}, {Name: "probabilities", Type: Float, Dims: []int64{-1, k}}},
		Meta:    [][2]string{{"kind", meta.Kind}, {"features", string(features)}, {"classes", string(classes)}, {"path", meta.Path}},
	}
	switch m := m.(type) {
	case *model.Trees:
		exportTrees(g, m)
	case *neural.Model:
		exportNeural(g, m)
	default:
		return fmt.Errorf("%w: unsupported kind %s", ErrNoONNX, meta.Kind)
	}
	_, err = w.Write(g.Marshal())
	return err
}

// exportTrees adds the nodes of a model of trees.
func exportTrees(g *Graph, t *model.Trees) {
	switch p := t.Predictor().(type) {
	case *tree.Forest:
		out, power := "probabilities", t.Power()
		if power != 1 {
			out = "shares"
		}
		ensemble(g, out, p.Trees, t.Meta().Classes, func(tr *tree.Tree, at int32, add func(class int, v float32)) {
			for c := range p.Classes {
				add(c, tr.Values[int(at)+c]/float32(len(p.Trees)))
			}
		}, StringAttr("post_transform", "NONE"))
		if power != 1 { // temper
			b := &netGraph{g: g}
			logs := b.node("Log", []string{b.node("Clip", []string{out, b.number(model.LeastTempered), b.number(1)})})
			g.Node("", "Softmax", []string{b.node("Mul", []string{logs, b.number(float32(power))})}, []string{"probabilities"}, IntAttr("axis", 1))
		}
	case *tree.Boost:
		of := make(map[*tree.Tree]int, len(p.Trees))
		for i := range p.Trees {
			of[&p.Trees[i]] = i % len(p.Base)
		}
		ensemble(g, "probabilities", p.Trees, t.Meta().Classes, func(tr *tree.Tree, at int32, add func(class int, v float32)) {
			add(of[tr], tr.Values[at])
		}, StringAttr("post_transform", "SOFTMAX"), FloatsAttr("base_values", p.Base))
	}
}

// ensemble adds a TreeEnsembleClassifier; leaf calls add with a leaf's contribution to each class.
func ensemble(g *Graph, out string, trees []tree.Tree, classes []string, leaf func(t *tree.Tree, at int32, add func(class int, v float32)), more ...Attr) {
	var treeIDs, nodeIDs, features, yes, no, leafTrees, leafNodes, leafClasses []int64
	var cuts, weights []float32
	var modes []string
	for i := range trees {
		t := &trees[i]
		for k, n := range t.Nodes {
			treeIDs, nodeIDs = append(treeIDs, int64(i)), append(nodeIDs, int64(k))
			if n.Feature >= 0 {
				modes, features, cuts = append(modes, "BRANCH_LEQ"), append(features, int64(n.Feature)), append(cuts, n.Cut)
				yes, no = append(yes, int64(n.Left)), append(no, int64(n.Left)+1)
				continue
			}
			modes, features, cuts = append(modes, "LEAF"), append(features, 0), append(cuts, 0)
			yes, no = append(yes, 0), append(no, 0)
			leaf(t, n.Left, func(class int, v float32) {
				leafTrees, leafNodes = append(leafTrees, int64(i)), append(leafNodes, int64(k))
				leafClasses, weights = append(leafClasses, int64(class)), append(weights, v)
			})
		}
	}
	attrs := append([]Attr{
		StringsAttr("classlabels_strings", classes),
		IntsAttr("nodes_treeids", treeIDs), IntsAttr("nodes_nodeids", nodeIDs), IntsAttr("nodes_featureids", features),
		FloatsAttr("nodes_values", cuts), StringsAttr("nodes_modes", modes),
		IntsAttr("nodes_truenodeids", yes), IntsAttr("nodes_falsenodeids", no),
		IntsAttr("class_treeids", leafTrees), IntsAttr("class_nodeids", leafNodes), IntsAttr("class_ids", leafClasses),
		FloatsAttr("class_weights", weights),
	}, more...)
	g.Node(ML, "TreeEnsembleClassifier", []string{"features"}, []string{"label", out}, attrs...)
}
