// Package onnx writes models as ONNX files (https://onnx.ai/onnx/repo-docs/IR.html), which ONNX Runtime and others execute: onnx.go has
// the format, export.go the graphs of trees, export_neural.go those of neural networks. It is pure. Not supported: reading, external
// data, tensors of other types than float, byte, int64 and string.
package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Versions of the format and of the operator sets that a file requires.
const (
	irVersion = 8 // ONNX 1.11
	opset     = 13
	opsetML   = 3 // of the domain ai.onnx.ml
)

// Type is the type of a tensor's elements.
type Type int

// The element types, by their numbers in TensorProto.DataType.
const (
	Float  Type = 1
	Uint8  Type = 2
	Int64  Type = 7
	String Type = 8
)

// Value is an input or output of a graph. A negative dimension is dynamic.
type Value struct {
	Name string
	Type Type
	Dims []int64
}

// Attr is an attribute of a node: exactly one of its values is set, of kind.
type Attr struct {
	name    string
	kind    uint64
	i       int64
	s       string
	floats  []float32
	ints    []int64
	strings []string
}

// The kinds of attributes, by their numbers in AttributeProto.AttributeType.
const (
	attrInt     = 2
	attrString  = 3
	attrFloats  = 6
	attrInts    = 7
	attrStrings = 8
)

// IntAttr returns an integer attribute.
func IntAttr(name string, v int64) Attr { return Attr{name: name, kind: attrInt, i: v} }

// StringAttr returns a string attribute.
func StringAttr(name, v string) Attr { return Attr{name: name, kind: attrString, s: v} }

// FloatsAttr returns an attribute with a list of floats.
func FloatsAttr(name string, v []float32) Attr { return Attr{name: name, kind: attrFloats, floats: v} }

// IntsAttr returns an attribute with a list of integers.
func IntsAttr(name string, v []int64) Attr { return Attr{name: name, kind: attrInts, ints: v} }

// StringsAttr returns an attribute with a list of strings.
func StringsAttr(name string, v []string) Attr {
	return Attr{name: name, kind: attrStrings, strings: v}
}

// Graph is a model under construction.
type Graph struct {
	Name    string
	Doc     string
	Inputs  []Value
	Outputs []Value
	Meta    [][2]string // metadata: keys and values
	nodes   []byte
	tensors []byte
}

// ML is the domain of the operators of classical machine learning, trees among them.
const ML = "ai.onnx.ml"

// Node adds a node; nodes must be added in topological order. The domain is "" or ML.
func (g *Graph) Node(domain, op string, in, out []string, attrs ...Attr) {
	var b []byte
	for _, s := range in {
		b = text(b, 1, s)
	}
	for _, s := range out {
		b = text(b, 2, s)
	}
	b = text(b, 4, op)
	for _, a := range attrs {
		b = message(b, 5, a.marshal())
	}
	if domain != "" {
		b = text(b, 7, domain)
	}
	g.nodes = message(g.nodes, 1, b)
}

// Floats adds a constant tensor.
func (g *Graph) Floats(name string, v []float32, dims ...int64) {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	g.tensor(name, Float, raw, dims)
}

// Ints adds a constant tensor.
func (g *Graph) Ints(name string, v []int64, dims ...int64) {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	g.tensor(name, Int64, raw, dims)
}

// Bytes adds a constant tensor of bytes.
func (g *Graph) Bytes(name string, v []byte, dims ...int64) { g.tensor(name, Uint8, v, dims) }

// Strings adds a constant tensor of one dimension.
func (g *Graph) Strings(name string, v []string) {
	b := number(number(nil, 1, int64(len(v))), 2, int64(String))
	for _, s := range v {
		b = text(b, 6, s)
	}
	g.tensors = message(g.tensors, 5, text(b, 8, name))
}

func (g *Graph) tensor(name string, t Type, raw []byte, dims []int64) {
	var b []byte
	for _, d := range dims {
		b = number(b, 1, d)
	}
	b = number(b, 2, int64(t))
	b = text(b, 8, name)
	b = message(b, 9, raw)
	g.tensors = message(g.tensors, 5, b)
}

// Marshal returns the file: a ModelProto.
func (g *Graph) Marshal() []byte {
	graph := append([]byte(nil), g.nodes...)
	graph = text(graph, 2, g.Name)
	graph = append(graph, g.tensors...)
	for _, v := range g.Inputs {
		graph = message(graph, 11, v.marshal())
	}
	for _, v := range g.Outputs {
		graph = message(graph, 12, v.marshal())
	}
	b := number(nil, 1, irVersion)
	b = text(b, 2, "glasshouse")
	b = text(b, 6, g.Doc)
	b = message(b, 7, graph)
	b = message(b, 8, number(text(nil, 1, ""), 2, opset))
	b = message(b, 8, number(text(nil, 1, ML), 2, opsetML))
	for _, kv := range g.Meta {
		b = message(b, 14, text(text(nil, 1, kv[0]), 2, kv[1]))
	}
	return b
}

func (v *Value) marshal() []byte {
	var shape []byte
	for _, d := range v.Dims {
		dim := text(nil, 2, "n") // dynamic
		if d >= 0 {
			dim = number(nil, 1, d)
		}
		shape = message(shape, 1, dim)
	}
	tensor := message(number(nil, 1, int64(v.Type)), 2, shape)
	return message(text(nil, 1, v.Name), 2, message(nil, 1, tensor))
}

func (a *Attr) marshal() []byte {
	b := text(nil, 1, a.name)
	switch a.kind {
	case attrInt:
		b = number(b, 3, a.i)
	case attrString:
		b = text(b, 4, a.s)
	case attrFloats:
		for _, f := range a.floats {
			b = protowire.AppendTag(b, 7, protowire.Fixed32Type)
			b = protowire.AppendFixed32(b, math.Float32bits(f))
		}
	case attrInts:
		for _, i := range a.ints {
			b = number(b, 8, i)
		}
	case attrStrings:
		for _, s := range a.strings {
			b = text(b, 9, s)
		}
	}
	return number(b, 20, int64(a.kind))
}

func number(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func text(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func message(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}
