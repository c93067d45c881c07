package classifier

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"glasshouse/classifier/onnx"
)

// ErrNoONNX means that a model has no form in ONNX.
var ErrNoONNX = errors.New("the model cannot be exported to ONNX")

// ExportONNX writes a model as ONNX. Its input is "features", a row a packet of the numbers that InputNames lists, in that order; its
// outputs are "label", the class, and "probabilities", a column a class in the order of Meta. Rows of a neural model are one
// home's packets in their order; those of trees may be any. More of Meta is in the file's metadata.
func ExportONNX(w io.Writer, m Model) error {
	meta := m.Meta()
	if len(meta.Classes) < 2 {
		return fmt.Errorf("%w: it knows one class only", ErrNoONNX)
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
	g := &onnx.Graph{
		Name: "glasshouse-" + meta.Kind, Doc: "Labels a packet seen on a home's WAN with the class that it came from.",
		Inputs:  []onnx.Value{{Name: "features", Type: onnx.Float, Dims: []int64{-1, int64(len(names))}}},
		Outputs: []onnx.Value{{Name: "label", Type: onnx.String, Dims: []int64{-1}}, {Name: "probabilities", Type: onnx.Float, Dims: []int64{-1, k}}},
		Meta:    [][2]string{{"kind", meta.Kind}, {"features", string(features)}, {"classes", string(classes)}, {"path", meta.Path}},
	}
	switch m := m.(type) {
	case *TreeModel:
		exportTrees(g, m)
	case *NeuralModel:
		exportNeural(g, m)
	default:
		return fmt.Errorf("%w: kind %s", ErrNoONNX, meta.Kind)
	}
	_, err = w.Write(g.Marshal())
	return err
}

// exportTrees adds the nodes of a model of trees.
func exportTrees(g *onnx.Graph, t *TreeModel) {
	switch p := t.p.(type) {
	case *forest:
		out, power := "probabilities", t.power()
		if power != 1 {
			out = "shares"
		}
		ensemble(g, out, p.trees, t.meta.Classes, func(tr *tree, at int32, add func(class int, v float32)) {
			for c := range p.classes {
				add(c, tr.values[int(at)+c]/float32(len(p.trees)))
			}
		}, onnx.StringAttr("post_transform", "NONE"))
		if power != 1 { // temper
			b := &netGraph{g: g}
			logs := b.node("Log", []string{b.node("Clip", []string{out, b.number(leastTempered), b.number(1)})})
			g.Node("", "Softmax", []string{b.node("Mul", []string{logs, b.number(float32(power))})}, []string{"probabilities"}, onnx.IntAttr("axis", 1))
		}
	case *boost:
		of := make(map[*tree]int, len(p.trees))
		for i := range p.trees {
			of[&p.trees[i]] = i % len(p.base)
		}
		ensemble(g, "probabilities", p.trees, t.meta.Classes, func(tr *tree, at int32, add func(class int, v float32)) {
			add(of[tr], tr.values[at])
		}, onnx.StringAttr("post_transform", "SOFTMAX"), onnx.FloatsAttr("base_values", p.base))
	}
}

// ensemble adds a TreeEnsembleClassifier; leaf gives what a leaf adds to which class.
func ensemble(g *onnx.Graph, out string, trees []tree, classes []string, leaf func(t *tree, at int32, add func(class int, v float32)), more ...onnx.Attr) {
	var treeIDs, nodeIDs, features, yes, no, leafTrees, leafNodes, leafClasses []int64
	var cuts, weights []float32
	var modes []string
	for i := range trees {
		t := &trees[i]
		for k, n := range t.nodes {
			treeIDs, nodeIDs = append(treeIDs, int64(i)), append(nodeIDs, int64(k))
			if n.feature >= 0 {
				modes, features, cuts = append(modes, "BRANCH_LEQ"), append(features, int64(n.feature)), append(cuts, n.cut)
				yes, no = append(yes, int64(n.left)), append(no, int64(n.left)+1)
				continue
			}
			modes, features, cuts = append(modes, "LEAF"), append(features, 0), append(cuts, 0)
			yes, no = append(yes, 0), append(no, 0)
			leaf(t, n.left, func(class int, v float32) {
				leafTrees, leafNodes = append(leafTrees, int64(i)), append(leafNodes, int64(k))
				leafClasses, weights = append(leafClasses, int64(class)), append(weights, v)
			})
		}
	}
	attrs := append([]onnx.Attr{
		onnx.StringsAttr("classlabels_strings", classes),
		onnx.IntsAttr("nodes_treeids", treeIDs), onnx.IntsAttr("nodes_nodeids", nodeIDs), onnx.IntsAttr("nodes_featureids", features),
		onnx.FloatsAttr("nodes_values", cuts), onnx.StringsAttr("nodes_modes", modes),
		onnx.IntsAttr("nodes_truenodeids", yes), onnx.IntsAttr("nodes_falsenodeids", no),
		onnx.IntsAttr("class_treeids", leafTrees), onnx.IntsAttr("class_nodeids", leafNodes), onnx.IntsAttr("class_ids", leafClasses),
		onnx.FloatsAttr("class_weights", weights),
	}, more...)
	g.Node(onnx.ML, "TreeEnsembleClassifier", []string{"features"}, []string{"label", out}, attrs...)
}
