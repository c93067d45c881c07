package strictyaml

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Node is a value in a file, or an absent one.
type Node struct {
	doc  *Doc
	n    ast.Node
	path string
	key  *token.Token // of the value in its mapping; nil for an element of a list
}

// Given tells whether the value is there.
func (v Node) Given() bool { return v.n != nil && v.n.Type() != ast.NullType }

// Errorf records an error at the value. allowed may be empty.
func (v Node) Errorf(allowed, format string, args ...any) {
	v.doc.report(v.token(), v.path, fmt.Sprintf(format, args...), allowed)
}

func (v Node) token() *token.Token {
	switch n := v.n.(type) {
	case nil:
		return v.key
	case *ast.MappingNode: // its own token is the first colon
		if n.IsFlowStyle {
			return n.Start
		}
		if len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return v.n.GetToken()
}

func (v Node) describe() string {
	if !v.Given() {
		return "nothing"
	}
	switch v.n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return strconv.Quote(shorten(v.text()))
	}
	return "a " + strings.ToLower(v.n.Type().String())
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return s
}

// text is a scalar as written, without quotes.
func (v Node) text() string {
	switch n := v.n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return v.n.GetToken().Value
	}
	return ""
}

func (v Node) scalar(want string) (string, bool) {
	switch v.n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return v.text(), true
	}
	v.Errorf(want, "%s where a value is needed", v.describe())
	return "", false
}

// Map is a mapping whose keys were checked.
type Map struct {
	at     Node
	fields map[string]Node
}

// Map checks that the value is a mapping with no other keys than these, each given once.
func (v Node) Map(keys ...string) Map {
	m := Map{at: v, fields: make(map[string]Node)}
	var values []*ast.MappingValueNode
	switch n := v.n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	case nil:
		if v.path != "" {
			v.Errorf("a mapping with the keys "+strings.Join(keys, ", "), "nothing is given")
		}
		return m
	default:
		v.Errorf("a mapping with the keys "+strings.Join(keys, ", "), "%s is no mapping", v.describe())
		return m
	}
	for _, x := range values {
		name := keyName(x.Key)
		child := Node{doc: v.doc, n: x.Value, path: join(v.path, name), key: x.Key.GetToken()}
		switch _, twice := m.fields[name]; {
		case !slices.Contains(keys, name):
			v.doc.report(child.key, v.path, fmt.Sprintf("unknown key %q", shorten(name)), OneOf(name, keys))
		case twice:
			v.doc.report(child.key, v.path, fmt.Sprintf("key %q is given twice", name), "")
		default:
			m.fields[name] = child.plain()
		}
	}
	return m
}

func keyName(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return k.GetToken().Value
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// plain refuses what this reader does not support.
func (v Node) plain() Node {
	switch v.n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode, *ast.InfinityNode, *ast.NanNode:
		v.Errorf("plain values", "anchors, aliases, merge keys and tags are not supported")
		v.n = nil
	}
	return v
}

// Opt returns a field that may be absent.
func (m Map) Opt(name string) Node {
	if f, ok := m.fields[name]; ok {
		return f
	}
	return Node{doc: m.at.doc, path: join(m.at.path, name), key: m.at.token()}
}

// Has tells whether a field is given.
func (m Map) Has(name string) bool { return m.Opt(name).Given() }

// Need returns a field, and records an error where it is absent.
func (m Map) Need(name string) Node {
	f := m.Opt(name)
	if !f.Given() && m.at.Given() {
		m.at.doc.report(m.at.token(), m.at.path, fmt.Sprintf("%q is missing", name), "")
	}
	return f
}

// List returns the elements of a list; an absent value has none.
func (v Node) List() []Node {
	if !v.Given() {
		return nil
	}
	seq, ok := v.n.(*ast.SequenceNode)
	if !ok {
		v.Errorf("a list", "%s is no list", v.describe())
		return nil
	}
	all := make([]Node, len(seq.Values))
	for i, x := range seq.Values {
		e := Node{doc: v.doc, n: x, path: fmt.Sprintf("%s[%d]", v.path, i)}
		if !e.Given() {
			e.key = seq.GetToken()
			e.Errorf("", "an empty element")
		}
		all[i] = e.plain()
	}
	return all
}

// IsMap tells whether the value is a mapping.
func (v Node) IsMap() bool {
	switch v.n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// Len returns how many elements a list has; 0 of anything else.
func (v Node) Len() int {
	if seq, ok := v.n.(*ast.SequenceNode); ok {
		return len(seq.Values)
	}
	return 0
}
